"""Engines: approximate search by a native library, and no more. What every index needs besides is in ``planned``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from nitari.space import Vectors


class Engine(Protocol):
    """Approximate search over vectors numbered from 0, by a native library.

    ``ranked``: candidates are in the order of their true distances; otherwise they are put in it, and may be many more
    than asked for.
    """

    ranked: bool

    def build(self, vectors: Vectors) -> None: ...

    def candidates(self, queries: np.ndarray, fetch: int, effort: int) -> list[np.ndarray]:
        """Up to ``fetch`` numbers a query, nearest first; ``effort`` is what the index's ``sweep`` names."""
        ...

    def cost(self, fetch: int, effort: int) -> float:
        """Of one query, in vectors read in passing."""
        ...

    def save(self, path: Path, stem: str) -> list[str]:
        """Write files under ``path`` whose names begin with ``stem``; returns the names."""
        ...

    def load(self, path: Path, stem: str) -> None:
        """Open files that were verified."""
        ...


@runtime_checkable
class Proposing(Protocol):
    """An engine that can do with less effort than it was tuned to, where candidates are compared with others anyway."""

    def propose(self, query: np.ndarray, fetch: int, effort: int) -> np.ndarray:
        """(width,) -> up to ``fetch`` numbers, with the ``effort`` of ``candidates``."""
        ...
