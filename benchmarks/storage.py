"""What vectors in fewer bits cost: bytes, a scan's time, and the neighbours lost, with and without comparing again in float32.

    .venv/bin/python -m benchmarks.storage ROOT COLLECTION

Over the vectors of a collection's encoder, as they lie there, memory-mapped. ``half`` are they in 16 bits; ``int8`` are the
codes of ``nitari.index.codes``. An exact scan reads codes where they are, and looks again at all that their error leaves in
question, so that its recall is 1; ``alone`` is what the codes by themselves would say, ``again`` what comparing their best
100 in float32 makes of it. Part of benchmarks/scale.py.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.index.codes import Codes
from nitari.index.scan import Scan
from nitari.space import Space

QUERIES, K, AGAIN, BLOCK = 100, 10, 100, 1 << 18


def measure(collection: Collection, name: str = "encoder") -> dict[str, Any]:
    """Bytes a vector, p50 of a scan of all for one query on one core, and recall@10 of every way to store them."""
    with threadpool_limits(1, user_api="blas"):
        return _measured(collection, name)


def _measured(collection: Collection, name: str) -> dict[str, Any]:
    embeddings = Embeddings(collection.latest("embeddings", name))
    space, vectors = embeddings.space, embeddings.vectors
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), min(QUERIES, len(vectors)), replace=False))
    queries = space.check(np.asarray(vectors[rows], np.float32))
    exact = Scan(space, vectors, unit=True)
    codes = Codes.of(space, vectors)
    with tempfile.TemporaryDirectory(dir=collection.path) as folder:
        half = _half(vectors, Path(folder) / "half.npy")
        coded = Scan(space, half, unit=False, codes=codes, origin=vectors)
        ways: dict[str, tuple[float, Callable[[np.ndarray], list[np.ndarray]]]] = {
            "float32": (4, lambda q: _rows(exact.nearest(q, K))),
            "half, alone": (2, lambda q: _rows(Scan(space, half, unit=False).nearest(q, K))),
            "int8, alone": (1, lambda q: [near[:K] for near in _nearest(codes, q)]),
            "int8, again": (
                5,
                lambda q: [_again(space, vectors, x, near) for x, near in zip(q, _nearest(codes, q), strict=True)],
            ),
            "int8, again where in question": (5, lambda q: _rows(coded.nearest(q, K))),
        }
        truth = ways["float32"][1](queries)
        found = {}
        for way, (size, search) in ways.items():
            hits = np.mean([len(np.intersect1d(a, b)) for a, b in zip(search(queries), truth, strict=True)]) / K
            times = []
            for query in queries[:20]:
                start = time.perf_counter()
                search(query[None])
                times.append((time.perf_counter() - start) * 1000)
            found[way] = {
                "bytes": size * space.dim,
                "scan_ms": round(float(np.median(times)), 2),
                "recall_at_10": round(float(hits), 4),
            }
    return {"queries": len(rows), "ways": found}


def _half(vectors: np.ndarray, file: Path) -> np.ndarray:
    stored = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=vectors.shape)
    for start in range(0, len(vectors), BLOCK):
        stored[start : start + BLOCK] = vectors[start : start + BLOCK]
    stored.flush()
    return np.load(file, mmap_mode="r", allow_pickle=False)


def _rows(found: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    return [rows for rows, _ in found]


def _nearest(codes: Codes, queries: np.ndarray) -> list[np.ndarray]:
    """The ``AGAIN`` nearest rows of each query by their codes, nearest first."""
    kept = [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
    for start in range(0, len(codes), BLOCK):
        distances = codes.distances(queries, slice(start, min(start + BLOCK, len(codes))))
        for i, one in enumerate(distances):
            near = np.argpartition(one, min(AGAIN, len(one) - 1))[:AGAIN]
            rows, apart = np.concatenate([kept[i][0], near + start]), np.concatenate([kept[i][1], one[near]])
            order = np.argsort(apart, kind="stable")[:AGAIN]
            kept[i] = rows[order], apart[order]
    return [rows for rows, _ in kept]


def _again(space: Space, vectors: np.ndarray, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows[np.argsort(space.precise(query, vectors[rows]), kind="stable")[:K]])


if __name__ == "__main__":
    print(json.dumps(measure(Collection(Path(sys.argv[1]), sys.argv[2])), indent=1))
