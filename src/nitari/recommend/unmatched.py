"""Unmatched: why a filter admits nothing, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari import filters
from nitari.catalog import Catalog
from nitari.filters import And, Eq, Filter

_TOLD = 6  # values of a column
_WIDEST = 40  # characters of one


def unmatched(catalog: Catalog, where: str | Filter, hidden: np.ndarray | None = None) -> str:
    """Which part of a filter no ready row fulfils, and what there is instead; empty where all of it admits something.
    ``hidden`` rows are no pictures any more.
    """
    node = filters.parse(where) if isinstance(where, str) else where
    shown = np.ones(catalog.n_ready, bool)
    shown[np.empty(0, np.int64) if hidden is None else hidden] = False
    if (catalog.mask(node) & shown).any():
        return ""
    parts = list(_parts(node))
    for part in parts:
        if not (catalog.mask(part) & shown).any():
            named = filters.columns(part)
            there = _values(catalog, named.pop(), shown) if len(named) == 1 else ""
            return f"No picture has {filters.to_text(part)}. {there}".rstrip()
    return "Pictures have each of " + ", ".join(map(filters.to_text, parts)) + ", but none has all"


def _parts(node: Filter) -> Iterator[Filter]:
    """What has to be fulfilled all together."""
    if isinstance(node, And):
        for part in node.parts:
            yield from _parts(part)
    else:
        yield node


def _values(catalog: Catalog, name: str, shown: np.ndarray) -> str:
    """What a column holds: from where to where it goes, or its commonest values with their numbers."""
    column = catalog.ready(name)
    if _is_ordered(column.type):
        least, most = pc.min_max(column.filter(pa.array(shown))).as_py().values()
        return f"{name} has no value" if least is None else f"{name} goes from {_number(least)} to {_number(most)}"
    counted = catalog.counts(name, shown)
    if counted is None:
        return ""
    values, counts = counted
    order = [i for i in np.argsort(-counts, kind="stable").tolist() if values[i].is_valid and counts[i]]
    told = ", ".join(f"{_value(values[i].as_py())} ({counts[i]:,})" for i in order[:_TOLD])
    more = f" and {len(order) - _TOLD:,} more" if len(order) > _TOLD else ""
    return f"{name} has {told}{more}" if told else f"{name} has no value"


def _is_ordered(kind: pa.DataType) -> bool:
    """Whether a range says more than examples."""
    kinds = pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal
    return any(is_one(kind) for is_one in kinds)


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _value(value: object) -> str:
    """As a filter would have it, on one line."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    line = " ".join(value.split())
    return filters.to_text(Eq("_", line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"))[2:]
