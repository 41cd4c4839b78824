"""Masks: which rows a filter admits. Columns are dictionary-encoded once, and the masks of recent filters are kept."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari import filters
from nitari.errors import FilterError
from nitari.filters import Filter, Selection
from nitari.guess import unknown
from nitari.value import Value, Word, is_number, is_quoted_number

_CODES = 1 << 16  # a column with more distinct values is compared value by value
_RUNS = 16  # above this many runs of admitted codes, a look-up is faster than comparisons
_KEPT = 1 << 27  # bytes of recent selections

Test = Callable[[pa.Array | pa.ChunkedArray], pa.Array | pa.ChunkedArray]
"""Values -> bool, or null where a value is missing."""


class Column(NamedTuple):
    """``values``, and ``codes`` (n,) into them, which are sorted with null last; without codes, values are (n,)."""

    values: pa.Array | pa.ChunkedArray
    codes: np.ndarray | None

    def admits(self, test: Test) -> np.ndarray:
        """(n,) bool: rows whose value passes; a missing one passes where ``test`` says so, not where it says null."""
        kept = pc.fill_null(test(self.values), False).to_numpy(zero_copy_only=False).astype(bool)
        if self.codes is None:
            return np.asarray(kept)
        framed = np.zeros(len(kept) + 2, bool)
        framed[1:-1] = kept
        edges = np.flatnonzero(framed[1:] != framed[:-1]).reshape(-1, 2).tolist()
        if len(edges) > _RUNS:
            return np.asarray(kept[self.codes])
        mask: np.ndarray | None = None
        for start, stop in edges:
            if stop - start == 1:
                run = self.codes == start
            else:
                run = self.codes >= start
                np.logical_and(run, self.codes <= stop - 1, out=run)
            mask = run if mask is None else np.logical_or(mask, run, out=mask)
        return np.zeros(len(self.codes), bool) if mask is None else mask


def encode(column: pa.ChunkedArray) -> Column:
    """A column with the codes of its values, or as it is where they are too many or of a kind that has no codes."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        parts = column.dictionary_encode("encode").chunks
        values = parts[-1].dictionary if parts else column  # all parts share one
        if not parts or len(values) > _CODES:
            return Column(column, None)
        order = pc.sort_indices(values)
    except pa.ArrowNotImplementedError:
        return Column(column, None)
    rank = np.empty(len(order), np.uint8 if len(order) <= 256 else np.uint16)
    rank[order.to_numpy()] = np.arange(len(order))
    return Column(values.take(order), np.concatenate([rank[part.indices.to_numpy()] for part in parts]))


class Masks:
    """Evaluates filters over ``read(name)``, (n,) columns; where there are ``first`` masks, over their rows and then those.
    Thread-safe.
    """

    def __init__(self, names: list[str], read: Callable[[str], pa.ChunkedArray], first: Masks | None = None) -> None:
        self.names = names
        self._first = first
        self._read = read
        self._columns: dict[str, Column] = {}
        self._recent: OrderedDict[str, Selection] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def select(self, where: str | Filter) -> Selection:
        """The selection of a filter, as text or parsed. Raises FilterError pointing at the place."""
        text = where if isinstance(where, str) else filters.to_text(where)
        with self._lock:
            if text in self._recent:
                self._recent.move_to_end(text)
                return self._recent[text]
        node = filters.parse(where) if isinstance(where, str) else where
        mask = self.mask(node, text)
        selection = Selection.of(node, mask)
        with self._lock:
            if text in self._recent:  # another thread was faster
                return self._recent[text]
            self._recent[text] = selection
            self._bytes += _size(selection, len(mask))
            while self._bytes > _KEPT:
                self._bytes -= _size(self._recent.popitem(last=False)[1], len(mask))
        return selection

    def mask(self, node: Filter, text: str) -> np.ndarray:
        """(n,) bool, the caller's own. ``text`` is shown in errors."""
        own = self._evaluated(node, text)
        return own if self._first is None else np.concatenate([self._first.mask(node, text), own])

    def _evaluated(self, node: Filter, text: str) -> np.ndarray:
        if isinstance(node, filters.Not):
            mask = self._evaluated(node.part, text)
            return np.logical_not(mask, out=mask)
        if isinstance(node, filters.And | filters.Or):
            combine = np.logical_and if isinstance(node, filters.And) else np.logical_or
            mask = self._evaluated(node.parts[0], text)
            for part in node.parts[1:]:
                combine(mask, self._evaluated(part, text), out=mask)
            return mask
        if node.column not in self.names:
            own = isinstance(node, filters.In | filters.IsNull)  # the others know where their value stands
            raise FilterError(
                f"{unknown('The catalog has no column', node.column, self.names)}. "
                "Annotators add more: nitari annotate --help",
                text,
                node.position if own else max(text.rfind(node.column, 0, node.position), 0),
            )
        column = self._column(node.column)
        return column.admits(_test(node, column.values.type, text))

    def counts(self, name: str, mask: np.ndarray | None = None) -> tuple[pa.Array, np.ndarray] | None:
        """(values, (m,) int64 how many of the rows in ``mask`` have each), values sorted and null last; None where a
        column has no codes: too many values, or of a kind that cannot be counted.
        """
        values, codes = self._column(name)
        if codes is None:
            return None
        if self._first is None:
            return values, np.bincount(codes if mask is None else codes[mask], minlength=len(values))
        n = 0 if mask is None else len(mask) - len(codes)
        first = self._first.counts(name, None if mask is None else mask[:n])
        if first is None:
            return None
        own = np.bincount(codes if mask is None else codes[mask[n:]], minlength=len(values))
        added = Counter(dict(zip(values.to_pylist(), own.tolist(), strict=True)))
        added.update(dict(zip(first[0].to_pylist(), first[1].tolist(), strict=True)))
        both = pa.array(list(added), values.type)
        order = pc.sort_indices(both)
        return both.take(order), np.array(list(added.values()), np.int64)[order.to_numpy()]

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            column = encode(self._read(name))
            self._columns[name] = column  # two threads may both encode it: the same twice
        return self._columns[name]


