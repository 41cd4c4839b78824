"""Listings: the table that every source gives to ingest, built row by row without holding objects for millions."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nitari import catalog
from nitari.errors import SourceError
from nitari.source import columns

log = logging.getLogger(__name__)

# `fingerprint` changes with the original. Rows with a `reason` (see reasons.REASONS) are not read.
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("file_name", pa.string()),
        ("location", pa.string()),
        ("offset", pa.int64()),  # -1: the whole file
        ("size_bytes", pa.int64()),
        ("fingerprint", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
    ]
)
_BATCH = 16384


def item_id(source_name: str, key: str) -> str:
    """16 characters, a-z and 2-7: 80 bits of the sha256 of where an item sits."""
    digest = hashlib.sha256(os.fsencode(source_name) + b"\0" + os.fsencode(key)).digest()
    return base64.b32encode(digest[:10]).decode().lower()


class Listing:
    """Collects rows; ``key`` is an item's place in its source, unique and stable."""

    def __init__(self, source_name: str) -> None:
        self.source_name = source_name
        self._rows: list[tuple[Any, ...]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(
        self,
        key: str,
        location: str,
        *,
        file_name: str | None = None,
        offset: int = -1,
        size: int = 0,
        fingerprint: str = "",
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        shown = key if file_name is None else file_name
        if reason is None and not _is_text(location):
            reason, message = "refused", "Its name is not UTF-8. Rename it"
        self._rows.append(
            (
                item_id(self.source_name, key),
                text(shown),
                text(location),
                offset,
                size,
                fingerprint or reason or "",
                reason,
                None if message is None else text(message),
            )
        )
        if len(self._rows) >= _BATCH:
            self._flush()

    def table(self) -> pa.Table:
        self._flush()
        return pa.Table.from_batches(self._batches, SCHEMA)

    def _flush(self) -> None:
        if self._rows:
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(zip(*self._rows, strict=True), SCHEMA, strict=True)
            ]
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
            self._rows = []


def finish(table: pa.Table, attributes: pa.Table, where: str) -> pa.Table:
    """Rows of SCHEMA and the user's columns beside them as a listing: not empty, no id twice, no column in the catalog's way."""
    if not table.num_rows:
        raise SourceError(f"There are no files in {where}. Check the path: source.path=PATH")
    if pc.count_distinct(table.column("item_id")).as_py() < table.num_rows:
        counted = pc.value_counts(table.column("item_id"))
        twice = counted.filter(pc.greater(pc.struct_field(counted, "counts"), 1))
        rows = pc.is_in(table.column("item_id"), value_set=pc.struct_field(twice, "values"))
        names = ", ".join(f"'{name}'" for name in pc.unique(table.column("file_name").filter(rows))[:3].to_pylist())
        raise SourceError(
            f"{len(twice)} items of {where} occur more than once, among them {names}. "
            "Remove the repeated rows, or give the table a column item_id without repetitions"
        )
    final, taken = list(table.column_names), set(SCHEMA.names)
    for name in attributes.column_names:
        new = f"source_{name}" if name in catalog.SCHEMA.names else name.strip() or "unnamed"
        while new in taken:
            new += "_"
        if new != name:
            log.warning("The column '%s' of %s is called '%s' in the catalog", name, where, new)
        final.append(new)
        taken.add(new)
    return columns.plain(pa.table([*table.columns, *attributes.columns], final))


def text(value: str) -> str:
    """What of a file name can be shown and stored."""
    return value if _is_text(value) else os.fsencode(value).decode("utf-8", "replace")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
