"""The whole way with N pictures: what each stage takes in time, memory and disk.

    .venv/bin/python -m benchmarks.scale 30000
    .venv/bin/python -m benchmarks.scale 3000000 index=hnsw,ivf root=.bench/scale
    .venv/bin/python -m benchmarks.scale 3000000 extractor=.bench/scale/30000/collections/scale/encoders
    .venv/bin/python -m benchmarks.scale 30000 again=ingest,extract
    .venv/bin/python -m benchmarks.scale report

Pictures are made by benchmarks/pictures.py, into tar shards. Then, each by its own command: ingest, fit (on about 30,000 of
them), extract (the encoder, 128 numbers); build, evaluate (1,000 pictures in 10 distortions each), serve with requests
unfiltered and filtered, and again with none of its files in memory, and filtered search with its recall (benchmarks/filtered.py), for each index; release verify, show, storage (benchmarks/storage.py), and the append of 10,000
pictures. With ``extractor=`` an encoder of another run, or the folder that its newest one is in, takes the place of fit. A
stage that was run in this folder is not run again: killed, the same command goes on. ``again=`` names stages that are (ingest into another collection, which
is removed again), or is ``all``. Core time is that of all of a stage's
processes, which other work on the machine hardly changes. With ``vectors=``, too, those of a file, or of the embeddings in a folder, take the
place of extract: the first N. Peak memory is the largest sum of the own memory (RssAnon) of a stage's processes; pages of mapped
files come on top, and go when others need them. Writes benchmarks/results/scale.json, scale.png and
benchmarks/scale.md.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import filtered, storage
from benchmarks.pictures import make
from benchmarks.scale_report import plot, report
from benchmarks.scale_serve import cold, served, switched
from benchmarks.vectors import put
from benchmarks.watch import watched
from nitari.artifact import MANIFEST
from nitari.collection import Collection
from nitari.embeddings import FILE
from nitari.files import link_or_copy

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "scale.json"
PAGE = ROOT / "benchmarks" / "scale.md"
PLOT = ROOT / "benchmarks" / "results" / "scale.png"
NITARI = str(Path(sys.executable).parent / "nitari")
DEFAULTS = {"index": "hnsw,ivf", "root": str(ROOT / ".bench" / "scale"), "extractor": "", "vectors": "", "again": ""}
SIZES = (30_000, 100_000)  # where none is given
TRAINED = 30_000  # pictures, about
APPENDED = 10_000


def main() -> None:
    given = DEFAULTS | dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    words = {word for word in sys.argv[1:] if "=" not in word and not word.isdigit() and word != "report"}
    if unknown := words | (set(given) - set(DEFAULTS)):
        sys.exit(f"There is no {', '.join(unknown)}. There are: a number of pictures, report, {', '.join(DEFAULTS)}")
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()]
    for n in sizes or ([] if "report" in sys.argv[1:] else SIZES):
        run(
            n,
            given["index"].split(","),
            Path(given["root"]),
            results,
            given["extractor"],
            given["vectors"],
            given["again"].split(","),
        )
    PAGE.write_text(
        report(results) + f"![Time and memory of each stage]({PLOT.relative_to(PAGE.parent)})\n", encoding="utf-8"
    )
    plot(results, PLOT)
    print(report(results))


def run(
    n: int,
    indexes: Sequence[str],
    root: Path,
    results: dict[str, Any],
    extractor: str = "",
    vectors: str = "",
    again: Sequence[str] = (),
) -> None:
    """Every stage that was not run in this folder, and those named ``again``; they are saved after each. Stages of an index
    are named ``index stage``.
    """
    folder = root / str(n)
    own = folder / "stages.json"  # what was measured here: the results may be of another machine
    if "all" in again:
        shutil.rmtree(folder, ignore_errors=True)
    stages: dict[str, Any] = json.loads(own.read_text()) if own.exists() else {}
    results[str(n)] = stages
    for name in again:
        stages.pop(name, None)
    pictures, more = folder / "pictures", folder / "more"
    for path in (pictures, more):
        path.mkdir(parents=True, exist_ok=True)
    collection = Collection(folder / "collections", "scale")
    where = [f"root={collection.path.parent}", "collection=scale"]
    share = f"{round(256 * min(TRAINED / n, 1) * 256):04x}" if n > TRAINED else "g"

    def job(name: str, *words: str) -> Callable[[], dict[str, Any]]:
        return lambda: command([*name.split(), *where, *words])

    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "make": lambda: made(n, pictures),
        "ingest": lambda: ingested(collection, pictures),
        "fit": job("fit", "trainer.max_steps=400", f"where=sha256<'{share}'", "encode.reduce.pca=128"),
        "extract": job("extract"),
    }
    if extractor:
        del steps["fit"]
        encoder = _newest(Path(extractor))
        take(encoder, collection.folder("encoder") / encoder.name)
        if vectors:
            like = Collection(encoder.parents[2], encoder.parents[1].name)
            steps["extract"] = lambda: given(collection, vectors, like)
    for index in indexes:
        steps |= {
            f"{index} build": job("build", f"index={index}"),
            f"{index} evaluate": job("evaluate", "spaces=[encoder]", "protocol.max_queries=1000"),
            f"{index} serve": lambda kind=index: served(switched(collection, kind)),  # type: ignore[misc]
            f"{index} cold": lambda kind=index: cold(switched(collection, kind)),  # type: ignore[misc]
            f"{index} filtered": lambda kind=index: {"rows": filtered.of_collection(collection, kind)},  # type: ignore[misc]
        }
    steps |= {
        "release verify": job("release verify"),
        "show": job("show"),
        "storage": lambda: storage.measure(collection),
        "append": lambda: appended(where, more),
    }
    left = {name: step for name, step in steps.items() if name not in stages}
    for name, step in left.items():
        print(f"== {n:,}: {name}", file=sys.stderr, flush=True)
        before = disk(folder)
        found = step()
        stages[name] = {"disk_mb": round((disk(folder) - before) / 1e6, 1)} | found
        save(stages, own)
        save(results)
    if not left:
        return
    stages["total"] = {
        "seconds": sum(stage.get("seconds", 0) for name, stage in stages.items() if name != "total"),
        "disk_mb": disk(folder) / 1e6,
    }
    save(stages, own)
    save(results)


def ingested(collection: Collection, pictures: Path) -> dict[str, Any]:
    """The first ingest of a collection; where there was one, of another, which is removed again."""
    aside = collection.path.parents[1] / "aside"
    root = collection.path.parent if collection.find("catalog") is None else aside
    try:
        found = command(["ingest", f"root={root}", "collection=scale", "source=tar", f"source.path={pictures}"])
        return found | ({"disk_mb": round(disk(root) / 1e6, 1)} if root == aside else {})
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def given(collection: Collection, vectors: str, like: Collection) -> dict[str, Any]:
    path = Path(vectors)
    put(collection, path if path.is_file() else _newest(path) / FILE, like)
    return {"vectors": vectors}


def _newest(path: Path) -> Path:
    """An artifact's own directory: the newest in it, where ``path`` holds several."""
    if not path.is_dir():
        sys.exit(
            f"There is nothing at '{path}'. Make it with: .venv/bin/python -m benchmarks.scale N, for the N in its path"
        )
    return (path if (path / MANIFEST).exists() else max(path.iterdir())).resolve()


def take(origin: Path, folder: Path) -> None:
    """The files of one collection into another one."""
    for file in origin.rglob("*"):
        if file.is_file() and not (copied := folder / file.relative_to(origin)).exists():
            link_or_copy(file, copied)


def save(results: dict[str, Any], file: Path = RESULTS) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def command(words: list[str]) -> dict[str, Any]:
    """``watched`` of a command of nitari, quiet."""
    return watched([NITARI, *words], subprocess.DEVNULL)


def made(n: int, folder: Path) -> dict[str, Any]:
    seconds = make(n, folder)
    return {"pictures": n} | ({"seconds": round(seconds, 1)} if seconds > 1 else {})  # else they were there


def appended(where: list[str], folder: Path) -> dict[str, Any]:
    make(APPENDED, folder, seed=1)
    found = command(["append", *where, f"path={folder}", "source=more"])
    return found | {"pictures": APPENDED}


def disk(folder: Path) -> int:
    """Bytes under a folder."""
    if not folder.exists():
        return 0
    return int(subprocess.check_output(["du", "-sb", str(folder)]).split()[0])


if __name__ == "__main__":
    if shutil.which("pgrep") is None:
        sys.exit("This needs pgrep (the package procps)")
    main()
