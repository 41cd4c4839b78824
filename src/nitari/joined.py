"""Two arrays as one: what was stored, and what came later."""

from __future__ import annotations

from typing import Any

import numpy as np


class Joined:
    """Rows of ``stored`` and then those of ``added``, read by row or by rows; neither is copied."""

    def __init__(self, stored: np.ndarray | Joined, added: np.ndarray) -> None:
        self._stored: Any = stored
        self._added = added

    def __len__(self) -> int:
        return len(self._stored) + len(self._added)

    def __getitem__(self, rows: int | np.integer | slice | np.ndarray) -> np.ndarray:
        n = len(self._stored)
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        if isinstance(rows, int | np.integer):
            rows = rows if rows >= 0 else rows + len(self)
            return np.asarray(self._stored[rows] if rows < n else self._added[rows - n])
        late = rows >= n
        if not late.any():
            return np.asarray(self._stored[rows], self._added.dtype)
        found = np.empty((len(rows), *self._added.shape[1:]), self._added.dtype)
        found[~late] = self._stored[rows[~late]]
        found[late] = self._added[rows[late] - n]
        return found
