"""Diversity: results that are good answers and not all the same one."""

from __future__ import annotations

import numpy as np


def maximal_marginal_relevance(
    scores: np.ndarray, similarities: np.ndarray, shown: np.ndarray, diversity: float, k: int
) -> np.ndarray:
    """(min(k, n),) positions, chosen one by one: the greatest (1 - diversity) score - diversity (greatest similarity to
    what was chosen or shown before). Equal ones in the order they stand.

    ``scores`` (n,), ``similarities`` (n, n) of each with each, ``shown`` (n,) the greatest with anything shown before,
    -inf where nothing was. The values of those chosen never rise: Carbonell and Goldstein, "The use of MMR,
    diversity-based reranking" (SIGIR 1998).
    """
    nearest = shown.astype(np.float64)
    left = np.ones(len(scores), bool)
    chosen = []
    for _ in range(min(k, len(scores))):
        cost = np.where(np.isinf(nearest), 0.0, nearest)
        value = np.where(left, (1 - diversity) * scores - diversity * cost, -np.inf)
        best = int(value.argmax())
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, similarities[best])
    return np.array(chosen, np.int64)
