"""Scoring: how much each space counts, how several pictures become one query, and how similarities become a score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nitari.errors import ConfigError
from nitari.space import Space


def check_weights(weights: Mapping[str, float], spaces: Iterable[str]) -> dict[str, float]:
    """The weights that count, by space. ConfigError on unknown spaces, negative or non-finite numbers, and only zeros."""
    known = list(spaces)
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise ConfigError(f"weights names the space '{unknown[0]}'. This release has: {', '.join(known)}")
    if not all(np.isfinite(value) and value >= 0 for value in weights.values()) or not any(weights.values()):
        raise ConfigError(f"weights are {dict(weights)}. None may be below 0, and one must be above it")
    return {name: float(value) for name, value in weights.items() if value}


def combine(space: Space, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, width) as ``space.check`` returns them and (n,) weights -> (width,), their weighted mean, as a query.

    Unit norm again in cosine; in hamming each bit is what the weighted majority has, and 1 where they are even.
    """
    if len(vectors) == 1:
        return np.asarray(vectors[0])
    if space.metric == "hamming":
        shares = weights @ np.unpackbits(vectors, axis=1) / weights.sum()
        return np.packbits(shares >= 0.5)
    mean = (weights / weights.sum()) @ vectors.astype(np.float64)
    return np.asarray(space.check(mean)[0])


def score(similarities: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Similarities (n,) by space -> (n,) float64 weighted means: 1 for an item that is the query in every space."""
    total = sum(weights.values())
    return np.asarray(sum(weights[name] / total * similarities[name].astype(np.float64) for name in weights))
