"""Search beside bare loops over the same libraries, in one run: nmslib's own calls, and numpy's dot + argpartition.

    .venv/bin/python -m benchmarks.search
    .venv/bin/python -m benchmarks.search 20000

100,000 × 128 (or as many as given) vectors of real picture patches: 32 px crops of ../shared/data at random scales,
PCA, unit length; 1,000 queries come from other pictures. Writes benchmarks/results/search.json and .md.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.table import table
from nitari.errors import NitariError
from nitari.filters import Selection
from nitari.index.exact import Exact
from nitari.index.hnsw import FILE, Hnsw
from nitari.index.tuning import ann_recall
from nitari.space import Space, unit

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
DIM, PATCH, QUERIES, K = 128, 32, 1000, 10
M, EF_CONSTRUCTION = 16, 200
ROUNDS = 5
TARGETS = (0.95, 0.99)
Row = dict[str, Any]


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    vectors, queries, groups = patches(n)
    space = Space("patches", "cosine", DIM)
    results: dict[str, Any] = {"vectors": n, "dim": DIM, "queries": QUERIES, "k": K, "cores": os.cpu_count()}
    exact = Exact(space)
    exact.build(vectors)
    truth = exact.search(queries, K).distances
    graph, results["build"] = build(space, vectors)
    with tempfile.TemporaryDirectory() as folder:
        parameters = graph.save(Path(folder))
        results["file_mb"] = round((Path(folder) / FILE).stat().st_size / 1e6, 1)
        ours = Hnsw.load(Path(folder), space, vectors, parameters)
        bare = bare_graph()
        bare.loadIndex(str(Path(folder) / FILE), load_data=False)
    results["hnsw"] = [at_target(ours, bare, queries, truth, target) for target in TARGETS]
    results["exact"] = scans(exact, vectors, queries)
    results["filtered"] = filtered(ours, exact, queries, groups)
    report(results)


def patches(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, DIM) and (QUERIES, DIM) unit vectors of patches from different pictures, and (n,) the folder each came from."""
    cache = Path(__file__).parent.parent / ".bench" / f"patches-{n}-{seed}.npz"
    if cache.exists():
        stored = np.load(cache)
        return stored["vectors"], stored["queries"], stored["groups"]
    files = sorted(p for name in ("clothing", "grocery") for p in (DATA / name).rglob("*.jpg"))
    if not files:
        raise SystemExit(f"There are no photos under '{DATA}'")
    random = np.random.default_rng(seed)
    files = [files[i] for i in random.permutation(len(files))]
    asking = len(files) // 10
    raw_queries, _ = crops(files[:asking], QUERIES, random)
    raw, names = crops(files[asking:], n, random)
    sample = raw[random.permutation(n)[:20_000]].astype(np.float32)
    mean = sample.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    basis = directions[:, : -DIM - 1 : -1].astype(np.float32)
    vectors = np.concatenate([unit((raw[i : i + 8192] - mean) @ basis) for i in range(0, n, 8192)])
    queries = unit((raw_queries - mean) @ basis)
    groups = np.unique(names, return_inverse=True)[1]
    cache.parent.mkdir(exist_ok=True)
    np.savez(cache, vectors=vectors, queries=queries, groups=groups)
    return vectors, queries, groups


def crops(files: list[Path], n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n, PATCH² · 3) uint8 crops, the same number from each picture, and (n,) the folder of each."""
    found, names = np.empty((n, PATCH * PATCH * 3), np.uint8), []
    opened = -1
    for i, place in enumerate(np.linspace(0, len(files), n, endpoint=False).astype(int).tolist()):
        if place != opened:
            opened, image = place, Image.open(files[place]).convert("RGB")
        side = int(random.integers(PATCH, min(image.size) + 1))
        left, top = (int(random.integers(0, room - side + 1)) for room in image.size)
        crop = image.resize((PATCH, PATCH), Image.Resampling.BOX, (left, top, left + side, top + side))
        found[i] = np.asarray(crop).ravel()
        names.append("/".join(files[place].parts[-3:-1]))
    return found, np.array(names)


def build(space: Space, vectors: np.ndarray) -> tuple[Hnsw, Row]:
    graph = Hnsw(space, M, EF_CONSTRUCTION)
    ours = seconds(lambda: graph.build(vectors))
    bare = bare_graph()

    def made() -> None:
        bare.addDataPointBatch(vectors)
        bare.createIndex({"M": M, "efConstruction": EF_CONSTRUCTION, "post": 0, "indexThreadQty": graph.threads})

    theirs = seconds(made)
    return graph, {"seconds": round(ours, 1), "bare_seconds": round(theirs, 1), "ratio": round(ours / theirs, 3)}


def bare_graph() -> Any:
    import nmslib

    return nmslib.init(method="hnsw", space="cosinesimil", data_type=nmslib.DataType.DENSE_VECTOR)


def at_target(ours: Hnsw, bare: Any, queries: np.ndarray, truth: np.ndarray, target: float) -> Row:
    """The same graph at the smallest effort that reaches ``target``, through ``Hnsw`` and by nmslib's own calls."""
    for effort in range(10, 2000, 5):
        ours.ef_search = effort
        recall = float(ann_recall(ours.search(queries, K).distances, truth).mean())
        if recall >= target:
            break
    else:
        raise NitariError(f"No effort reaches {target}")
    effort = max(effort, 2 * K)  # what Hnsw passes on
    bare.setQueryTimeParams({"efSearch": effort})
    single, single_bare, batch, batch_bare = [], [], [], []
    for _ in range(ROUNDS):
        single.append(one_by_one(lambda q: ours.search(q, K), queries))
        single_bare.append(one_by_one(lambda q: bare.knnQuery(q, k=K), queries))
        batch.append(seconds(lambda: ours.search(queries, K)))
        batch_bare.append(seconds(lambda: bare.knnQueryBatch(queries, k=K, num_threads=ours.threads)))
    times, bare_times = np.median(single, axis=0), np.median(single_bare, axis=0)
    whole, bare_whole = statistics.median(batch), statistics.median(batch_bare)
    return {
        "target": target,
        "ef_search": effort,
        "ann_recall_at_10": round(recall, 4),
        **speed("", times),
        **speed("bare_", bare_times),
        "ratio": round(float(bare_times.sum() / times.sum()), 3),
        "batch_queries_per_second": round(len(queries) / whole),
        "bare_batch_queries_per_second": round(len(queries) / bare_whole),
        "batch_ratio": round(bare_whole / whole, 3),
    }


