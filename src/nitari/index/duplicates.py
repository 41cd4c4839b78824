"""Duplicates: equal vectors enter an engine once. A graph links them to one another and loses the way to everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nitari.index.planner import Engine, Vectors

_BLOCK = 65536


class Picked:
    """Some rows of vectors, read as they are asked for."""

    def __init__(self, vectors: Vectors, rows: np.ndarray) -> None:
        self._vectors = vectors
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        return np.asarray(self._vectors[self._rows[rows]])


class Groups(NamedTuple):
    """Rows with equal vectors: group i has ``members[starts[i]:starts[i + 1]]``, ascending; groups are by first row."""

    members: np.ndarray  # (n,) int32
    starts: np.ndarray  # (groups + 1,) int32


def find(vectors: Vectors) -> Groups | None:
    """Groups of rows that are equal byte for byte; None where no two are."""
    hashes = _hashes(vectors)
    order = np.argsort(hashes, kind="stable")
    new = np.diff(hashes[order], prepend=hashes[order[:1]] - np.uint64(1)) != 0
    same = np.flatnonzero(~new)
    for start in range(0, len(same), _BLOCK):  # equal hashes are not yet equal vectors
        at = same[start : start + _BLOCK]
        new[at] = (vectors[order[at]] != vectors[order[at - 1]]).any(axis=1)
    if new.all():
        return None
    starts = np.flatnonzero(new)
    place = np.empty(len(starts), np.int64)
    place[np.argsort(order[starts])] = np.arange(len(starts))
    group = place[np.cumsum(new) - 1]
    members = order[np.argsort(group, kind="stable")]
    sizes = np.bincount(group, minlength=len(starts))
    return Groups(members.astype(np.int32), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))


def _hashes(vectors: Vectors) -> np.ndarray:
    """(n,) uint64: a random linear hash of the bytes (Carter and Wegman, 1979)."""
    hashes = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), _BLOCK):
        block = np.ascontiguousarray(vectors[start : start + _BLOCK])
        words = block.view(f"u{block.dtype.itemsize}").astype(np.uint64)
        weights = np.random.default_rng(0).integers(0, 2**64, words.shape[1], np.uint64) | np.uint64(1)
        hashes[start : start + len(block)] = words @ weights
    return hashes


class Distinct:
    """An engine of the distinct vectors alone: what it gives stands for all that are equal to it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ranked = engine.ranked
        self._groups: Groups | None = None

    def build(self, vectors: Vectors) -> None:
        self._groups = find(vectors)
        if self._groups is None:
            self.engine.build(vectors)
        else:
            self.engine.build(Picked(vectors, self._groups.members[self._groups.starts[:-1]]))

    def candidates(self, queries: np.ndarray, fetch: int, effort: int) -> list[np.ndarray]:
        listed = self.engine.candidates(queries, fetch, effort)
        return listed if self._groups is None else [self._expanded(self._groups, numbers, fetch) for numbers in listed]

    def cost(self, fetch: int, effort: int) -> float:
        return self.engine.cost(fetch, effort)

    def save(self, path: Path, stem: str) -> list[str]:
        names = self.engine.save(path, stem)
        for name, values in self._groups._asdict().items() if self._groups else ():
            np.save(path / f"{stem}.{name}.npy", values)
            names.append(f"{stem}.{name}.npy")
        return names

    def load(self, path: Path, stem: str) -> None:
        files = [path / f"{stem}.{name}.npy" for name in Groups._fields]
        if all(file.exists() for file in files):
            self._groups = Groups(*(np.load(file, mmap_mode="r", allow_pickle=False) for file in files))
        self.engine.load(path, stem)

    def _expanded(self, groups: Groups, numbers: np.ndarray, fetch: int) -> np.ndarray:
        """Rows of the groups, in their order; of a large group no more than were asked for."""
        numbers = numbers[(numbers >= 0) & (numbers < len(groups.starts) - 1)].astype(np.int64)
        starts, stops = groups.starts[numbers], groups.starts[numbers + 1]
        if (stops - starts <= 1).all():
            return groups.members[starts]
        return np.concatenate(
            [groups.members[a : min(b, a + fetch)] for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
        )
