"""nmslib's HNSW graph, with its sharp edges covered.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs" (2016). What nmslib 2.1.2 does not do by itself is done here: it answers a query of a wrong dimension or with
NaN, returns fewer than k rows, crashes on a damaged file, writes an empty file when a loaded index is saved again, and
keeps ``efSearch`` globally.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nitari.errors import ConfigError, MissingExtraError
from nitari.index.planned import Planned, check_least
from nitari.space import Space, Vectors

FILE = "graph.nmslib"
_NATIVE = {"cosine": "cosinesimil", "l2": "l2"}
_MAX_ROWS = 2**31 - 1  # ids are 32-bit
_SHOWN = 200_000  # vectors from which on nmslib draws its bar on a terminal: they take it minutes
_BATCH = 65536
_ALIKE = 32  # efforts are multiples of, so that fewer searches wait for each other
_STEP = 55  # vectors scanned in the time that the graph takes for one more of ef_search


class Hnsw(Planned):
    """Approximate search in cosine and l2 spaces.

    ``M`` links a vector (memory), ``ef_construction`` candidates while building (time), ``ef_search`` candidates while
    searching (recall against latency): the last may be changed at any time. ``threads`` null is one a core. Distances
    are computed again from the vectors. A graph built by several threads differs a little from run to run.
    """

    metrics = tuple(_NATIVE)
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = (
        "ef_search",
        (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048),
    )
    arguments = ("M", "ef_construction", "ef_search")

    def __init__(
        self,
        space: Space,
        M: int = 16,  # noqa: N803
        ef_construction: int = 200,
        ef_search: int = 100,
        threads: int | None = None,
    ) -> None:
        super().__init__(space)
        check_least(M=(M, 2), ef_construction=(ef_construction, 1), ef_search=(ef_search, 1))
        self.M = M
        self.ef_construction = ef_construction
        self.ef_search = ef_search
        self.threads = threads or len(os.sched_getaffinity(0))

    def engine(self) -> Graph:
        return Graph(self.space, self.M, self.ef_construction, self.threads)


class Graph:
    """One graph of nmslib. It holds its own copy of the vectors, about 1.6 KB each at dim 128 while it is built."""

    ranked = True

    def __init__(self, space: Space, M: int, ef_construction: int, threads: int) -> None:  # noqa: N803
        self.space = space
        self.threads = threads
        self._settings = {"M": M, "efConstruction": ef_construction, "post": 0, "indexThreadQty": threads}
        self._graph: Any = None
        self._gate = _Gate(lambda ef: self._graph.setQueryTimeParams({"efSearch": ef}))

    def build(self, vectors: Vectors) -> None:
        if len(vectors) > _MAX_ROWS:
            raise ConfigError(f"nmslib numbers at most {_MAX_ROWS:,} vectors; space '{self.space.name}' has more")
        graph = self._new()
        for start in range(0, len(vectors), _BATCH):
            block = np.ascontiguousarray(vectors[start : start + _BATCH], np.float32)
            graph.addDataPointBatch(block, np.arange(start, start + len(block), dtype=np.int32))
        graph.createIndex(self._settings, print_progress=len(vectors) >= _SHOWN and sys.stderr.isatty())
        self._graph, self._gate.value = graph, None

    def candidates(self, queries: np.ndarray, fetch: int, effort: int) -> list[np.ndarray]:
        with self._gate.at(max(effort, 2 * fetch)):
            if len(queries) == 1:
                return [self._graph.knnQuery(queries[0], k=fetch)[0]]
            return [rows for rows, _ in self._graph.knnQueryBatch(queries, k=fetch, num_threads=self.threads)]

    def propose(self, query: np.ndarray, fetch: int, effort: int) -> np.ndarray:
        with self._gate.at(-(-max(fetch, effort) // _ALIKE) * _ALIKE):
            return np.asarray(self._graph.knnQuery(query, k=fetch)[0])

    def cost(self, fetch: int, effort: int) -> float:
        return float(_STEP * max(effort, 2 * fetch))

    def save(self, path: Path, stem: str) -> list[str]:
        """Of a graph that was built: nmslib writes an empty file for one that was loaded."""
        self._graph.saveIndex(str(path / f"{stem}.nmslib"), save_data=False)
        return [f"{stem}.nmslib"]

    def load(self, path: Path, stem: str) -> None:
        graph = self._new()
        graph.loadIndex(str(path / f"{stem}.nmslib"), load_data=False)
        self._graph = graph

    def _new(self) -> Any:
        nmslib = _import()
        return nmslib.init(method="hnsw", space=_NATIVE[self.space.metric], data_type=nmslib.DataType.DENSE_VECTOR)


class _Gate:
    """Searches that want the same value of nmslib's global setting run together; those that want another wait, and are let in
    in the order that they came.
    """

    def __init__(self, apply: Callable[[int], None]) -> None:
        self.value: int | None = None
        self._apply = apply
        self._running = 0
        self._waiting: deque[object] = deque()
        self._free = threading.Condition()

    @contextmanager
    def at(self, value: int) -> Iterator[None]:
        with self._free:
            if self._waiting or (self._running and self.value != value):
                self._waiting.append(turn := object())
                while self._waiting[0] is not turn or (self._running and self.value != value):
                    self._free.wait()
                self._waiting.popleft()
                self._free.notify_all()
            if self.value != value:
                self._apply(value)
                self.value = value
            self._running += 1
        try:
            yield
        finally:
            with self._free:
                self._running -= 1
                self._free.notify_all()


def _import() -> Any:
    """nmslib, without what its wheel writes to standard error on import, and without a log line for each setting."""
    if "nmslib" in sys.modules:
        return sys.modules["nmslib"]
    sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import nmslib
    except ImportError:
        raise MissingExtraError("nmslib", "serve") from None
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
    logging.getLogger("nmslib").setLevel(logging.WARNING)
    return nmslib
