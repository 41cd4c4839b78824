"""Postings: tables that list the rows of each key, in two arrays that are saved, verified and memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from nitari.errors import DamagedArtifactError
from nitari.files import sha256_of
from nitari.space import Space

FILES = ("starts", "rows")
MAX_ROWS = 2**32 - 1


class Postings:
    """``sizes[t]`` keys in table t, and each of the n rows once in every table, ascending within its key."""

    def __init__(self, sizes: Sequence[int], starts: np.ndarray, rows: np.ndarray) -> None:
        self.starts = starts  # (sum of sizes + 1 a table,) uint32, from 0 in each table
        self.rows = rows  # (tables, n) uint32
        self._first = np.concatenate([[0], np.cumsum(np.array(sizes, np.int64) + 1)[:-1]])
        self._flat = rows.reshape(-1)

    @classmethod
    def of(cls, sizes: Sequence[int], keys: np.ndarray) -> Self:
        """From the (tables, n) uint32 keys of the rows in each table, in whose place the rows are then written."""
        starts = np.zeros(sum(sizes) + len(sizes), np.uint32)
        order = np.arange(keys.shape[1], dtype=np.uint64)
        first = 0
        for key, size in zip(keys, sizes, strict=True):
            np.cumsum(np.bincount(key, minlength=size), out=starts[first + 1 : first + 1 + size])
            key[:] = np.sort(key.astype(np.uint64) << np.uint64(32) | order)  # the lower half is kept
            first += size + 1
        return cls(sizes, starts, keys)

    def find(self, tables: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(p,) tables and (p,) keys -> where their rows start, and how many there are: (p,) int64 each."""
        at = self._first[tables] + keys
        start, stop = self.starts[at].astype(np.int64), self.starts[at + 1].astype(np.int64)
        return start + tables * self.rows.shape[1], stop - start

    def take(self, start: np.ndarray, count: np.ndarray) -> np.ndarray:
        """The rows that ``find`` found, those of one key after those of another, repetitions included: int64."""
        some = count > 0
        start, count = start[some], count[some]
        last = np.cumsum(count)
        return self._flat[np.repeat(start - last + count, count) + np.arange(last[-1] if len(last) else 0)].astype(
            np.int64
        )

    def save(self, path: Path) -> dict[str, str]:
        """Write both arrays under ``path``; returns the sha256 of each file."""
        digests = {}
        for name in FILES:
            np.save(path / f"{name}.npy", getattr(self, name))
            digests[name] = sha256_of(path / f"{name}.npy")
        return digests

    @classmethod
    def load(cls, path: Path, space: Space, sizes: Sequence[int], digests: Mapping[str, str]) -> Self:
        """Memory-map what ``save`` wrote; raises DamagedArtifactError unless each file is what it was."""
        arrays = []
        for name in FILES:
            file = path / f"{name}.npy"
            found = sha256_of(file) if file.is_file() else "nothing"
            if found != digests[name]:
                raise DamagedArtifactError(
                    f"The index of space '{space.name}' is damaged: '{file.name}' has sha256 {found[:12]}…, not "
                    f"{digests[name][:12]}…. It was not loaded. Renew it with: nitari build collection=…"
                )
            arrays.append(np.asarray(np.load(file, mmap_mode="r", allow_pickle=False)))
        return cls(sizes, *arrays)
