"""nmslib's HNSW graph, with its sharp edges covered.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs" (2016). What nmslib 2.1.2 does not do by itself is done here: it answers a query of a wrong dimension or with
NaN, returns fewer than k rows, crashes on a damaged file, writes an empty file when a loaded index is saved again, and
keeps ``efSearch`` globally.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from nitari.artifact import sha256_of
from nitari.errors import ConfigError, DamagedArtifactError, MissingExtraError
from nitari.filters import Selection
from nitari.index import SearchResult, check_request, padded
from nitari.index.exact import Exact, check_parameters, rank
from nitari.space import Space

if TYPE_CHECKING:
    import pandas as pd

FILE = "graph.nmslib"
_NATIVE = {"cosine": "cosinesimil", "l2": "l2"}
_MAX_ROWS = 2**31 - 1  # ids are 32-bit
_BATCH = 65536
_SCAN_ROWS = 20_000  # selections up to this size are scanned: exact, and about as fast
_SCAN_SHARE = 0.3  # and so are those up to this share, where over-fetching from the graph starves


class Hnsw:
    """Approximate search in cosine and l2 spaces.

    ``M`` links a vector (memory), ``ef_construction`` candidates while building (time), ``ef_search`` candidates while
    searching (recall against latency): the last may be changed at any time. ``threads`` null is one a core. Distances
    are computed again from the vectors. A graph built by several threads differs a little from run to run.
    """

    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = (
        "ef_search",
        (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048),
    )

    def __init__(
        self,
        space: Space,
        M: int = 16,  # noqa: N803
        ef_construction: int = 200,
        ef_search: int = 100,
        threads: int | None = None,
    ) -> None:
        if space.metric not in _NATIVE:
            raise ConfigError(
                f"HNSW searches cosine and l2 spaces; '{space.name}' is {space.metric}. Build it with: index=exact"
            )
        for name, value, low in (("M", M, 2), ("ef_construction", ef_construction, 1), ("ef_search", ef_search, 1)):
            if value < low:
                raise ConfigError(f"{name} is {value}. Give at least {low}")
        self.space = space
        self.M = M
        self.ef_construction = ef_construction
        self.ef_search = ef_search
        self.threads = threads or len(os.sched_getaffinity(0))
        self._exact = Exact(space)
        self._vectors = np.empty((0, space.width), space.dtype)
        self._graph: Any = None
        self._gate = _Gate(lambda ef: self._graph.setQueryTimeParams({"efSearch": ef}))
        self._loaded: tuple[Path, str] | None = None  # the file, and its sha256

    def build(self, vectors: np.ndarray, attributes: pd.DataFrame | None = None) -> None:
        """(n, width), which may be a memory map: it is copied into the graph, about 1.6 KB a vector at dim 128."""
        if len(vectors) > _MAX_ROWS:
            raise ConfigError(f"nmslib numbers at most {_MAX_ROWS:,} vectors; space '{self.space.name}' has more")
        self._exact.build(vectors)
        self._vectors = vectors
        self._graph = self._loaded = None
        if not len(vectors):
            return
        graph = self._new()
        for start in range(0, len(vectors), _BATCH):
            block = np.ascontiguousarray(vectors[start : start + _BATCH], np.float32)
            graph.addDataPointBatch(block, np.arange(start, start + len(block), dtype=np.int32))
        graph.createIndex(
            {"M": self.M, "efConstruction": self.ef_construction, "post": 0, "indexThreadQty": self.threads}
        )
        self._graph, self._gate.value = graph, None

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        n = len(self._vectors)
        check_request(self.space, n, k, where)
        queries = self.space.check(queries)
        matches = n if where is None else len(where.rows)
        wanted = min(k, matches)
        share = matches / n if n else 1.0
        fetch = wanted if where is None else math.ceil(2 * wanted / max(share, 1e-9)) + 16
        selected = where is not None and (matches <= _SCAN_ROWS or share <= _SCAN_SHARE)
        if selected or fetch * 4 >= n:
            return self._exact.search(queries, k, where=where)
        admitted = None
        if where is not None:
            admitted = np.zeros(n, bool)
            admitted[where.rows] = True
        found = []
        for query, rows in zip(queries, self._candidates(queries, fetch, share), strict=True):
            rows = _distinct(rows, n)
            if admitted is not None:
                rows = rows[admitted[rows]]
            if len(rows) < wanted:  # the graph was left too early: only a scan can complete the answer
                result = self._exact.search(query, wanted, where=where)
                found.append((result.rows[0], result.distances[0]))
            else:
                found.append(rank(self.space, query, self._vectors, rows, k))
        return padded(found, k)

    def save(self, path: Path) -> dict[str, Any]:
        """Write the graph under ``path``. A loaded one is copied, and verified: nmslib would write an empty file."""
        digest = None
        if self._loaded is not None:
            file, digest = self._loaded
            shutil.copyfile(file, path / FILE)
            _verify(self.space, path / FILE, digest)
        elif self._graph is not None:
            self._graph.saveIndex(str(path / FILE), save_data=False)
            digest = sha256_of(path / FILE)
        return {
            **self._exact.save(path),
            "M": self.M,
            "ef_construction": self.ef_construction,
            "ef_search": self.ef_search,
            "sha256": digest,
        }

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> Self:
        check_parameters(space, vectors, parameters)
        index = cls(space, parameters["M"], parameters["ef_construction"], parameters["ef_search"])
        index._exact = Exact.load(path, space, vectors, parameters)
        index._vectors = vectors
        if len(vectors):
            _verify(space, path / FILE, parameters["sha256"])
            index._loaded = path / FILE, parameters["sha256"]
            index._graph = index._new()
            index._graph.loadIndex(str(path / FILE), load_data=False)
        return index

    def _new(self) -> Any:
        nmslib = _import()
        return nmslib.init(method="hnsw", space=_NATIVE[self.space.metric], data_type=nmslib.DataType.DENSE_VECTOR)

    def _candidates(self, queries: np.ndarray, k: int, share: float = 1.0) -> list[np.ndarray]:
        """Up to k rows a query, as the graph gives them. Where only a share of them will count, the search is wider."""
        with self._gate.at(max(math.ceil(self.ef_search / share), 2 * k)):
            if len(queries) == 1:
                return [self._graph.knnQuery(queries[0], k=k)[0]]
            return [rows for rows, _ in self._graph.knnQueryBatch(queries, k=k, num_threads=self.threads)]


def _distinct(rows: np.ndarray, n: int) -> np.ndarray:
    """(m,) int64: what the graph gave, without repetitions and without rows that do not exist."""
    listed = rows.tolist()
    if len(set(listed)) == len(listed) and min(listed, default=0) >= 0 and max(listed, default=0) < n:
        return rows.astype(np.int64)
    return np.array(sorted({row for row in listed if 0 <= row < n}), np.int64)


class _Gate:
    """Searches that want the same value of nmslib's global setting run together; those that want another wait."""

    def __init__(self, apply: Callable[[int], None]) -> None:
        self.value: int | None = None
        self._apply = apply
        self._running = 0
        self._free = threading.Condition()

    @contextmanager
    def at(self, value: int) -> Iterator[None]:
        with self._free:
            while self._running and self.value != value:
                self._free.wait()
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


def _verify(space: Space, file: Path, expected: str) -> None:
    """Raise DamagedArtifactError unless the file has this sha256: nmslib crashes the process on a damaged one."""
    found = sha256_of(file) if file.is_file() else "nothing"
    if found != expected:
        raise DamagedArtifactError(
            f"The index of space '{space.name}' is damaged: '{file.name}' has sha256 {found[:12]}…, not "
            f"{expected[:12]}…. It was not loaded. Renew it with: nitari build collection=…"
        )


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
