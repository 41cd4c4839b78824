"""How much of the exact answer an index finds, and how long it takes: kept apart from whether the answer is relevant."""

from __future__ import annotations

import time

import numpy as np

from nitari.evaluation.metrics import latency
from nitari.evaluation.ranking import TOLERANCE, nearest
from nitari.index import Index
from nitari.space import Space


def ann_recall(index: Index, space: Space, vectors: np.ndarray, queries: np.ndarray, k: int = 10) -> np.ndarray:
    """(q,) share of the k results that are as near as the k-th exact one, by distances computed again here.

    As in Aumüller, Bernhardsson and Faithfull, "ANN-Benchmarks" (2018): ties with the k-th are as good as it.
    """
    _, exact = nearest(space, queries, vectors, np.arange(len(vectors)), k)
    k = min(k, len(vectors))
    limit = exact[:, k - 1] + TOLERANCE * np.maximum(1, exact[:, k - 1])
    found = index.search(queries, k).rows
    recall = np.empty(len(queries))
    for at, query in enumerate(space.check(queries)):
        rows = np.unique(found[at][found[at] >= 0])
        near = space.distances(query[None], space.check(vectors[rows]))[0] <= limit[at] if len(rows) else np.empty(0)
        recall[at] = near.sum() / k
    return recall


def search_latency(index: Index, queries: np.ndarray, k: int = 10, limit: int = 200) -> dict[str, float]:
    """Percentiles of single searches in milliseconds, after one that does not count."""
    index.search(queries[:1], k)
    seconds = []
    for query in queries[:limit]:
        start = time.perf_counter()
        index.search(query[None], k)
        seconds.append(time.perf_counter() - start)
    return latency(np.array(seconds))
