"""Duplicates: equal vectors enter an engine once. A graph links them to one another and loses the way to everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nitari.index.engine import Engine, Proposing
from nitari.space import Vectors

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
    """An engine of the distinct among ``count`` vectors: what it gives stands for all that are equal to it."""

    def __init__(self, engine: Engine, count: int) -> None:
        self.engine = engine
        self.ranked = engine.ranked
        self._proposing = engine if isinstance(engine, Proposing) else None
        self._groups: Groups | None = None
        self._count = count

    def build(self, vectors: Vectors) -> None:
        self._groups = find(vectors)
        if self._groups is None:
            self.engine.build(vectors)
        else:
            self.engine.build(Picked(vectors, self._groups.members[self._groups.starts[:-1]]))

    def candidates(self, queries: np.ndarray, fetch: int, effort: int, most: int | None = None) -> list[np.ndarray]:
        """Without repetitions and numbers that do not exist: fewer than asked for tells that an answer is not complete.

        Of what is equal, the first ``most`` are given; None: all.
        """
        return [self._expanded(one, most) for one in self.engine.candidates(queries, fetch, effort)]

    def propose(self, query: np.ndarray, fetch: int, effort: int) -> np.ndarray:
        """(m,) int64: candidates of one query (1, width) as the engine finds them with less care; empty where it cannot."""
        if self._proposing is None:
            return np.empty(0, np.int64)
        return self._expanded(self._proposing.propose(query[0], fetch, effort), fetch)[:fetch]

    def cost(self, fetch: int, effort: int) -> float:
        return self.engine.cost(fetch, effort)

    def free(self, fetch: int, effort: int) -> int:
        """How many candidates are had for the cost of ``fetch``."""
        return max(fetch, effort // 2) if self._proposing is not None else fetch

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

    def _expanded(self, listed: np.ndarray, most: int | None) -> np.ndarray:
        """(m,) int64: what is equal to the vectors listed, in their order."""
        numbers, n = listed.tolist(), self._count if self._groups is None else len(self._groups.starts) - 1
        sound = len(set(numbers)) == len(numbers) and min(numbers, default=0) >= 0 and max(numbers, default=0) < n
        if not sound:
            listed = np.array([number for number in dict.fromkeys(numbers) if 0 <= number < n], np.int64)
        if self._groups is None:
            return listed.astype(np.int64, copy=False)
        members, starts = self._groups
        first, after = starts[listed], starts[listed.astype(np.int64) + 1]
        if (after - first <= 1).all():
            return members[first].astype(np.int64)
        rows = [
            members[a : b if most is None else min(b, a + most)]
            for a, b in zip(first.tolist(), after.tolist(), strict=True)
        ]
        return np.concatenate(rows).astype(np.int64)[: None if sound else len(listed)]
