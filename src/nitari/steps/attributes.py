"""Attribute columns of several sources and annotators, joined into one table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows one after the other, missing columns as nulls; a column of different kinds becomes text throughout."""
    tables = [plain(table) for table in tables]
    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    for name, found in kinds.items():
        if len(found - {pa.null()}) > 1 and not all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in found):
            tables = [_cast(table, name, pa.string()) if name in table.column_names else table for table in tables]
    return plain(pa.concat_tables(tables, promote_options="permissive"))


def plain(table: pa.Table) -> pa.Table:
    """Ordinary strings for dictionaries, large strings and columns without any value; no pandas metadata."""
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
            kind = pa.string()
        if kind != field.type:
            table = _cast(table, field.name, kind)
    return table.replace_schema_metadata(None)


def carry(table: pa.Table, old: pa.Table, names: Sequence[str]) -> pa.Table:
    """Add the columns ``names`` of ``old`` to ``table``, for items whose picture (sha256) is still the same."""
    if not names:
        return table
    index = pc.index_in(table.column("item_id"), value_set=old.column("item_id"))
    same = pc.fill_null(pc.equal(old.column("sha256").take(index), table.column("sha256")), False)
    index = pc.if_else(same, index, pa.scalar(None, pa.int32()))
    for name in names:
        if name not in table.column_names:
            table = table.append_column(name, old.column(name).take(index))
    return table


def _cast(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
