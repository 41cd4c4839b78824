"""Annoy: a forest of random splits in one memory-mapped file (Erik Bernhardsson, https://github.com/spotify/annoy)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nitari.errors import MissingExtraError
from nitari.index.planned import Planned, check_least
from nitari.space import Space, Vectors

_NATIVE = {"cosine": "angular", "l2": "euclidean"}
_BATCH = 65536
_NODE = 5  # vectors scanned in the time that one more of search_k takes


class Annoy(Planned):
    """Approximate search in cosine and l2 spaces, with a copy of the vectors in its file, which processes share.

    More ``trees`` are more bytes and more recall; ``search_k`` candidates are compared, and may be changed at any time.
    """

    metrics = tuple(_NATIVE)
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = (
        "search_k",
        (200, 500, 1000, 2000, 3000, 5000, 7500, 10_000, 15_000, 20_000, 30_000, 50_000),
    )
    arguments = ("trees", "search_k", "seed")

    def __init__(self, space: Space, trees: int = 50, search_k: int = 10_000, seed: int = 0, threads: int = 1) -> None:
        super().__init__(space)
        check_least(trees=(trees, 1), search_k=(search_k, 1))
        self.trees = trees
        self.search_k = search_k
        self.seed = seed
        self.threads = threads
        _import()

    def engine(self) -> Forest:
        return Forest(self.space, self.trees, self.seed, self.threads)


class Forest:
    """One forest of annoy."""

    ranked = True

    def __init__(self, space: Space, trees: int, seed: int, threads: int) -> None:
        self.trees = trees
        self.threads = threads
        self._forest: Any = _import().AnnoyIndex(space.dim, _NATIVE[space.metric])
        self._forest.set_seed(seed)

    def build(self, vectors: Vectors) -> None:
        for start in range(0, len(vectors), _BATCH):
            for i, vector in enumerate(np.asarray(vectors[start : start + _BATCH], np.float32), start):
                self._forest.add_item(i, vector)
        self._forest.build(self.trees, self.threads)

    def candidates(self, queries: np.ndarray, fetch: int, effort: int) -> list[np.ndarray]:
        search_k = self._search_k(fetch, effort)
        return [np.array(self._forest.get_nns_by_vector(query, fetch, search_k), np.int64) for query in queries]

    def cost(self, fetch: int, effort: int) -> float:
        return float(_NODE * self._search_k(fetch, effort))

    def save(self, path: Path, stem: str) -> list[str]:
        self._forest.save(str(path / f"{stem}.annoy"))
        return [f"{stem}.annoy"]

    def load(self, path: Path, stem: str) -> None:
        self._forest.load(str(path / f"{stem}.annoy"))

    def _search_k(self, fetch: int, effort: int) -> int:
        return max(effort, 2 * self.trees * fetch)


def _import() -> Any:
    try:
        import annoy
    except ImportError:
        raise MissingExtraError("annoy", "annoy") from None
    return annoy
