"""Signs: vectors in one bit a number, a first look at all that a filter admits, wherever it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from nitari.errors import DamagedArtifactError
from nitari.index.codes import METRICS, floats
from nitari.space import Space

_BITS = 256  # a vector: four words
_BLOCK = 8192  # vectors that are encoded together, ...
_WORDS = 32_768  # ... and words that are compared
_SAMPLE, _ASKED, _NEAREST = 65_536, 64, 10  # of vectors, those asked with, and their nearest, by which a share is told
_MOSTLY = 0.9  # of the vectors: what they need is looked at to begin with
_MOST = 0.25  # of what is admitted: where more has to be looked at again, signs tell too little
_DEVIATIONS = 2.1  # standard deviations: what is as far as most found is no farther out, but for one in fifty
WHOLE = 0.4
"""Of what is admitted: where more than that may be among the nearest by its signs, all is compared."""
_RECALL = 0.99  # of those nearest that are to be found by that
_FEW = 1000  # vectors of a side too few to tell by
_TOLD = 8192  # vectors by which that is told of a query
_EVERY = 20  # looked at again for each one wanted, about
# In vectors read in passing: a search, each vector, each that is admitted and each that is looked at again.
_SEARCH, _PASSED, _LISTED, _AGAIN = 2000, 0.12, 0.03, 2.0
_FILES = ("words", "rotation", "mean")


class Signs:
    """On which side of random hyperplanes through their mean the vectors lie: random hyperplane hashing of Charikar,
    "Similarity estimation techniques from rounding algorithms" (STOC 2002), with orthogonal ones as in Ji et al.,
    "Super-bit locality-sensitive hashing" (NIPS 2012).

    ``words`` (4, n) uint64, ``rotation`` (dim, 256) and ``mean`` (dim,) float32. Among the ``share`` of what is admitted that differs
    least in its signs are nearly all of the nearest, for most of the collection's own vectors.
    """

    def __init__(self, words: np.ndarray, rotation: np.ndarray, mean: np.ndarray, share: float) -> None:
        self.words = words
        self.rotation = rotation
        self.mean = mean
        self.share = share
        # Not evenly apart: filters may follow the order of rows.
        self._places = np.sort(np.random.default_rng(0).random(_TOLD))

    @classmethod
    def of(cls, space: Space, vectors: np.ndarray, seed: int = 0) -> Self | None:
        """None for a metric that signs do not tell of, and where too many would have to be looked at again."""
        n = len(vectors)
        if space.metric not in METRICS or n <= 10 * _ASKED:
            return None
        random = np.random.default_rng(seed)
        blocks = -(-_BITS // space.dim)
        turns = [np.linalg.qr(random.standard_normal((space.dim, min(space.dim, _BITS))))[0] for _ in range(blocks)]
        rotation = np.ascontiguousarray(np.concatenate(turns, axis=1)[:, :_BITS], np.float32)
        mean = np.zeros(space.dim, np.float64)
        starts = range(0, n, _BLOCK)
        for start in starts:
            mean += floats(space, vectors[start : start + _BLOCK]).sum(axis=0, dtype=np.float64)
        empty = np.empty((_BITS // 64, n), np.uint64)
        signs = cls(empty, rotation, (mean / n).astype(np.float32), 1.0)
        for start in starts:
            block = floats(space, vectors[start : start + _BLOCK])
            signs.words[:, start : start + len(block)] = signs._packed(block).T
        return signs if signs._tell(space, vectors, random) else None

    def __len__(self) -> int:
        return self.words.shape[1]

    def first(self, apart: np.ndarray, admitted: int, wanted: int) -> int:
        """Of ``apart``: up to how many bits is looked at to begin with, about, as a sample of them tells."""
        some = apart if len(apart) <= _TOLD else apart[(self._places * len(apart)).astype(np.int64)]
        some = some.astype(np.uint16)  # which numpy partitions much faster than bytes
        again = self._again(admitted, wanted) * len(some) / len(apart)
        place = min(math.ceil(again + math.sqrt(again)), len(some) - 1)
        return min(int(np.partition(some, place)[place]), _BITS - 2)

    def limit(self, query: np.ndarray, nearest: np.ndarray) -> int:
        """(dim,) and (k, dim) -> how many bits may differ of what is about as far as those, but for one in fifty: the share
        that differs is the angle's, as seen from the mean, and each bit is a draw of its own at worst.
        """
        asked, found = query - self.mean, nearest - self.mean
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(asked)
        angles = np.arccos(np.clip(found @ asked / np.maximum(lengths, 1e-12), -1, 1))
        share = float(np.mean(angles)) / np.pi
        bits = _BITS * share + _DEVIATIONS * math.sqrt(_BITS * share * (1 - share))
        return min(math.ceil(bits), _BITS - 2)

    def apart(self, query: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(dim,) as ``Space.check`` returns it and (n,) bool -> (n,) uint8: the bits that differ, 254 at most, and 0 for all
        of them; 255 where ``mask`` admits nothing.
        """
        asked = self._packed(query[None])[0]
        found = np.empty(len(self), np.uint8)
        differ, count = np.empty(_WORDS, np.uint64), np.empty(_WORDS, np.uint8)
        for start in range(0, len(self), _WORDS):
            here = slice(start, min(start + _WORDS, len(self)))
            size = here.stop - start
            total = np.bitwise_count(np.bitwise_xor(self.words[0, here], asked[0], out=differ[:size]), out=found[here])
            for word, value in zip(self.words[1:], asked[1:], strict=True):
                np.bitwise_xor(word[here], value, out=differ[:size])
                total += np.bitwise_count(differ[:size], out=count[:size])
        return np.minimum(found, _BITS - 2, out=found) | (mask.view(np.uint8) - np.uint8(1))

    def cost(self, admitted: int, wanted: int) -> float:
        """Of one query, in vectors read in passing by an exact scan; infinite where so much is wanted that all is compared."""
        again = self._again(admitted, wanted)
        if again > WHOLE * admitted:
            return math.inf
        return _SEARCH + _PASSED * len(self) + _LISTED * admitted + _AGAIN * again

    def _again(self, admitted: int, wanted: int) -> int:
        return max(_EVERY * wanted, round(self.share * admitted))

    def save(self, path: Path, stem: str) -> dict[str, Any]:
        for name in _FILES:
            np.save(path / f"{stem}.{name}.npy", getattr(self, name))
        return {"share": self.share}

    @classmethod
    def load(cls, path: Path, stem: str, space: Space, count: int, parameters: Mapping[str, Any]) -> Self:
        """Memory-mapped; raises DamagedArtifactError where they are of another shape."""
        words, rotation, mean = (
            np.load(path / f"{stem}.{name}.npy", mmap_mode="r", allow_pickle=False) for name in _FILES
        )
        found = words.dtype, words.shape, rotation.shape, mean.shape
        if found != (np.uint64, (_BITS // 64, count), (space.dim, _BITS), (space.dim,)):
            raise DamagedArtifactError(
                f"The index of space '{space.name}' holds signs {words.dtype} {words.shape} where those of {count} vectors of "
                f"dim {space.dim} belong. It was not loaded. Renew it with: nitari build collection=…"
            )
        return cls(np.asarray(words), np.array(rotation), np.array(mean), float(parameters["share"]))

    def _packed(self, vectors: np.ndarray) -> np.ndarray:
        """(n, dim) float32 -> (n, 4) uint64."""
        return np.packbits((vectors - self.mean) @ self.rotation > 0, axis=1).view(np.uint64)

    def _tell(self, space: Space, vectors: np.ndarray, random: np.random.Generator) -> bool:
        """Sets the share of what is admitted that has to be looked at again for nearly all vectors: for the nearest of all, and
        of the side of two others that they are not on, as real categories are. False where that is too much, or not enough.
        """
        sample = np.sort(random.choice(len(self), min(len(self), _SAMPLE), replace=False))
        of_sample = type(self)(self.words[:, sample], self.rotation, self.mean, 1.0)
        against = floats(space, vectors[sample])
        asked = random.choice(len(sample), (_ASKED, 3), replace=False)
        tried = []
        for own, one, other in asked.tolist():
            distances, *sides = space.distances(against[[own, one, other]], against)
            nearer = sides[0] < sides[1]
            beside = np.arange(len(sample)) != own
            for admitted in (beside, nearer != nearer[own]):
                rows = np.flatnonzero(admitted)
                if len(rows) > _FEW:
                    nearest = rows[np.argpartition(distances[rows], _NEAREST)[:_NEAREST]]
                    apart = of_sample.apart(against[own], admitted)
                    tried.append((apart[rows], apart[nearest], of_sample.limit(against[own], against[nearest])))
        self.share = float(np.quantile([np.mean(apart <= limit) for apart, _, limit in tried], _MOSTLY))
        found = [
            np.mean(nearest <= max(limit, self.first(apart, len(apart), _NEAREST))) for apart, nearest, limit in tried
        ]
        return float(np.mean(found)) >= _RECALL and self.share <= _MOST
