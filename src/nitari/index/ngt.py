"""NGT's graph with a tree to enter it by.

Iwasaki and Miyazaki, "Optimization of Indexing Based on k-Nearest Neighbor Graph for Proximity Search in
High-dimensional Data" (2018); https://github.com/yahoojapan/NGT.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nitari.errors import MissingExtraError
from nitari.index.planned import Planned, check_least
from nitari.space import Space, Vectors

_NATIVE = {"cosine": "Cosine", "l2": "L2"}
_BATCH = 65536
_FIRST = 2000  # vectors scanned in the time of a search that does not explore
_EXPLORED = 900  # and of one more hundredth of epsilon


class Ngt(Planned):
    """Approximate search in cosine and l2 spaces, with a copy of the vectors in its files.

    ``edges`` link a vector while building; ``explore`` is how far beyond the nearest a search looks, epsilon in
    hundredths, and may be changed at any time.
    """

    metrics = tuple(_NATIVE)
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = ("explore", (0, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40))
    arguments = ("edges", "explore")

    def __init__(self, space: Space, edges: int = 20, explore: int = 15, threads: int = 1) -> None:
        super().__init__(space)
        check_least(edges=(edges, 2), explore=(explore, 0))
        self.edges = edges
        self.explore = explore
        self.threads = threads
        _import()

    def engine(self) -> Anng:
        return Anng(self.space, self.edges, self.threads)


class Anng:
    """One graph of NGT, which is a folder of files: until it is saved, a temporary one."""

    ranked = True

    def __init__(self, space: Space, edges: int, threads: int) -> None:
        self.space = space
        self.edges = edges
        self.threads = threads
        self._folder = Path()
        self._graph: Any = None

    def build(self, vectors: Vectors) -> None:
        ngtpy = _import()
        self._folder = self._temporary()
        ngtpy.create(
            str(self._folder),
            self.space.dim,
            edge_size_for_creation=self.edges,
            distance_type=_NATIVE[self.space.metric],
        )
        self._graph = ngtpy.Index(str(self._folder))
        for start in range(0, len(vectors), _BATCH):
            block = np.ascontiguousarray(vectors[start : start + _BATCH], np.float32)
            self._graph.batch_insert(block, num_threads=self.threads)

    def candidates(self, queries: np.ndarray, fetch: int, effort: int) -> list[np.ndarray]:
        return [
            np.asarray(self._graph.search(query, fetch, effort / 100, with_distance=False), np.int64)
            for query in queries
        ]

    def cost(self, fetch: int, effort: int) -> float:
        return float((_FIRST + _EXPLORED * effort) * max(1.0, fetch / 20))

    def save(self, path: Path, stem: str) -> list[str]:
        self._graph.save()
        names = {file: f"{stem}.ngt.{file.name}" for file in sorted(self._folder.iterdir())}
        for file, name in names.items():
            shutil.copyfile(file, path / name)
        return list(names.values())

    def load(self, path: Path, stem: str) -> None:
        """NGT wants names of its own: links lead to the files that were verified."""
        folder = self._temporary()
        for file in path.glob(f"{stem}.ngt.*"):
            (folder / file.name.rpartition(".")[2]).symlink_to(file.resolve())
        self._graph = _import().Index(str(folder), read_only=True)

    def _temporary(self) -> Path:
        """A folder that goes when this graph does."""
        folder = tempfile.mkdtemp(prefix="nitari-ngt-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


def _import() -> Any:
    try:
        import ngtpy
    except ImportError:
        raise MissingExtraError("ngt", "index") from None
    return ngtpy
