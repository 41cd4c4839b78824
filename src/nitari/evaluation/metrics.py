"""Relevance metrics, one value a query, and the intervals of their means.

All take ``relevant`` (q, depth) bool, the results of each query from the nearest on, and ``total`` (q,), how many
relevant items the gallery holds for each; both as Manning, Raghavan and Schütze, "Introduction to Information
Retrieval" (2008), chapter 8, define them. A query without any relevant item has no recall: leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypedDict

import numpy as np


class Estimate(TypedDict):
    """A mean over ``queries`` with its 95% interval."""

    value: float
    low: float
    high: float
    queries: int


def precision_at(relevant: np.ndarray, total: np.ndarray, k: int) -> np.ndarray:
    """(q,) relevant among the first k, over k; a gallery of fewer than k items counts as misses."""
    return np.asarray(relevant[:, :k].sum(axis=1) / k)


def recall_at(relevant: np.ndarray, total: np.ndarray, k: int) -> np.ndarray:
    """(q,) found among the first k, over all relevant."""
    return np.asarray(relevant[:, :k].sum(axis=1) / total)


def hit_at(relevant: np.ndarray, total: np.ndarray, k: int) -> np.ndarray:
    """(q,) 1 where any of the first k is relevant."""
    return np.asarray(relevant[:, :k].any(axis=1), np.float64)


def average_precision_at(relevant: np.ndarray, total: np.ndarray, k: int) -> np.ndarray:
    """(q,) the precision at the rank of each relevant result among the first k, summed, over min(k, total)."""
    relevant = relevant[:, :k]
    precision = relevant.cumsum(axis=1) / np.arange(1, relevant.shape[1] + 1)
    return np.asarray((precision * relevant).sum(axis=1) / np.minimum(total, k))


def ndcg_at(relevant: np.ndarray, total: np.ndarray, k: int) -> np.ndarray:
    """(q,) discounted cumulative gain of the first k over that of a perfect ranking; gains are 0 or 1.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (TOIS 2002).
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    relevant = relevant[:, :k]
    ideal = discount.cumsum()[np.minimum(total, k).astype(np.int64) - 1]
    return np.asarray(relevant @ discount[: relevant.shape[1]] / ideal)


METRICS: Mapping[str, tuple[Callable[[np.ndarray, np.ndarray, int], np.ndarray], int]] = MappingProxyType(
    {
        "precision_at_1": (precision_at, 1),
        "precision_at_10": (precision_at, 10),
        "recall_at_10": (recall_at, 10),
        "hit_at_10": (hit_at, 10),
        "map_at_100": (average_precision_at, 100),
        "ndcg_at_10": (ndcg_at, 10),
    }
)
DEPTH = 100
"""Results a query that the metrics look at."""
CURVE = (1, 2, 5, 10, 20, 50, 100)
"""Depths of a recall curve."""


def measure(relevant: np.ndarray, total: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric of ``METRICS``, (q,) float64 each."""
    return {name: metric(relevant, total, k) for name, (metric, k) in METRICS.items()}


def estimate(values: Mapping[str, np.ndarray], *, seed: int = 0, resamples: int = 1000) -> dict[str, Estimate]:
    """Means of (q,) values with percentile bootstrap intervals, all from the same resamples of the queries.

    Efron, "Bootstrap methods: another look at the jackknife" (Annals of Statistics, 1979). Raises ValueError without
    queries.
    """
    names = list(values)
    table = np.stack([np.asarray(values[name], np.float64) for name in names], axis=1)  # (q, metrics)
    queries = len(table)
    if not queries:
        raise ValueError("There are no queries to take a mean of")
    random = np.random.default_rng(seed)
    step = max(1, 4_000_000 // queries)
    means = np.concatenate(
        [
            random.multinomial(queries, np.full(queries, 1 / queries), size=min(step, resamples - start))
            @ table
            / queries
            for start in range(0, resamples, step)
        ]
    )
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    value = table.mean(axis=0)
    return {
        name: Estimate(
            value=float(value[i]), low=float(min(low[i], value[i])), high=float(max(high[i], value[i])), queries=queries
        )
        for i, name in enumerate(names)
    }


def latency(seconds: np.ndarray) -> dict[str, float]:
    """Percentiles of single queries, in milliseconds."""
    return {f"p{p}": float(np.percentile(seconds, p) * 1000) for p in (50, 95, 99)}
