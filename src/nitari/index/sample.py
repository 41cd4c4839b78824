"""A sample of the vectors: it tells an answer that missed a whole neighbourhood, as graphs do where clusters lie far apart."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nitari.index.scan import Scan

_ROWS = 2048
_ROUNDING = 1e-4  # of a distance in float32


class Sample:
    """Rows drawn once; their vectors are read by the first question."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan

    @cached_property
    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        n = len(self._scan)
        rows = np.sort(np.random.default_rng(0).choice(n, min(_ROWS, n), replace=False))
        return rows, self._scan.taken(rows)

    def knows_nearer(self, query: np.ndarray, rows: np.ndarray, distances: np.ndarray, mask: np.ndarray | None) -> bool:
        """Whether an admitted row is nearer than the last of ``rows`` (k,), and not one of them: what was missed for sure.

        An answer that lacks m of n rows is seen with probability 1 - (1 - m / n)^2048.
        """
        drawn, vectors = self._drawn
        apart = self._scan.space.distances(query[None], vectors)[0]
        nearer = apart < distances[-1] - _ROUNDING * max(1.0, float(distances[-1]))
        if mask is not None:
            nearer &= mask[drawn]
        return bool(nearer.any()) and not np.isin(drawn[nearer], rows).all()
