"""How well and how fast an index searches, and the smallest search effort that reaches the recall asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from nitari.index import Index, SearchResult, Widening
from nitari.index.exact import Exact

_EQUAL = 1e-6  # distances that differ by less are the same: ties are no misses


class Measured(NamedTuple):
    """``recall`` (q,) per query. Latencies of single queries in µs; ``queries_per_second`` of one batch."""

    recall: np.ndarray
    p50: float
    p99: float
    queries_per_second: float

    def summary(self, k: int, seed: int) -> dict[str, Any]:
        """For a manifest: ``ann_recall_at_k`` as {value, low, high, queries}, and the latencies."""
        low, high = interval(self.recall, seed)
        return {
            f"ann_recall_at_{k}": {
                "value": round(float(self.recall.mean()), 6),
                "low": round(low, 6),
                "high": round(high, 6),
                "queries": len(self.recall),
            },
            "p50_us": round(self.p50, 1),
            "p99_us": round(self.p99, 1),
            "queries_per_second": round(self.queries_per_second, 1),
        }


def tune(index: Index, vectors: np.ndarray, *, k: int, target: float, queries: int, seed: int) -> Measured | None:
    """Set the index's query-time knob to the smallest value of its sweep whose ``ann_recall_at_k`` reaches ``target``.

    Reaches: the low end of the 95% interval does, so that the promise holds beyond these queries. Where no value does, an
    index that can be widened is, to the first width at which one does; else the largest stay. Queries are stored vectors drawn
    by ``seed``, each searched without itself: new pictures that resemble nothing stored may do a little worse. None
    where there are too few vectors to measure anything.
    """
    n = len(vectors)
    k = min(k, n - 1)
    if k < 1:
        return None
    rows = np.sort(np.random.default_rng(seed).choice(n, min(queries, n), replace=False))
    asked = index.space.check(np.asarray(vectors[rows]))
    oracle = Exact(index.space)
    oracle.build(vectors)
    truth = without_self(oracle.search(asked, k + 1), rows).distances
    for _ in _efforts(index):
        recall = ann_recall(without_self(index.search(asked, k + 1), rows).distances, truth)
        if interval(recall, seed)[0] >= target:
            break
    return Measured(recall, *_speed(index, asked, k))


def _efforts(index: Index) -> Iterator[None]:
    """Every effort that an index is tuned to, in order: its sweep, and again at each greater width."""
    width, widths = index.wider if isinstance(index, Widening) else ("", ())
    knob, values = index.sweep or ("", (0,))
    for wide in (None, *(wide for wide in widths if wide > getattr(index, width))):
        if wide is not None:
            setattr(index, width, wide)
        for value in values:
            if knob:
                setattr(index, knob, value)
            yield


def ann_recall(distances: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(q, k) distances found and true ones -> (q,) share of results no farther than the true k-th, ties included.

    As ann-benchmarks counts: Aumüller, Bernhardsson and Faithfull, "ANN-Benchmarks" (2018), with distances computed
    from the vectors, not as the index claims them.
    """
    return np.asarray((distances <= truth[:, -1:] + _EQUAL * np.maximum(1.0, truth[:, -1:])).mean(axis=1))


def without_self(result: SearchResult, rows: np.ndarray) -> SearchResult:
    """Take each query's own row out of its k + 1 results, or the last one where it is not among them."""
    own = result.rows == rows[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), result.rows.shape[1] - 1)
    return SearchResult(result.rows[~own].reshape(shape), result.distances[~own].reshape(shape))


def interval(values: np.ndarray, seed: int = 0, resamples: int = 1000) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean (Efron, 1979)."""
    random = np.random.default_rng(seed)
    means = values[random.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _speed(index: Index, queries: np.ndarray, k: int) -> tuple[float, float, float]:
    seconds = []
    for query in queries[:500]:
        start = time.perf_counter()
        index.search(query, k)
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    index.search(queries, k)
    rate = len(queries) / (time.perf_counter() - start)
    return float(np.percentile(seconds, 50)) * 1e6, float(np.percentile(seconds, 99)) * 1e6, rate
