"""Columns that users bring: typed as they mean them, joined from tables that do not quite agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"  # 007 is a label
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^(?i:nan|[+-]?inf)$"
_LEADING_ZERO = r"^[+-]?0[0-9]"
_BOOLEAN = r"^(?i:true|false)$"


def typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as integers, floats or booleans where every value is one, and as text otherwise."""
    values = column.drop_null()
    if not len(values):
        return column
    for pattern, kind in ((_INTEGER, pa.int64()), (_NUMBER, pa.float64()), (_BOOLEAN, pa.bool_())):
        if pc.all(pc.match_substring_regex(values, pattern)).as_py():
            if kind == pa.float64() and pc.any(pc.match_substring_regex(values, _LEADING_ZERO)).as_py():
                return column
            return (pc.utf8_lower(column) if kind == pa.bool_() else column).cast(kind)
    return column


def from_values(values: Sequence[Any]) -> pa.Array:
    """Python values as one column; nested ones, and those of mixed kinds, as JSON text."""
    if not any(isinstance(value, dict | list) for value in values):
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values
    ]
    return pa.array(texts, pa.string())


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows one after the other, missing columns as nulls; a column of different kinds becomes text throughout."""
    tables = [plain(table) for table in tables]
    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field, column in zip(table.schema, table.columns, strict=True):
            found = kinds.setdefault(field.name, set())
            if column.null_count < len(column):
                found.add(field.type)
    for name, found in kinds.items():
        if len(found) > 1 and all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in found):
            continue  # Arrow promotes numbers
        kind = found.pop() if len(found) == 1 else pa.string()
        tables = [_cast(table, name, kind) if name in table.column_names else table for table in tables]
    return plain(pa.concat_tables(tables, promote_options="permissive"))


def plain(table: pa.Table) -> pa.Table:
    """Ordinary strings for dictionaries, large strings and columns without a type; JSON text for nested values."""
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_nested(kind):
            column = table.column(field.name).to_pylist()
            texts = [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in column]
            table = _set(table, field.name, pa.chunked_array([pa.array(texts, pa.string())]))
            continue
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
            kind = pa.string()
        if kind != field.type:
            table = _cast(table, field.name, kind)
    return table.replace_schema_metadata(None)


def _cast(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    return _set(table, name, table.column(name).cast(kind))


def _set(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
