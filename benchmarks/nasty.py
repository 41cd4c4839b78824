"""Ingests a decoder's own test suite: each file is accounted for, and what a refused one costs in memory is measured.

    .venv/bin/python -m benchmarks.nasty

Reads ../shared/data/nasty: truncated, fuzzed, bombs, odd modes, every EXIF orientation. Memory is the growth of a fresh
process's peak while it refuses one file, beyond what an ordinary picture costs. Writes benchmarks/results/nasty.json.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

from nitari.catalog import READY, Catalog
from nitari.collection import Collection
from nitari.errors import PictureError
from nitari.images.decode import USUAL, decode
from nitari.source.folder import FolderSource
from nitari.steps.ingest import ingest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "nasty"
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"There is no '{DATA}'")
    with (DATA / "files.csv").open(encoding="utf-8", newline="") as file:
        expected = {row["file_name"]: row for row in csv.DictReader(file)}
    with tempfile.TemporaryDirectory() as folder:
        source = FolderSource(str(DATA))
        start = time.monotonic()
        artifact = ingest(Collection(folder, "nasty"), source.listing(), source_name=source.name)
        seconds = time.monotonic() - start
        catalog = Catalog(artifact)
        rows = catalog.records(range(catalog.n_items), ["file_name", "status", "reason", "message"])
    found = {row["file_name"]: row for row in rows}
    refused = [name for name in expected if name in found and found[name]["status"] != READY]
    memory = _memory(refused)
    differ = {
        name: {"pillow": row["exception"] or row["pillow_outcome"], "nitari": found[name]["reason"] or READY}
        for name, row in expected.items()
        if name in found and (row["pillow_outcome"] == "ok") != (found[name]["status"] == READY)
    }
    result = {
        "files": len(expected),
        "accounted_for": len(expected.keys() & found.keys()),
        "ready": sum(row["status"] == READY for row in rows),
        "reasons": dict(Counter(row["reason"] for row in rows if row["status"] != READY).most_common()),
        "seconds": round(seconds, 1),
        "largest_growth_refused_mb": memory[:5],
        "over_64_mb": sum(megabytes > 64 for _, megabytes in memory),
        "differs_from_pillow": differ,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "nasty.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "differs_from_pillow"}, indent=1))
    print(f"{len(differ)} files end otherwise than with plain Pillow; see results/nasty.json")


def _memory(names: list[str]) -> list[tuple[str, float]]:
    """(file, megabytes that the peak grew by), the largest first; each file in a process forked for it alone."""
    context = get_context("fork")
    _warm()
    grown = []
    for name in names:
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=_refuse, args=(DATA / name, send))
        process.start()
        send.close()
        grown.append((name, receive.recv()))
        process.join()
    return sorted(grown, key=lambda entry: -entry[1])


def _warm() -> None:
    """Import what decoding imports, so that it does not count."""
    for path in sorted(DATA.rglob("*.jpg"))[:3] + sorted(DATA.rglob("*.png"))[:3]:
        try:
            decode(path.read_bytes(), side=96)
        except PictureError:
            continue


def _refuse(path: Path, send) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders written in C complain there
    # A forked process starts with its parent's peak on the books; what counts is what it adds to its own memory.
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    try:
        if path.stat().st_size <= USUAL.max_bytes:
            decode(path.read_bytes(), USUAL, side=96)
    except PictureError:
        pass
    send.send(round((_peak() - before) / 1024, 1))


def _peak() -> int:
    """Peak resident memory in kB since it was last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise OSError("This needs /proc, as Linux has it")


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
