"""Extraction beside a bare loop over the same extractor: reading thumbnails, resizing and computing in as many threads.

    .venv/bin/python -m benchmarks.extraction [COLLECTION [ROOT]]

Without a collection, the photos of ../shared/data are ingested into a temporary one; the encoder is measured where the
collection has one. Writes benchmarks/results/extraction.json and .md.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from nitari import conf
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.extractor import Extractor, create
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest
from nitari.steps.pictures import Pictures

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ROUNDS = 3
REPEATS = 3  # of the photos of ../shared/data: what a run costs however few pictures there are weighs less
BATCH = 256


def main() -> None:
    if len(sys.argv) > 1:
        report(measure(Collection.existing(sys.argv[2] if len(sys.argv) > 2 else "collections", sys.argv[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        collection = Collection(folder, "photos")
        ingest(collection, listing(DATA), source_name="photos", workers=os.cpu_count())
        report(measure(collection))


def listing(folder: Path) -> pa.Table:
    """The photos under ``folder``, as ingest wants them."""
    paths = sorted(path for name in ("clothing", "grocery") for path in (folder / name).rglob("*.jpg"))
    paths *= REPEATS
    if not paths:
        raise SystemExit(f"There are no photos under '{folder}'. Name a collection that was ingested")
    names = [f"{number:06d}-{path.name}" for number, path in enumerate(paths)]
    nothing = pa.nulls(len(paths), pa.string())
    return pa.table(
        {
            "item_id": [hashlib.sha256(name.encode()).hexdigest()[:16] for name in names],
            "file_name": names,
            "location": [str(path.resolve()) for path in paths],
            "offset": pa.array([-1] * len(paths), pa.int64()),
            "size_bytes": [path.stat().st_size for path in paths],
            "fingerprint": [str(path.stat().st_mtime_ns) for path in paths],
            "reason": nothing,
            "message": nothing,
        }
    )


def measure(collection: Collection) -> list[dict[str, object]]:
    """Median pictures a second, bare loop and step taking turns, in one thread and in all."""
    catalog = Catalog(collection.latest("catalog"))
    pictures = Pictures(collection, catalog)
    threads = os.cpu_count() or 1
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(dir=collection.path.parent) as folder:
        aside = Collection(folder, collection.name)
        for kind in ("catalog", "thumbnails"):
            shutil.copytree(collection.folder(kind), aside.folder(kind), copy_function=os.link)
        for name in choices(collection):
            for workers in sorted({1, threads}):
                bare, step = [], []
                for _ in range(ROUNDS):
                    extractor = made(collection, name)
                    bare.append(seconds(lambda e=extractor, w=workers: loop(pictures, e, catalog.n_ready, w)))
                    step.append(seconds(lambda e=extractor, w=workers: extract(aside, e, threads=w)))
                    shutil.rmtree(aside.folder("embeddings"))
                rates = [catalog.n_ready / statistics.median(times) for times in (bare, step)]
                rows.append(
                    {
                        "extractor": name,
                        "pictures": catalog.n_ready,
                        "threads": workers,
                        "bare_loop": round(rates[0]),
                        "extract": round(rates[1]),
                        "ratio": round(rates[1] / rates[0], 3),
                    }
                )
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def loop(pictures: Pictures, extractor: Extractor, n: int, threads: int) -> None:
    """What anybody would write."""
    vectors = np.empty((n, extractor.space.dim), np.float32)

    def part(start: int) -> None:
        rows = range(start, min(start + BATCH, n))
        vectors[rows.start : rows.stop] = extractor.extract(pictures.read(rows, extractor.side))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, range(0, n, BATCH)))


def choices(collection: Collection) -> list[str]:
    names = ["pixels", "colour", "random", "hog"]
    return ["encoder", *names] if collection.find("encoder") else names


def made(collection: Collection, name: str) -> Extractor:
    """The extractor of conf/, without post-processing: that is fitted once, and no part of the loop."""
    settings = yaml.safe_load((Path(str(conf.__file__)).parent / "extractor" / f"{name}.yaml").read_text())
    settings |= {"postprocess": None} | ({"path": collection.latest("encoder").path} if "path" in settings else {})
    return create(settings)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(rows: list[dict[str, object]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "extraction.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    head = list(rows[0])
    lines = ["# Extraction, pictures a second", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(str(row[key]) for key in head) + " |" for row in rows]
    (RESULTS / "extraction.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
