"""The catalog: a Parquet table with one row an item. Ready rows come first, so that row i has vector i."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nitari import filters
from nitari.artifact import Artifact
from nitari.cells import ID, Cells, id_bytes
from nitari.collection import Collection
from nitari.errors import ArtifactError, QueryError
from nitari.filters import Filter, Selection
from nitari.guess import in_folder, unknown
from nitari.joined import Joined
from nitari.mask import Masks

FILE = "catalog.parquet"
LIKE_ID = re.compile(r"[a-z0-9]{16}")  # an item id; all else is looked for among the file names
COLUMNS = "columns.parquet"  # of an annotation: one row a ready row of its catalog
ANNOTATION = "annotation:"
"""What an annotation's role begins with where another artifact pins it; the annotator's name follows."""

# Written by ingest. `fingerprint` is what tells a changed original without reading it.
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("source", pa.string()),
        ("file_name", pa.string()),
        ("location", pa.string()),
        ("offset", pa.int64()),  # -1: the whole file
        ("size_bytes", pa.int64()),
        ("fingerprint", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("md5", pa.string()),
        ("sha256", pa.string()),
        ("format", pa.string()),
        ("mode", pa.string()),
        ("width", pa.int32()),  # upright
        ("height", pa.int32()),
        ("frames", pa.int32()),
        ("orientation", pa.int8()),  # EXIF, 1 to 8; 1 where there is none
    ]
)
READY, UNREADABLE, GONE = "ready", "unreadable", "gone"
STATUSES = (READY, UNREADABLE, GONE)


class Catalog:
    """One version of a collection's table and ``annotations`` of it, read column by column as asked for. Thread-safe.

    An annotation's columns are null beyond the ready rows. Raises ArtifactError where one was made from another catalog,
    or has a column that is there already. One that is not ``mapped`` is read now, and holds no file.
    """

    def __init__(
        self, artifact: Artifact, annotations: Mapping[str, Artifact] | None = None, *, mapped: bool = True
    ) -> None:
        self.artifact = artifact
        self.annotations = dict(annotations or {})
        path = artifact.file(FILE)
        self._file = pq.ParquetFile(path if mapped else pa.BufferReader(path.read_bytes()), memory_map=mapped)
        self._annotated: dict[str, pq.ParquetFile] = {}
        known = set(self._file.schema_arrow.names)
        for name, annotation in self.annotations.items():
            annotation.expect_parent("catalog", artifact)
            file = pq.ParquetFile(annotation.file(COLUMNS), memory_map=True)
            for column in file.schema_arrow.names:
                if column in known:
                    raise ArtifactError(
                        f"The column '{column}' of annotator '{name}' is in the catalog already. Remove "
                        f"'{annotation.path.parent}', or annotate again under another column name"
                    )
                known.add(column)
            self._annotated |= dict.fromkeys(file.schema_arrow.names, file)
        self._columns: dict[str, pa.ChunkedArray] = {}
        self._cells: dict[str, Cells] = {}
        self._reading = threading.Lock()  # two threads that read one ParquetFile at once may wait for ever
        self._own: Catalog | None = None  # this one without ``added``
        self.added = SCHEMA.empty_table()
        self.n_stored = self.n_ready = int(artifact.manifest.counts[READY])  # without and with what was added
        self.n_items = self._file.metadata.num_rows
        self._masks = Masks(self.schema.names, self.ready)

    def extended(self, added: pa.Table) -> Catalog:
        """This one and, after its ready rows, ``added`` ones that are ready as well; a column that either side lacks is
        null there. What is read of either is shared, so that this costs what was added, however many are stored.
        """
        own = self if self._own is None else self._own
        wider = Catalog.__new__(Catalog)
        shared = ("artifact", "annotations", "n_stored", "_file", "_annotated", "_reading")
        wider.__dict__.update(
            {name: getattr(own, name) for name in shared}, _own=own, _columns={}, _cells={}, added=added
        )
        wider.n_ready, wider.n_items = own.n_ready + added.num_rows, own.n_items + added.num_rows
        wider._masks = Masks(own.schema.names, lambda name: wider.ready(name)[own.n_ready :], own._masks)
        return wider

    @classmethod
    def newest(cls, collection: Collection) -> Catalog:
        """The newest catalog of a collection, with the newest annotation of each annotator that was made from it."""
        artifact = collection.latest("catalog")
        return cls(artifact, collection.annotations(artifact))

    @classmethod
    def pinned(cls, collection: Collection, by: Artifact) -> Catalog:
        """The catalog that an artifact, such as a release, pins, with the annotations that it pins."""
        names = [role.removeprefix(ANNOTATION) for role in by.manifest.parents if role.startswith(ANNOTATION)]
        annotations = {name: collection.parent(by, f"{ANNOTATION}{name}", name) for name in names}
        return cls(collection.parent(by, "catalog"), annotations)

    @property
    def parents(self) -> dict[str, Artifact]:
        """What an artifact that was made from all of this pins, by role."""
        return {"catalog": self.artifact} | {f"{ANNOTATION}{name}": made for name, made in self.annotations.items()}

    def used(self, where: str | None, columns: Iterable[str] = ()) -> dict[str, str]:
        """The annotations whose columns a filter or ``columns`` name, each with its digest."""
        named = set(columns) | (filters.columns(filters.parse(where)) if where else set())
        found = {name: made.manifest for name, made in self.annotations.items()}
        return {name: made.digest for name, made in found.items() if named & set(made.info["columns"])}

    @cached_property
    def schema(self) -> pa.Schema:
        own: pa.Schema = self._file.schema_arrow
        return pa.schema([*own, *(file.schema_arrow.field(name) for name, file in self._annotated.items())])

    @cached_property
    def attributes(self) -> list[str]:
        """Columns that the user or an annotator added."""
        return [name for name in self.schema.names if name not in SCHEMA.names]

    def column(self, name: str) -> pa.ChunkedArray:
        """(n_items,) values; raises QueryError on an unknown column."""
        if name not in self._columns:
            if name not in self.schema.names:
                raise QueryError(unknown("The catalog has no column", name, self.schema.names))
            if self._own is not None:
                self._columns[name] = self._joined(name, self._own.column(name))
                return self._columns[name]
            with self._reading:
                if name not in self._columns:
                    column = self._annotated.get(name, self._file).read([name]).column(0)
                    if missing := self.n_items - len(column):
                        column = pa.chunked_array([*column.chunks, pa.nulls(missing, column.type)], column.type)
                    self._columns[name] = column
        return self._columns[name]

    def _joined(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if name in self.added.column_names:
            added = self.added.column(name).cast(column.type).chunks
        else:
            added = [pa.nulls(self.added.num_rows, column.type)]
        stored, rest = column[: self.n_stored], column[self.n_stored :]
        return pa.chunked_array([*stored.chunks, *added, *rest.chunks], column.type)

    def ready(self, name: str) -> pa.ChunkedArray:
        """(n_ready,) values of a column, row-aligned with every embedding."""
        return self.column(name)[: self.n_ready]

    def records(self, rows: Iterable[int], names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows as dictionaries, in the order asked for."""
        names = list(names if names is not None else self.schema.names)
        at = [int(row) for row in rows]
        for name in names:
            if name not in self._cells:  # two threads may both make it
                self._cells[name] = Cells(self.column(name))
        columns = [self._cells[name].read(at) for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def row(self, item: str, hint: bool = True) -> int:
        """The ready row of an ``item_id``, or of a ``file_name`` that is unique; raises QueryError otherwise, with a ``hint``."""
        stored = self if self._own is None else self._own
        row = self._newer.get(item, -1)
        unknown_item = f"The catalog has no item '{item}'. Give an item_id or a file_name from it"
        if row < 0 and item.isascii() and 0 < len(item) <= ID.itemsize:
            row = int(stored.find(np.array([item.encode()], ID))[0])
            row += self.added.num_rows if row >= self.n_stored else 0
        if row < 0 and LIKE_ID.fullmatch(item):  # no file name is looked for: that reads them all
            raise QueryError(unknown_item)
        if row < 0:
            rows = np.flatnonzero(pc.equal(self.column("file_name"), item).to_numpy(zero_copy_only=False))
            own, late = self.column("item_id"), range(self.n_stored, self.n_ready)
            newer = [row for row in rows if row in late or str(own[int(row)]) not in self._newer]
            rows = np.array(newer, np.int64) if self._newer else rows
            if not len(rows):
                raise QueryError(f"{unknown_item}{in_folder(item, self.ready('file_name')) if hint else ''}")
            if len(rows) > 1:
                ids = ", ".join(self.ids(rows[:3].tolist()))
                raise QueryError(f"{len(rows)} items have the file_name '{item}'. Give one of their ids: {ids}")
            row = int(rows[0])
        if row >= self.n_ready:
            record = self.records([row], ["status", "message"])[0]
            raise QueryError(
                f"Item '{item}' is {record['status']}: {record['message'] or 'its original is no longer in the source'}"
            )
        return row

    def find(self, ids: np.ndarray) -> np.ndarray:
        """(m,) ``ID`` -> (m,) int64 rows of the artifact; -1: it has none. Costs m binary searches."""
        if self._own is not None:
            return self._own.find(ids)
        if not self.n_items or not len(ids):
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self._sorted_ids, ids), self.n_items - 1)
        return np.where(self._sorted_ids[at] == ids, self._order[at], -1).astype(np.int64)

    def ids(self, rows: Iterable[int]) -> list[str]:
        """The item ids of rows."""
        stored = self.item_ids if self._own is None else self._own.item_ids
        added, n, late = self.added_ids, self.n_stored, self.added.num_rows
        return [
            (added[row - n] if n <= row < n + late else stored[row if row < n else row - late]).decode() for row in rows
        ]

    @cached_property
    def _newer(self) -> dict[str, int]:
        """Rows of added items by id: they stand for older rows of the same item."""
        return {item: self.n_stored + i for i, item in enumerate(self.added.column("item_id").to_pylist())}

    @cached_property
    def added_ids(self) -> np.ndarray:
        """(m,) ``ID`` of the added rows."""
        return id_bytes(self.added.column("item_id"))

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.item_ids, kind="stable").astype(np.int32)

    @cached_property
    def _sorted_ids(self) -> np.ndarray:
        return self.item_ids[self._order]

    @cached_property
    def places(self) -> np.ndarray | Joined:
        """(n_ready,) numbers that are in the order of the item ids, by row."""
        if self._own is None:
            places = np.empty(self.n_items, np.int32)
            places[self._order] = np.arange(self.n_items, dtype=np.int32)
            return places[: self.n_ready]
        before = np.searchsorted(self._own._sorted_ids, self.added_ids)  # what was added comes after the last of them
        among = np.empty(len(before))
        among[np.argsort(self.added_ids, kind="stable")] = np.arange(len(before))
        return Joined(self._own.places, before - 1 + (among + 1) / (len(before) + 1))

    @cached_property
    def item_ids(self) -> np.ndarray:
        """(n_items,) ASCII bytes."""
        if self._own is None:
            return id_bytes(self.column("item_id"))
        own = self._own.item_ids
        return np.concatenate([own[: self.n_stored], self.added_ids, own[self.n_stored :]])

    def select(self, where: str | Filter | None, exclude: Iterable[int] = ()) -> Selection | None:
        """The ready rows that ``where`` admits, without those in ``exclude``; None when nothing is asked for."""
        excluded = np.fromiter(exclude, np.int64)
        if where is not None and where != "":
            selection = self._masks.select(where)
        elif len(excluded):
            selection = Selection.of(None, np.ones(self.n_ready, bool))
        else:
            return None
        return selection.without(excluded, self.n_ready) if len(excluded) else selection

    def counts(self, name: str, mask: np.ndarray | None = None) -> tuple[pa.Array, np.ndarray] | None:
        """How many ready rows, of those in ``mask``, have each value of a column; None where its values are too many."""
        return self._masks.counts(name, mask)

    def mask(self, node: Filter, text: str | None = None) -> np.ndarray:
        """(n_ready,) bool: which ready rows a filter admits. ``text`` is shown in errors."""
        return self._masks.mask(node, filters.to_text(node) if text is None else text)


def arrange(table: pa.Table) -> pa.Table:
    """Sort rows by status (ready, unreadable, gone), keeping their order within each."""
    rank = pc.fill_null(pc.index_in(table.column("status"), value_set=pa.array([READY, UNREADABLE])), 2)
    return taken(table, pa.array(np.argsort(rank.to_numpy(), kind="stable")))


def taken(values: Any, rows: pa.Array) -> Any:
    """The rows of a table or a column in that order; itself, and no copy of it, where it is in it."""
    same = len(rows) == len(values) and not rows.null_count
    return values if same and bool((rows.to_numpy() == np.arange(len(rows))).all()) else values.take(rows)


def counts(table: pa.Table) -> dict[str, int]:
    """What a catalog's manifest counts: total, and rows by status."""
    found = {str(v["values"]): int(v["counts"]) for v in pc.value_counts(table.column("status")).to_pylist()}
    return {"total": table.num_rows, **{status: found.get(status, 0) for status in STATUSES}}
