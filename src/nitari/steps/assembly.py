"""Assembly: the next catalog, out of what is listed and what was found of it, column by column and none of them twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari import catalog
from nitari.catalog import READY, UNREADABLE
from nitari.errors import NitariError
from nitari.source import columns
from nitari.steps.ingest_shard import FOUND_SCHEMA
from nitari.steps.previous import Previous

Columns = dict[str, pa.ChunkedArray]
"""A table that gives its columns away: what has been taken out is in memory no longer."""

_BATCH = 1 << 18


def columns_of(table: pa.Table) -> Columns:
    return dict(zip(table.column_names, table.columns, strict=True))


def wanted(listing: pa.Table, old: Previous, source_name: str) -> pa.Table:
    """Every row that is not gone: what is listed of it, and a ``reason`` where it cannot be read anyway."""
    source = pa.repeat(pa.scalar(source_name), listing.num_rows)
    mine = listing.append_column("source", source)
    others = old.others(source_name)
    names = [name for name in others.column_names if name not in FOUND_SCHEMA.names]
    return columns.concat([mine, others.select(names)])


def at(rows: Mapping[str, pa.ChunkedArray], found: Mapping[str, pa.ChunkedArray]) -> pa.Array:
    """For each row, where its item is first in ``found``, or null: it is not, or it has another fingerprint there."""
    same = rows["item_id"].equals(found["item_id"])  # as in a first ingest; index_in takes 50 bytes a row
    ids, prints = rows["item_id"], rows["fingerprint"]
    place = pa.array(np.arange(len(ids), dtype=np.int32)) if same else pc.index_in(ids, value_set=found["item_id"])
    place = place.combine_chunks() if isinstance(place, pa.ChunkedArray) else place
    known = found["fingerprint"] if same else found["fingerprint"].combine_chunks()
    parts: list[pa.Array] = []
    for start in range(0, len(ids), _BATCH):
        part = slice(start, start + _BATCH)
        there = known[part] if same else known.take(place[part])
        parts += pc.if_else(pc.equal(prints[part], there), place[part], pa.scalar(None, pa.int32())).chunks
    return pa.chunked_array(parts, pa.int32()).combine_chunks()


def assembled(
    rows: Columns, found: Columns, old: Previous, source_name: str, sources: Mapping[str, Mapping[str, Any]]
) -> tuple[pa.Table, pa.Table]:
    """The new catalog, and where its ready rows have their thumbnails. Both ``rows`` and ``found`` are emptied.

    Raises NitariError where a row was neither refused nor found.
    """
    place = at(rows, found)
    refused = pc.is_valid(rows["reason"])
    if lost := pc.sum(pc.and_(pc.is_null(place), pc.invert(refused))).as_py():
        raise NitariError(f"{lost} items were neither read nor refused. Please report this; running again may help")
    gone = old.departed(source_name, rows["item_id"])
    for name in ("item_id", "fingerprint"):
        del found[name]
    for name, value in (("status", UNREADABLE), ("reason", rows["reason"]), ("message", rows["message"])):
        rows[name] = pc.if_else(refused, value, catalog.taken(found.pop(name), place))
    order = _order(rows["status"], rows["source"])
    place = catalog.taken(place, order)
    ready = pc.sum(pc.equal(rows["status"], READY)).as_py() or 0
    values = {}
    for name in [*catalog.SCHEMA.names, *(name for name in rows if name not in catalog.SCHEMA.names)]:
        values[name] = catalog.taken(rows.pop(name), order) if name in rows else catalog.taken(found.pop(name), place)
    places = {name: catalog.taken(found.pop(name), place[:ready]) for name in list(found)}
    table = columns.concat([pa.table(values), gone])
    listed = {name for source in sources.values() for name in source["attributes"]}
    attributes = [name for name in (*old.attributes, *table.column_names) if name in listed]
    own = {field.name: table.column(field.name).cast(field.type) for field in catalog.SCHEMA}
    return pa.table(own | {name: table.column(name) for name in attributes}), pa.table(places)


def _order(status: pa.ChunkedArray, source: pa.ChunkedArray) -> pa.Array:
    """Ready rows first, then the others, each by source and as they are listed."""
    names = pa.array(sorted(pc.unique(source).to_pylist()), pa.string())
    by_source = pc.index_in(source, value_set=names).to_numpy()
    return pa.array(np.lexsort((by_source, pc.not_equal(status, READY).to_numpy())))
