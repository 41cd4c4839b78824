"""One HNSW graph of N vectors: time and memory to build, to open and to search, unfiltered and filtered.

    .venv/bin/python -m benchmarks.graph 3000000
    .venv/bin/python -m benchmarks.graph 100000 root=.bench/graph

Vectors and filters of benchmarks/filtered.py. Building takes all cores; searches are of one core. Memory is a process's own
(RssAnon), with the vectors mapped: the most while the graph is built and tuned, and what it is once another process has opened it. What is
under ``root`` is used again: killed after the build, the same command goes on. Adds to benchmarks/results/graph.json and .md.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.filtered import ASKED, TARGET, attributes, measured
from benchmarks.search import DIM, RESULTS, K, patches
from benchmarks.table import table
from benchmarks.watch import own, watched
from nitari.index.exact import Exact
from nitari.index.hnsw import Hnsw
from nitari.index.tuning import tune
from nitari.mask import Masks
from nitari.space import Space

SPACE = Space("patches", "cosine", DIM)
ROOT = Path(__file__).resolve().parents[1] / ".bench" / "graph"
QUERIES = 500  # that the effort is set by


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()] or [100_000]
    root = Path(given.pop("root", ROOT))
    stage = given.pop("stage", None)
    if given:
        sys.exit(f"There is no {', '.join(given)}. There are: numbers of vectors, root")
    for n in sizes:
        if stage is not None:
            {"build": build, "search": search}[stage](n, root / str(n))
            continue
        prepare(n, root / str(n))
        for each in ("build", "search"):  # each in a process of its own, so that its memory is
            if not (root / str(n) / f"{each}.json").exists():
                found = watched([sys.executable, "-m", "benchmarks.graph", str(n), f"root={root}", f"stage={each}"])
                _add(root / str(n) / f"{each}.json", {"peak_mb": found["peak_mb"]})
        report(n, root / str(n))


def prepare(n: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "queries.npy").exists():
        vectors, queries, _ = patches(n)
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "queries.npy", queries[:ASKED])


def build(n: int, folder: Path) -> None:
    out = folder / "index"
    out.mkdir(exist_ok=True)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    index = Hnsw(SPACE)
    start = time.monotonic()
    index.build(vectors)
    built = time.monotonic() - start
    start = time.monotonic()
    found = tune(index, vectors, k=K, target=TARGET, queries=QUERIES, seed=0)
    assert found is not None
    tuned = time.monotonic() - start
    parameters = index.save(out)
    size = sum(path.stat().st_size for path in out.iterdir())
    told = {
        "seconds": round(built, 1),
        "tuning_seconds": round(tuned, 1),
        "threads": index.threads,
        "index_mb": round(size / 1e6),
        "ef_search": index.ef_search,
        **found.summary(K, 0),
        "parameters": parameters,
    }
    print({key: value for key, value in told.items() if key != "parameters"}, flush=True)
    (folder / "build.json").write_text(json.dumps(told), encoding="utf-8")


def search(n: int, folder: Path) -> None:
    vectors, queries = np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "queries.npy")
    parameters = json.loads((folder / "build.json").read_text())["parameters"]
    start = time.monotonic()
    index = Hnsw.load(folder / "index", SPACE, np.asarray(vectors), parameters)
    opened = time.monotonic() - start
    index.search(queries[0], K)
    memory = round(own(os.getpid()))
    exact = Exact(SPACE)
    exact.build(vectors)
    columns = attributes(vectors, parts=[2, 10, 100, 1000])
    rows = measured(
        f"hnsw of {n:,}", index, exact, queries[: ASKED // 2], Masks(columns.column_names, columns.column), 1
    )
    told = {"open_seconds": round(opened, 1), "own_mb": memory, "rows": rows}
    (folder / "search.json").write_text(json.dumps(told), encoding="utf-8")


def _add(file: Path, more: dict[str, Any]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | more), encoding="utf-8")


def report(n: int, folder: Path) -> None:
    file = RESULTS / "graph.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    built, searched = (json.loads((folder / f"{name}.json").read_text()) for name in ("build", "search"))
    del built["parameters"]
    results[str(n)] = {"cores": os.cpu_count(), "build": built, "search": searched}
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    lines = ["# HNSW graphs", "", f"Picture patches, {DIM} numbers, cosine; M 16, ef_construction 200.", ""]
    lines += [
        "| vectors | build | memory | on disk | opened in | its memory | ef_search | ann_recall_at_10 | p50 | p99 |"
    ]
    lines += ["|---" * 10 + "|"]
    rows = []
    for count, found in sorted(results.items(), key=lambda item: int(item[0])):
        made, asked = found["build"], found["search"]
        recall = made[f"ann_recall_at_{K}"]
        lines.append(
            f"| {int(count):,} | {made['seconds'] / 60:.1f} min, {made['threads']} threads | {made['peak_mb']:,} MB "
            f"| {made['index_mb']:,} MB | {asked['open_seconds']} s | {asked['own_mb']:,} MB | {made['ef_search']} "
            f"| {recall['value']:.4f} [{recall['low']:.4f}, {recall['high']:.4f}] of {recall['queries']} "
            f"| {made['p50_us'] / 1000:.2f} ms | {made['p99_us'] / 1000:.2f} ms |"
        )
        rows += asked["rows"]
    lines += [f"\n{found['build']['remark']}" for found in results.values() if "remark" in found["build"]]
    lines += ["", "Filtered, by one core, the filter in memory and anew:", ""]
    lines += table(rows)
    (RESULTS / "graph.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
