"""faiss's inverted file of 4-bit codes, scanned by table look-ups in registers, and compared again from the vectors.

Jégou, Douze and Schmid, "Product quantization for nearest neighbor search" (2011); André, Kermarrec and Le Scouarnec,
"Quicker ADC" (2019). A random rotation first gives each part of a code the same share of the variance, which PCA
concentrates in a few: without it, half of the neighbours of picture patches were lost.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nitari.errors import MissingExtraError
from nitari.index.planned import Planned, check_least
from nitari.space import Space, Vectors, unit

_LEAST = 2000  # vectors that codes can be learned from; fewer are scanned
_TRAINING = 256  # vectors a list to learn from, at most
_PARTS = 64  # of a code at least, where there are as many numbers: each is 4 bits
_MORE = 10  # results more than asked for, in the number of candidates: few results need more of them each
_BATCH = 65536
# In vectors scanned in the same time: a search, each list, each vector of it, each candidate that is compared again.
_SEARCH, _LIST, _PASSED, _AGAIN = 2000, 30, 0.15, 25


class Ivf(Planned):
    """Approximate search in cosine and l2 spaces: built in seconds, a quarter of a byte a number.

    ``n_lists`` null is the square root of the number of vectors. ``n_probe`` of the lists are searched, and ``rerank``
    candidates a result are compared by their vectors: both may be changed at any time, and tuning raises ``rerank``
    where no number of lists is enough. ``threads`` is for all of faiss.
    """

    metrics = ("cosine", "l2")
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = (
        "n_probe",
        (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512),
    )
    wider: ClassVar[tuple[str, tuple[int, ...]]] = ("rerank", (15, 30, 60, 120, 240))
    arguments = ("n_lists", "n_probe", "rerank", "seed")

    def __init__(
        self,
        space: Space,
        n_lists: int | None = None,
        n_probe: int = 32,
        rerank: int = 15,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        super().__init__(space)
        check_least(n_lists=(1 if n_lists is None else n_lists, 1), n_probe=(n_probe, 1), rerank=(rerank, 1))
        self.n_lists = n_lists
        self.n_probe = n_probe
        self.rerank = rerank
        self.seed = seed
        self.threads = threads
        _import(threads)

    @property
    def rerank(self) -> int:
        return self._rerank

    @rerank.setter
    def rerank(self, value: int) -> None:
        self._rerank = value
        for _, region in self._engines():
            lists = region.engine.engine if region.engine is not None else None
            if isinstance(lists, Lists):
                lists.rerank = value

    def engine(self) -> Lists:
        return Lists(self.space, self.n_lists, self.rerank, self.seed, self.threads)


class Lists:
    """One inverted file. It compares by codes: what it gives is only roughly in order."""

    ranked = False

    def __init__(self, space: Space, n_lists: int | None, rerank: int, seed: int, threads: int) -> None:
        self.space = space
        self.n_lists = n_lists
        self.rerank = rerank
        self.seed = seed
        self.threads = threads
        self._lists: Any = None
        self._inner: Any = None

    def build(self, vectors: Vectors) -> None:
        if len(vectors) < _LEAST:
            return
        faiss = _import(self.threads)
        n_lists = self.n_lists or max(1, round(math.sqrt(len(vectors))))
        parts = max(-(-self.space.dim // 2), min(self.space.dim, _PARTS))
        pad = -(-self.space.dim // parts) * parts
        rotation = faiss.RandomRotationMatrix(self.space.dim, pad)
        rotation.init(self.seed)
        inner = faiss.index_factory(pad, f"IVF{n_lists},PQ{parts}x4fs")
        inner.cp.seed = self.seed
        lists = faiss.IndexPreTransform(rotation, inner)
        random = np.random.default_rng(self.seed)
        sample = np.sort(random.choice(len(vectors), min(len(vectors), n_lists * _TRAINING), replace=False))
        lists.train(self._floats(vectors[sample]))
        for start in range(0, len(vectors), _BATCH):
            lists.add(self._floats(vectors[start : start + _BATCH]))
        self._open(faiss, lists)

    def candidates(self, queries: np.ndarray, fetch: int, effort: int) -> list[np.ndarray]:
        faiss = _import(self.threads)
        settings = faiss.SearchParametersPreTransform(index_params=faiss.SearchParametersIVF(nprobe=effort))
        count = min(self._compared(fetch), self._lists.ntotal)
        _, rows = self._lists.search(queries, count, params=settings)
        return [one[one >= 0] for one in rows]

    def cost(self, fetch: int, effort: int) -> float:
        if self._lists is None:
            return math.inf
        n, n_lists = self._lists.ntotal, self._inner.nlist
        searched = min(effort, n_lists)
        return _SEARCH + n_lists + _LIST * searched + _PASSED * n * searched / n_lists + _AGAIN * self._compared(fetch)

    def save(self, path: Path, stem: str) -> list[str]:
        if self._lists is None:
            return []
        _import(self.threads).write_index(self._lists, str(path / f"{stem}.faiss"))
        return [f"{stem}.faiss"]

    def load(self, path: Path, stem: str) -> None:
        file = path / f"{stem}.faiss"
        if file.exists():
            faiss = _import(self.threads)
            self._open(faiss, faiss.read_index(str(file)))

    def _compared(self, fetch: int) -> int:
        return self.rerank * (fetch + _MORE)

    def _open(self, faiss: Any, lists: Any) -> None:
        self._lists, self._inner = lists, faiss.downcast_index(lists.index)

    def _floats(self, vectors: np.ndarray) -> np.ndarray:
        block = np.ascontiguousarray(vectors, np.float32)
        return unit(block) if self.space.metric == "cosine" else block


def _import(threads: int) -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingExtraError("faiss-cpu", "index") from None
    faiss.omp_set_num_threads(threads)
    return faiss