def _size(selection: Selection, n: int) -> int:
    """Bytes of its mask and, once asked for, of its rows."""
    return n + 8 * selection.count


def _test(node: filters.Eq | filters.In | filters.Range | filters.IsNull, kind: pa.DataType, text: str) -> Test:
    if isinstance(node, filters.IsNull):
        return pc.is_null
    if isinstance(node, filters.Eq):
        wanted = literal(node.value, kind, node, text)
        return lambda values: pc.equal(values, wanted)
    if isinstance(node, filters.In):
        literals = [literal(value, kind, node, text) for value in node.values]
        wider = next((one.type for one in literals if one.type != kind), kind)  # integers asked for by a decimal
        several = pa.array([one.as_py() for one in literals], wider)
        return lambda values: pc.is_in(values.cast(wider), value_set=several, skip_nulls=True)
    bounds = []
    if node.low is not None:
        bounds.append((pc.greater_equal if node.include_low else pc.greater, literal(node.low, kind, node, text)))
    if node.high is not None:
        bounds.append((pc.less_equal if node.include_high else pc.less, literal(node.high, kind, node, text)))
    return lambda values: _all([compare(values, bound) for compare, bound in bounds])


def _all(parts: list[pa.Array | pa.ChunkedArray]) -> pa.Array | pa.ChunkedArray:
    return parts[0] if len(parts) == 1 else pc.and_(*parts)


def literal(value: Value, kind: pa.DataType, node: filters.Eq | filters.In | filters.Range, text: str) -> pa.Scalar:
    """A value typed as its column; integers meet decimals as floats, so that ``width<99.5`` means what it says."""
    if isinstance(node, filters.Range):
        _check_order(value, kind, node, text)
    try:
        if pa.types.is_integer(kind) and "." in str(value):
            return pa.scalar(float(value), pa.float64())
        if pa.types.is_boolean(kind) and str(value).lower() not in ("true", "false"):
            raise ValueError(value)
        return pa.scalar(str(value).lower() if isinstance(value, bool) else str(value)).cast(kind)
    except (pa.ArrowException, ValueError):
        message = f"Column '{node.column}' holds {kind}; '{value}' is not one. {_remedy(kind, node.column)}"
        raise FilterError(message, text, node.position) from None


def _check_order(value: Value, kind: pa.DataType, node: filters.Range, text: str) -> None:
    """Numbers among text would be ordered letter by letter, 10 before 3: nobody means that unless by quotes."""
    if _is_text(kind) and is_number(value):
        what, meant = f"text ({kind}), and {value} is a number", str(value)
        remedy = "To compare letter by letter write {}, or name a column of numbers"
    elif _is_numeric(kind) and is_quoted_number(value):
        what, meant = f"numbers ({kind}), and '{value}' in quotes is text", Word(value)
        remedy = "Write {}"
    else:
        return
    low = value == node.low
    example = filters.to_text(replace(node, low=meant if low else None, high=None if low else meant))
    raise FilterError(f"Column '{node.column}' holds {what}. {remedy.format(example)}", text, node.position)


def _remedy(kind: pa.DataType, column: str) -> str:
    if pa.types.is_boolean(kind):
        return "Give true or false"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "Give a date, such as 2026-12-31"
    if pa.types.is_integer(kind):
        return "Give a whole number that it can hold, such as 64, or one with a decimal point"
    if _is_numeric(kind):
        return "Give a number that it can hold"
    return f"Nothing can be compared with it; ask for {filters.to_text(filters.IsNull(column))}"


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_numeric(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