def speed(prefix: str, times: np.ndarray) -> Row:
    """``times`` (q,) in seconds: each query's median over the rounds."""
    return {
        f"{prefix}queries_per_second": round(len(times) / float(times.sum())),
        f"{prefix}p50_us": round(float(np.percentile(times, 50)) * 1e6),
        f"{prefix}p99_us": round(float(np.percentile(times, 99)) * 1e6),
    }


def scans(exact: Exact, vectors: np.ndarray, queries: np.ndarray) -> list[Row]:
    def bare(asked: np.ndarray) -> None:
        distances = 1 - asked @ vectors.T
        near = np.argpartition(distances, K, axis=1)[:, :K]
        np.take_along_axis(near, np.argsort(np.take_along_axis(distances, near, axis=1), axis=1), axis=1)

    rows = []
    for size in (1, 16, 256):
        asked = [queries[i * size % (QUERIES - size + 1) :][:size] for i in range(20 if size < 256 else 5)]
        pairs = [(seconds(lambda q=q: exact.search(q, K)), seconds(lambda q=q: bare(q))) for q in asked]  # type: ignore[misc]
        ours, theirs = (statistics.median(pair[i] for pair in pairs) / size * 1000 for i in (0, 1))
        rows.append(
            {
                "queries_at_once": size,
                "ms_a_query": round(ours, 3),
                "bare_ms_a_query": round(theirs, 3),
                "ratio": round(theirs / ours, 3),
            }
        )
    return rows


def filtered(ours: Hnsw, exact: Exact, queries: np.ndarray, groups: np.ndarray) -> list[Row]:
    """Random shares, and the folders of the data sets: real categories, whose neighbours are alike."""
    random = np.random.default_rng(0)
    n = len(groups)
    selections = {f"{share:g} at random": np.flatnonzero(random.random(n) < share) for share in (0.9, 0.5, 0.1, 0.01)}
    sizes = np.bincount(groups)
    order = np.argsort(-sizes)
    for part in (0.5, 0.1):
        kept = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]) / n, part)) + 1)]
        rows = np.flatnonzero(np.isin(groups, kept))
        selections[f"{len(rows) / n:.2f} by folder"] = rows
    found = []
    for name, rows in selections.items():
        where = Selection(None, rows)
        times = one_by_one(lambda q, w=where: ours.search(q, K, where=w), queries[:200])  # type: ignore[misc]
        truth = exact.search(queries, K, where=where).distances
        recall = ann_recall(ours.search(queries, K, where=where).distances, truth)
        found.append({"selection": name, "ann_recall_at_10": round(float(recall.mean()), 4), **speed("", times)})
    return found


def one_by_one(search: Callable[[np.ndarray], Any], queries: np.ndarray) -> np.ndarray:
    return np.array([seconds(lambda q=q: search(q)) for q in queries])  # type: ignore[misc]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(results: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "search.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    lines = [
        "# Search beside bare loops",
        "",
        f"{results['vectors']:,} × {DIM} vectors of picture patches, cosine.",
        "",
    ]
    for name in ("build", "hnsw", "exact", "filtered"):
        rows = results[name] if isinstance(results[name], list) else [results[name]]
        lines += [f"## {name}", "", *table(rows), ""]
    (RESULTS / "search.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
