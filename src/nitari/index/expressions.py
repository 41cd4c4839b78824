"""Expressions: filters in Milvus's language, over columns that are stored beside the vectors.

Every column has a second field that says where its value is missing, because Milvus knows no missing values before 2.5 and
three truth values since: so each comparison is true or false, and ``not`` admits what it admits in ``nitari.mask``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari import filters
from nitari.errors import FilterError
from nitari.filters import Filter
from nitari.mask import literal
from nitari.value import Value

NEVER = "row < -9000000000000000000"
_KINDS = {
    "integer": pa.int64(),
    "double": pa.float64(),
    "single": pa.float32(),
    "boolean": pa.bool_(),
    "text": pa.string(),
}
_EMPTY = {"integer": 0, "double": 0.0, "single": 0.0, "boolean": False, "text": ""}
_EXACT = 1 << 53  # integers up to here are the same as decimals
_BYTES = 65_535  # of a text
_PLAIN = re.compile(r"[^\"\\\x00-\x1f\x7f]*")  # what needs no escape, of which servers differ in their opinion
_LONGEST = 32_768  # characters of an expression


class Stored(NamedTuple):
    """A catalog column as a server holds it: in ``field``, and in ``field``_null whether it is missing."""

    column: str
    field: str
    kind: str

    @property
    def null(self) -> str:
        return f"{self.field}_null"


def stored(attributes: pa.Table | None) -> list[Stored]:
    """The columns that a server can hold exactly: integers within 2^53, finite decimals, booleans, texts of 64 KB."""
    columns = [] if attributes is None else zip(attributes.column_names, attributes.columns, strict=True)
    kinds = [(name, _kind(values)) for name, values in columns]
    return [Stored(name, f"c{i}", kind) for i, (name, kind) in enumerate((n, k) for n, k in kinds if k)]


def cells(attributes: pa.Table | None, columns: Sequence[Stored], count: int) -> pa.Table:
    """(count,) values, a column a field; a column that ``attributes`` lack is missing throughout.

    Raises FilterError's cause, ValueError, where a value is not one that the column can hold.
    """
    found: dict[str, pa.ChunkedArray] = {}
    for column in columns:
        if attributes is None or column.column not in attributes.column_names:
            values = pa.chunked_array([pa.nulls(count, _KINDS[column.kind])])
        else:
            values = _plain(attributes[column.column])
            if len(values) - values.null_count and _kind(values) != column.kind:
                raise ValueError(f"column '{column.column}' holds {column.kind}, not {values.type}")
            values = values.cast(_KINDS[column.kind])
        found[column.null] = pc.is_null(values)
        found[column.field] = pc.fill_null(values, _EMPTY[column.kind])
    return pa.table(found)


def expression(node: Filter, columns: Mapping[str, Stored]) -> str | None:
    """What admits exactly the rows that ``node`` does; None where a column is not stored or a value cannot be written."""
    text = _written(node, columns)
    return text if text is not None and len(text) <= _LONGEST else None


def _written(node: Filter, columns: Mapping[str, Stored]) -> str | None:
    if isinstance(node, filters.Not):
        part = _written(node.part, columns)
        return None if part is None else f"not ({part})"
    if isinstance(node, filters.And | filters.Or):
        parts = [_written(part, columns) for part in node.parts]
        word = " and " if isinstance(node, filters.And) else " or "
        return None if None in parts else word.join(f"({part})" for part in parts)
    column = columns.get(node.column)
    if column is None:
        return None
    if isinstance(node, filters.IsNull):
        return f"{column.null} == true"
    test = _test(node, column)
    return None if test is None else f"({column.null} == false) and ({test})"


def _test(node: filters.Eq | filters.In | filters.Range, column: Stored) -> str | None:
    if isinstance(node, filters.Range):
        sides = [
            (">=" if node.include_low else ">", node.low),
            ("<=" if node.include_high else "<", node.high),
        ]
        tests = [_compared(column, sign, value, node) for sign, value in sides if value is not None]
        return None if None in tests or column.kind == "boolean" else " and ".join(f"({test})" for test in tests)
    values = (node.value,) if isinstance(node, filters.Eq) else node.values
    tests = [_compared(column, "==", value, node) for value in values]
    if None in tests:
        return None
    several = [test for test in dict.fromkeys(tests) if test != NEVER]
    if not several:
        return NEVER
    if len(several) == 1 or column.kind == "boolean":
        return " or ".join(f"({test})" for test in several)
    return f"{column.field} in [{', '.join(str(test).removeprefix(f'{column.field} == ') for test in several)}]"


def _compared(column: Stored, sign: str, value: Value, node: filters.Eq | filters.In | filters.Range) -> str | None:
    """One comparison with one value; integers are compared with decimals as ``nitari.mask`` does."""
    try:
        meant = literal(value, _KINDS[column.kind], node, "").as_py()
    except FilterError:
        return None
    if column.kind == "text":
        if not _PLAIN.fullmatch(meant):
            return None
        return f'{column.field} {sign} "{meant}"'
    if column.kind == "boolean":
        return f"{column.field} {sign} {str(meant).lower()}"
    if not math.isfinite(meant) or abs(meant) > _EXACT:
        return None
    if column.kind == "integer" and isinstance(meant, float):
        if sign == "==" and meant != int(meant):
            return NEVER
        meant = math.ceil(meant) if sign in (">=", "<") else math.floor(meant)
    return f"{column.field} {sign} {meant!r}"


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _kind(values: pa.ChunkedArray) -> str | None:
    values = _plain(values)
    kind = values.type
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        return "text" if longest <= _BYTES else None
    if pa.types.is_integer(kind):
        least, most = (pc.min_max(values)[side].as_py() or 0 for side in ("min", "max"))
        return "integer" if least >= -_EXACT and most <= _EXACT else None
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        known = pc.drop_null(values).to_numpy()
        if not (np.isfinite(known).all() and (np.abs(known) <= _EXACT).all()):
            return None
        return "double" if pa.types.is_float64(kind) else "single"
    return None
