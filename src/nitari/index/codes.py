"""Codes: vectors in 8 bits a number, a first look at few of many that never loses a neighbour."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Self

import numpy as np

from nitari.errors import DamagedArtifactError
from nitari.space import Space, unit

METRICS = ("cosine", "l2")
_ROWS = 1024  # converted together: they stay in the cache
_BLOCK = 8192  # encoded together


class Codes:
    """``values`` (n, dim) int8 times ``scale`` (dim,) are the vectors, of unit norm in cosine, up to ``error`` in length.

    Reading a quarter of the bytes is what makes it pay: rows picked here and there cost half of what their float32 do.
    Distances are off by at most ``error``, so that whatever may be among the nearest can be looked at again.
    """

    def __init__(self, space: Space, values: np.ndarray, scale: np.ndarray, error: float, squares: np.ndarray) -> None:
        self.space = space
        self.values = values
        self.scale = scale
        self.error = error
        self.squares = squares  # (n,) float32 squared norms of what is decoded; (0,) in cosine
        self._buffers = threading.local()

    @classmethod
    def of(cls, space: Space, vectors: np.ndarray) -> Self:
        """Encode (n, dim) vectors, each number by its column's largest."""
        largest = np.zeros(space.dim, np.float32)
        for start in range(0, len(vectors), _BLOCK):
            np.maximum(largest, np.abs(floats(space, vectors[start : start + _BLOCK])).max(axis=0), out=largest)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        values = np.empty((len(vectors), space.dim), np.int8)
        squares = np.empty(len(vectors) if space.metric == "l2" else 0, np.float32)
        error = 0.0
        for start in range(0, len(vectors), _BLOCK):
            block = floats(space, vectors[start : start + _BLOCK])
            here = slice(start, start + len(block))
            values[here] = np.rint(block / scale)
            decoded = values[here] * scale
            error = max(error, float(np.sqrt(((block - decoded).astype(np.float64) ** 2).sum(axis=1).max())))
            if len(squares):
                squares[here] = (decoded.astype(np.float64) ** 2).sum(axis=1)
        return cls(space, values, scale, error, squares)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray | slice) -> Codes:
        """The codes of some rows: a view of a slice, else a copy."""
        squares = self.squares[rows] if len(self.squares) else self.squares
        return Codes(self.space, self.values[rows], self.scale, self.error, squares)

    def distances(self, queries: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """(q, dim) as ``Space.check`` returns them -> (q, rows) float32, each within ``error`` of the true distance."""
        scaled = queries * self.scale
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        out = np.empty((len(queries), count), np.float32)
        codes, floats = self._room()
        for start in range(0, count, _ROWS):
            here = slice(start, min(start + _ROWS, count))
            size = here.stop - start
            if isinstance(rows, slice):
                block = self.values[rows.start + start : rows.start + here.stop]
            else:
                block = codes[:size]
                np.take(self.values, rows[here], axis=0, out=block, mode="clip")
            floats[:size] = block
            np.matmul(scaled, floats[:size].T, out=out[:, here])
        if self.space.metric == "cosine":
            return np.subtract(1.0, out, out=out)
        norms = np.einsum("ij,ij->i", queries, queries)[:, None]
        return np.sqrt(np.maximum(norms + self.squares[rows] - 2.0 * out, 0.0))

    def save(self, path: Path, stem: str) -> dict[str, Any]:
        for name in ("values", "scale", "squares"):
            np.save(path / f"{stem}.{name}.npy", getattr(self, name))
        return {"error": self.error}

    @classmethod
    def load(cls, path: Path, stem: str, space: Space, count: int, parameters: dict[str, Any]) -> Self:
        """Memory-mapped; raises DamagedArtifactError where they are of another shape."""
        values, scale, squares = (
            np.load(path / f"{stem}.{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("values", "scale", "squares")
        )
        if values.shape != (count, space.dim) or values.dtype != np.int8 or scale.shape != (space.dim,):
            raise DamagedArtifactError(
                f"The index of space '{space.name}' holds codes {values.dtype} {values.shape} where {count} of dim "
                f"{space.dim} belong. It was not loaded. Renew it with: nitari build collection=…"
            )
        return cls(space, values, np.array(scale), float(parameters["error"]), squares)

    def _room(self) -> tuple[np.ndarray, np.ndarray]:
        """This thread's buffers: (rows, dim) int8 and float32."""
        if not hasattr(self._buffers, "both"):
            shape = (_ROWS, self.space.dim)
            self._buffers.both = np.empty(shape, np.int8), np.empty(shape, np.float32)
        both: tuple[np.ndarray, np.ndarray] = self._buffers.both
        return both


def floats(space: Space, block: np.ndarray) -> np.ndarray:
    """(n, width) float32, as they are compared: of unit norm in cosine."""
    block = np.asarray(block, np.float32)
    return unit(block) if space.metric == "cosine" else block
