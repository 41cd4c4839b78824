"""Scoring: how much each source counts, how several pictures become one query, and how similarities become a score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nitari import guess
from nitari.errors import ConfigError
from nitari.space import Space

_RANK = 60  # added to every rank: how much less the first ones count


def check_weights(weights: Mapping[str, float], spaces: Iterable[str]) -> dict[str, float]:
    """The weights that count, by space. ConfigError on unknown spaces, negative or non-finite numbers, and only zeros."""
    known = list(spaces)
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise ConfigError(guess.unknown("weights names the space", unknown[0], known, "This release has"))
    if not all(np.isfinite(value) and value >= 0 for value in weights.values()) or not any(weights.values()):
        raise ConfigError(f"weights are {dict(weights)}. None may be below 0, and one must be above it")
    return {name: float(value) for name, value in weights.items() if value}


def combine(space: Space, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, width) as ``space.check`` returns them and (n,) weights -> (width,), their weighted mean, as a query.

    Weights below 0 move the query away from a vector: Rocchio, "Relevance feedback in information retrieval" (1971).
    All are divided by the sum of those above 0. Unit norm again in cosine; in hamming each bit is what the weighted
    majority has, and 1 where they are even.
    """
    if len(vectors) == 1:
        return np.asarray(vectors[0])
    shares = weights / weights[weights > 0].sum()
    if space.metric == "hamming":
        return np.packbits(shares @ (np.unpackbits(vectors, axis=1) - 0.5) >= 0)
    mean = shares @ vectors.astype(np.float64)
    if space.metric != "cosine":  # places, not directions: away from the disliked, beginning at the liked
        liked = np.maximum(shares, 0.0) @ vectors.astype(np.float64)
        mean += np.maximum(-shares, 0.0).sum() * liked
    return np.asarray(space.check(mean)[0])


def weighted(similarities: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Similarities (n,) by source -> (n,) float64 weighted means: 1 for an item that is the query in every source."""
    total = sum(weights.values())
    return np.asarray(sum(weights[name] / total * similarities[name].astype(np.float64) for name in weights))


def reciprocal(ranks: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Ranks (n,) from 1 by source -> (n,) weighted means of 61 / (60 + rank): 1 for what every source has first.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods"
    (SIGIR 2009), scaled.
    """
    total = sum(weights.values())
    return np.asarray(sum(weights[name] / total * (_RANK + 1) / (_RANK + ranks[name]) for name in weights))


def ranks(similarities: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """(n,) similarities -> (n,) int64 ranks from 1; equal ones by ``order`` (n,), that of their item ids, or as they stand."""
    found = np.empty(len(similarities), np.int64)
    best = np.argsort(-similarities, kind="stable") if order is None else np.lexsort((order, -similarities))
    found[best] = np.arange(1, len(similarities) + 1)
    return found
