"""The capacity model: what n pictures take, fitted to measured runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

QUANTITIES = {"seconds": "s", "core_seconds": "s", "peak_mb": "MB", "main_mb": "MB", "disk_mb": "MB"}

TIMES = ("seconds", "core_seconds")


@dataclass(frozen=True)
class Line:
    """``fixed + per_million * n / 1e6``, for n log n times log n over log 1e6: both are from 0 on."""

    fixed: float
    per_million: float
    logarithmic: bool

    def at(self, n: float) -> float:
        return self.fixed + self.per_million * float(_grown(np.array([n]), self.logarithmic)[0])


def fit(sizes: list[int], values: list[float], logarithmic: bool = False) -> Line:
    n = np.array(sizes, float)
    fixed, slope = solved(np.stack([np.ones(len(n)), _grown(n, logarithmic)], axis=1), values)
    return Line(fixed, slope, logarithmic)


def solved(terms: np.ndarray, values: Sequence[float]) -> list[float]:
    """(n, m) and (n,) -> (m,) factors from 0 on: least squares of relative errors, so that the smallest counts as much as the
    largest.
    """
    design = terms / np.maximum(np.array(values, float), 1e-3)[:, None]
    best, error = np.zeros(terms.shape[1]), np.inf
    for kept in product([True, False], repeat=terms.shape[1]):  # of non-negative solutions the best one
        columns = np.flatnonzero(kept)
        solution = np.zeros(terms.shape[1])
        if len(columns):
            solution[columns] = np.linalg.lstsq(design[:, columns], np.ones(len(design)), rcond=None)[0]
        apart = float(((design @ solution - 1) ** 2).sum())
        if (solution >= 0).all() and apart < error - 1e-12:
            best, error = solution, apart
    return [float(value) for value in best]


def model(results: dict[str, Any], below: int) -> dict[str, dict[str, Line]]:
    """Stage -> quantity -> line, from the runs of fewer than ``below`` pictures. Building a graph is taken as n log n."""
    runs = {int(name): stages for name, stages in results.items() if int(name) < below}
    found: dict[str, dict[str, Line]] = {}
    for stage in dict.fromkeys(name for stages in runs.values() for name in stages):
        for quantity in QUANTITIES:
            whole = {n: s for n, s in sorted(runs.items()) if stage != "total" or "vectors" not in s["extract"]}
            points = {n: s[stage][quantity] for n, s in whole.items() if quantity in s.get(stage, {})}
            if len(points) > 1:
                line = fit(list(points), list(points.values()), stage == "hnsw build" and quantity in TIMES)
                found.setdefault(stage, {})[quantity] = line
    return found


def _grown(n: np.ndarray, logarithmic: bool) -> np.ndarray:
    millions = n / 1e6
    return millions * np.log(n) / np.log(1e6) if logarithmic else millions
