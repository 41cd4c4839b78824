"""A source proposes candidates for a query and measures rows against it: a space, or anything else that ranks items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from nitari.errors import ConfigError
from nitari.filters import Selection
from nitari.index import SearchResult
from nitari.recommend.calibration import Calibration
from nitari.recommend.scoring import combine
from nitari.space import Space, Vectors


@dataclass(frozen=True)
class Encoded:
    """A picture that was encoded elsewhere: ``vectors`` by space, each (width,) and final."""

    vectors: Mapping[str, np.ndarray]


Picture = np.ndarray | bytes | Encoded
"""(H, W, 3) uint8 upright RGB, the bytes of a picture file, or its vectors."""
Encode = Callable[[str, Sequence[np.ndarray | bytes]], np.ndarray]
"""(space name, n pictures) -> (n, width) final vectors of that space."""


_BLOCK = 16_384  # vectors that are measured at once


class Seeds(NamedTuple):
    """What is asked with: ``entries`` are catalog rows, or pictures; ``weights`` (n,) below 0 are to be avoided."""

    entries: tuple[int | Picture, ...]
    weights: np.ndarray


@runtime_checkable
class Source(Protocol):
    """Thread-safe. What ``query`` returns is opaque to everybody else."""

    name: str

    def query(self, seeds: Seeds) -> Any: ...

    def candidates(self, query: Any, k: int, where: Selection | None = None) -> np.ndarray:
        """(m,) distinct rows, best first, min(k, rows that ``where`` admits) at most."""
        ...

    def measure(self, query: Any, rows: np.ndarray) -> np.ndarray:
        """(n,) of what the source itself compares by, shown beside the similarity: distances, for example."""
        ...

    def similarity(self, measured: np.ndarray) -> np.ndarray:
        """What ``measure`` gave -> float64 similarities on the scale of ``Calibration``: 1 the same, 0 unrelated."""
        ...


class Search(Protocol):
    """What of an ``Index`` is needed here."""

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult: ...


@runtime_checkable
class Proposing(Protocol):
    """An index that can do with less care."""

    def propose(
        self, query: np.ndarray, k: int, care: float = 1.0, *, where: Selection | None = None
    ) -> np.ndarray: ...


class SpaceSource:
    """Vectors with their index."""

    def __init__(
        self, space: Space, vectors: Vectors, index: Search, calibration: Calibration, encode: Encode | None = None
    ) -> None:
        self.name = space.name
        self.space = space
        self.all = np.asarray(vectors) if isinstance(vectors, np.ndarray) else vectors  # a memory map is slower to ask
        self.index = index
        self._proposing = index if isinstance(index, Proposing) else None
        self.calibration = calibration
        self._encode = encode

    def query(self, seeds: Seeds) -> np.ndarray:
        """(width,): stored vectors of rows and fresh ones of pictures, combined."""
        return combine(self.space, self.vectors(seeds.entries), seeds.weights)

    def vectors(self, entries: Sequence[int | Picture]) -> np.ndarray:
        """(n, width), ready to compare. ConfigError for pictures where there is no encoder."""
        pictures = [entry for entry in entries if isinstance(entry, np.ndarray | bytes)]
        if pictures and self._encode is None:
            raise ConfigError("This recommender cannot encode pictures. Open it with encode=…, or give item ids")
        fresh = iter(self._encode(self.name, pictures)) if pictures and self._encode else iter(())
        return self.space.check(
            np.stack([next(fresh) if isinstance(e, np.ndarray | bytes) else self._vector(e) for e in entries])
        )

    def _vector(self, entry: int | Encoded) -> np.ndarray:
        if isinstance(entry, int):
            return self.all[entry]
        if self.name not in entry.vectors:
            raise ConfigError(f"A picture came without its vector of space '{self.name}'. Encode it in all that count")
        return entry.vectors[self.name]

    def candidates(self, query: np.ndarray, k: int, where: Selection | None = None) -> np.ndarray:
        rows = self.index.search(query, k, where=where).rows[0]
        return rows[rows >= 0]

    def propose(self, query: np.ndarray, k: int, care: float, where: Selection | None = None) -> np.ndarray:
        """As ``candidates``, found with no more ``care`` than that, for who measures them anyway, beside others: 1 where as much
        depends on this source as on the others.
        """
        if self._proposing is None:
            return self.candidates(query, k, where)
        rows = self._proposing.propose(query, k, care, where=where)
        if len(rows) > k:  # what was added is proposed beside them, however far it is
            rows = rows[np.argsort(self.measure(query, rows), kind="stable")[:k]]
        return rows

    def measure(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return self._blockwise(rows, lambda part: self.space.precise(query, self.all[part]))

    def apart(self, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(m, width) as ``Space.check`` returns them -> (n,) the distance of each row to the nearest of them."""
        return self._blockwise(rows, lambda part: self.space.distances(vectors, self.stored(part)).min(axis=0))

    def similarity(self, measured: np.ndarray) -> np.ndarray:
        return self.calibration(measured)

    def stored(self, rows: np.ndarray) -> np.ndarray:
        """(n, width) vectors of rows, ready to compare."""
        return self.space.check(self.all[rows])

    def _blockwise(self, rows: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        if len(rows) <= _BLOCK:
            return of(rows)
        return np.concatenate([of(rows[start : start + _BLOCK]) for start in range(0, len(rows), _BLOCK)])
