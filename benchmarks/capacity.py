"""The capacity model: what n pictures take, fitted to measured runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

QUANTITIES = {"seconds": "s", "core_seconds": "s", "peak_mb": "MB", "disk_mb": "MB"}


@dataclass(frozen=True)
class Line:
    """``fixed + per_million * n / 1e6``, for n log n times log n over log 1e6: both are from 0 on."""

    fixed: float
    per_million: float
    logarithmic: bool

    def at(self, n: float) -> float:
        return self.fixed + self.per_million * float(_grown(np.array([n]), self.logarithmic)[0])


def fit(sizes: list[int], values: list[float], logarithmic: bool = False) -> Line:
    """Least squares of relative errors, so that the smallest run counts as much as the largest."""
    n, y = np.array(sizes, float), np.maximum(np.array(values, float), 1e-3)
    design = np.stack([np.ones(len(n)), _grown(n, logarithmic)], axis=1) / y[:, None]
    best, error = np.zeros(2), np.inf
    for columns in ([0, 1], [0], [1]):  # of non-negative solutions the best one
        solution = np.zeros(2)
        solution[columns] = np.linalg.lstsq(design[:, columns], np.ones(len(n)), rcond=None)[0]
        apart = float(((design @ solution - 1) ** 2).sum())
        if (solution >= 0).all() and apart < error - 1e-12:
            best, error = solution, apart
    return Line(float(best[0]), float(best[1]), logarithmic)


def model(results: dict[str, Any], below: int) -> dict[str, dict[str, Line]]:
    """Stage -> quantity -> line, from the runs of fewer than ``below`` pictures. Building a graph is taken as n log n."""
    runs = {int(name): stages for name, stages in results.items() if int(name) < below}
    found: dict[str, dict[str, Line]] = {}
    for stage in dict.fromkeys(name for stages in runs.values() for name in stages):
        for quantity in QUANTITIES:
            points = {n: s[stage][quantity] for n, s in sorted(runs.items()) if quantity in s.get(stage, {})}
            if len(points) > 1:
                line = fit(list(points), list(points.values()), stage == "hnsw build" and quantity == "seconds")
                found.setdefault(stage, {})[quantity] = line
    return found


def _grown(n: np.ndarray, logarithmic: bool) -> np.ndarray:
    millions = n / 1e6
    return millions * np.log(n) / np.log(1e6) if logarithmic else millions
