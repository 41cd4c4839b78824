"""Milvus: the vectors on a server of their own, searched there, and compared again from the vectors that stay here.

Wang et al., "Milvus: a purpose-built vector data management system" (SIGMOD 2021); its graph is HNSW. What a server gives is
never taken on trust: distances are those of the vectors, an answer that misses what a sample knows to be nearer is asked
for again with more effort, and then scanned.
"""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from nitari.errors import ArtifactError, ConfigError, QueryError
from nitari.filters import Selection
from nitari.index import SearchResult, check_request, padded
from nitari.index.expressions import Stored, cells, expression, stored
from nitari.index.late import Late, compared
from nitari.index.lite import FILE, Lite
from nitari.index.planned import check_least, check_parameters, verify
from nitari.index.remote import MOST, ROW, URI, Table, alias, check_installed, check_uri, new_name, place
from nitari.index.sample import Sample
from nitari.index.scan import Found, Scan, check, rank
from nitari.space import Space

if TYPE_CHECKING:
    import pyarrow as pa

_FURTHER = 8  # candidates beyond what is wanted: what rounding may have put in another order, and rows that came later
_AHEAD = 2  # candidates of the graph for each that is asked for
_HARDER = 4  # times the effort of the first try, where that missed


class Milvus:
    """Search on a Milvus server in cosine, l2 and hamming spaces; on milvus-lite, in this process, without the latter.

    ``uri`` is http://host:port, or a file that ends in .db for milvus-lite; None takes the variable NITARI_MILVUS_URI, or
    else a milvus-lite inside the artifact, which is copied when it is opened. The token is NITARI_MILVUS_TOKEN's, and
    never kept. ``collection`` enters the names of collections, ``nitari_<collection>_<space>_<id>``, and of the alias.
    ``M`` links a vector and ``ef_construction`` candidates make the graph, ``ef`` candidates are looked at in it: the
    latter may be changed at any time. Fewer vectors than ``scan_below``, selected or in all, are scanned here. Filters are
    sent where they admit up to ``filter_below`` of all: what more admit is asked for without, and masked here.
    """

    metrics: ClassVar[tuple[str, ...]] = ("cosine", "l2", "hamming")
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = ("ef", (50, 100, 200, 400, 800, 1600, 3200))
    arguments = ("collection", "M", "ef_construction", "ef", "scan_below", "filter_below")
    _table: Table | None
    _late: Late
    _columns: list[Stored]

    def __init__(
        self,
        space: Space,
        uri: str | None = None,
        collection: str | None = None,
        M: int = 16,  # noqa: N803
        ef_construction: int = 200,
        ef: int = 100,
        scan_below: int = 20_000,
        filter_below: float = 0.05,
    ) -> None:
        if space.metric not in self.metrics:
            raise ConfigError(
                f"Milvus searches {' and '.join(self.metrics)} spaces; '{space.name}' is {space.metric}. "
                "Build it with: index=exact"
            )
        check_least(M=(M, 2), ef_construction=(ef_construction, 1), ef=(ef, 1), scan_below=(scan_below, 0))
        self.space = space
        self.uri = check_uri(uri or os.environ.get(URI) or None)
        self.collection = collection
        self.M = M
        self.ef_construction = ef_construction
        self.ef = ef
        if not 0 <= filter_below <= 1:
            raise ConfigError(f"filter_below is {filter_below}. Give a share from 0 to 1")
        self.scan_below = scan_below
        self.filter_below = filter_below
        self.plans: Counter[str] = Counter()
        check_installed(self.uri)
        self._lock = threading.RLock()
        self._adopt(np.empty((0, space.width), space.dtype), True, "", [])

    def build(self, vectors: np.ndarray, attributes: pa.Table | None = None) -> None:
        """(n, width) vectors and the columns (n,) to filter by, sent to the server. What a failed build sent is taken back."""
        unit = check(self.space, vectors)
        self._adopt(vectors, unit, new_name(self.collection, self.space.name), stored(attributes))
        uri = self.uri
        if uri is None or (self.space.metric == "hamming" and uri.endswith(".db")):
            if self.space.metric == "hamming" or len(vectors) < max(1, self.scan_below):
                self._name = ""  # all of it is scanned
                return
            uri = self._lite.file()
        elif uri.endswith(".db"):
            Path(uri).parent.mkdir(parents=True, exist_ok=True)
        table = Table(uri, self._name, self.space, self._columns)
        try:
            values = cells(attributes, self._columns, len(vectors))
            table.create(
                np.arange(len(vectors)), vectors, values, {"M": self.M, "efConstruction": self.ef_construction}
            )
        except BaseException:
            with suppress(ArtifactError):
                table.drop()
            raise
        self._table = table

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        late, n = self._late, len(self._vectors)
        check_request(self.space, late.total, k, where)
        queries = self.space.check(queries)
        mask = late.mask(where)
        admitted = n if mask is None else int(np.count_nonzero(mask[:n]))
        base = None if mask is None or admitted == n else mask[:n]
        return padded(late.joined(self.space, queries, self._nearest(queries, k, base, admitted, where), k, mask), k)

    def save(self, path: Path) -> dict[str, Any]:
        """Which server and collection, for ``load``; a milvus-lite of its own is written under ``path``."""
        if self._name and self.uri is None:
            with self._lock:
                fresh = self._lite.origin is None
                self._lite.save(path, self._table)
                self._table = None if fresh else self._table
            verify(self.space, path, self._lite.files)
        return {
            "count": len(self._vectors),
            "dim": self.space.dim,
            "unit": self._scan.unit,
            "uri": self.uri,
            "name": self._name,
            "columns": [list(column) for column in self._columns],
            "files": self._lite.files,
            **{name: getattr(self, name) for name in self.arguments},
        }

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> Self:
        """The server is asked how many rows it has and for some vectors: another collection is refused. It is looked for
        where NITARI_MILVUS_URI says, if that is set.
        """
        check_parameters(space, vectors, parameters)
        uri = place(parameters)
        index = cls(space, uri, **{name: parameters[name] for name in cls.arguments})
        index.uri = uri
        index._adopt(vectors, bool(parameters["unit"]), parameters["name"], [Stored(*c) for c in parameters["columns"]])
        if not index._name:
            return index
        if uri is None:
            verify(space, path, parameters["files"])
            index._lite = Lite(path / FILE, dict(parameters["files"]))
        else:
            index._table = Table(uri, index._name, space, index._columns)
            index._table.open()
            index._late = compared(vectors, space, index._table)
        return index

    def upsert(self, rows: np.ndarray, vectors: np.ndarray, attributes: pa.Table | None = None) -> None:
        """Append (m,) rows after those that were built, or replace appended ones; on the server when this returns.

        Rows that were built keep the vectors of their embeddings: those are refused. Columns that ``attributes`` lack
        are missing. Other processes see it after ``refresh``.
        """
        table, rows = self._changing(), np.asarray(rows, np.int64)
        self._late.check_appended(rows, vectors)
        vectors = self.space.check(vectors) if len(rows) else self._vectors[:0]
        try:
            values = cells(attributes, self._columns, len(rows))
        except ValueError as error:
            raise QueryError(f"The rows cannot be appended: {error}. Give columns as they were built") from None
        table.upsert(rows, vectors, values)
        with self._lock:
            self._late = self._late.with_rows(rows, vectors)

    def delete(self, rows: np.ndarray) -> None:
        """Rows that no search gives any more, once this returns. Other processes see it after ``refresh``.

        A row that was built first gets a tombstone, row -1 - row: killed on the way, it is gone, and not missing.
        """
        table, rows = self._changing(), np.unique(np.asarray(rows, np.int64))
        self._late.check_deleted(rows)
        if not len(rows):
            return
        built = rows[rows < len(self._vectors)]
        table.upsert(-1 - built, self.space.check(self._vectors[built]), cells(None, self._columns, len(built)))
        table.delete(rows)
        with self._lock:
            self._late = self._late.without(rows)

    def refresh(self) -> None:
        """Take in what other processes appended and deleted."""
        with self._lock:
            self._late = compared(self._vectors, self.space, self._changing())

    def activate(self) -> None:
        """Make the alias ``nitari_<collection>_<space>`` name this index's collection, for whoever else asks the server."""
        if self._table is not None and self.uri is not None:
            self._table.point(alias(self.collection, self.space.name))

    def drop(self) -> None:
        """Delete its collection from the server. Nothing where the index is a file of its own."""
        if self._table is not None and self.uri is not None:
            self._table.drop()

    @classmethod
    def forget(cls, space: Space, parameters: Mapping[str, Any]) -> None:
        if parameters["name"] and (uri := place(parameters)):
            Table(uri, parameters["name"], space, []).drop()

    def close(self) -> None:
        """Leave the server; a milvus-lite ends."""
        with self._lock:
            if self._table is not None:
                self._table.close()
                self._table = None

    def _adopt(self, vectors: np.ndarray, unit: bool, name: str, columns: Sequence[Stored]) -> None:
        self._vectors = vectors
        self._scan = Scan(self.space, vectors, unit)
        self._sample = Sample(self._scan)
        self._late = Late.none(len(vectors), self.space)
        self._name = name
        self._columns = list(columns)
        self._table = None
        self._lite = Lite()

    def _nearest(
        self, queries: np.ndarray, k: int, mask: np.ndarray | None, count: int, where: Selection | None
    ) -> Found:
        """The k nearest of the ``count`` built rows that ``mask`` (n,) admits, None for all."""
        wanted, n, pending = min(k, count), len(self._vectors), list(range(len(queries)))
        found: Found = [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
        if not wanted or not self._name or count < self.scan_below:
            return self._scanned(queries, k, mask) if wanted else found
        written = None if mask is None else self._written(where, count / n)
        fetch = self._late.least(wanted if mask is None else 2 * wanted) + _FURTHER
        if mask is not None and written is None:
            fetch = math.ceil(fetch * n / count)
        tests = [f"({written})"] if written else []
        tests += [f"{ROW} >= 0"] if len(self._late.gone) else []  # without their tombstones
        effort = max(self.ef, _AHEAD * fetch)
        for _ in range(2):
            if fetch > MOST:
                break
            self._count("server" if mask is None else "filtered" if written else "widened", len(pending))
            asked = self._opened().search(queries[pending], fetch, effort, " and ".join(tests))
            left = []
            for i, near in zip(pending, asked, strict=True):
                near = near[(near >= 0) & (near < n)]
                near = near if mask is None else near[mask[near]]
                if len(near) >= wanted:
                    found[i] = rank(self.space, queries[i], self._vectors, near, k)
                if len(near) < wanted or self._sample.knows_nearer(queries[i], *found[i], mask):
                    left.append(i)
            pending, fetch, effort = left, fetch * _HARDER, effort * _HARDER
            if not pending:
                return found
        for i, one in zip(pending, self._scanned(queries[pending], k, mask), strict=True):
            found[i] = one
        return found

    def _written(self, where: Selection | None, share: float) -> str | None:
        """The expression of a filter that the server applies without losing neighbours, as the graph of Milvus 2.3 does among
        few admitted ones; below 7% it scans them. None: there is none.
        """
        if where is None or where.filter is None or (self._opened().graph and share > self.filter_below):
            return None
        return expression(where.filter, {column.column: column for column in self._columns})

    def _scanned(self, queries: np.ndarray, k: int, mask: np.ndarray | None) -> Found:
        self._count("scan", len(queries))
        return self._scan.nearest(queries, k, None if mask is None else np.flatnonzero(mask))

    def _count(self, plan: str, queries: int) -> None:
        with self._lock:
            self.plans[plan] += queries

    def _changing(self) -> Table:
        if self._table is None or self.uri is None:
            raise ConfigError(
                f"The index of space '{self.space.name}' is on no server: what is appended or deleted would not last. "
                f"Build it with: index=milvus index.uri=http://…, or set {URI}"
            )
        return self._table

    def _opened(self) -> Table:
        if self._table is None:
            with self._lock:
                if self._table is None:
                    table = Table(self._lite.file(), self._name, self.space, self._columns)
                    table.open()
                    self._table = table
        return self._table
