"""Unmatched: why a filter admits nothing, in words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari import filters
from nitari.catalog import Catalog
from nitari.filters import Filter

_TOLD = 6  # values of a column


def unmatched(catalog: Catalog, where: str | Filter) -> str:
    """Which part of a filter no ready row fulfils, and what there is instead; empty where all of it admits something."""
    node = filters.parse(where) if isinstance(where, str) else where
    if catalog.mask(node).any():
        return ""
    parts = node.parts if isinstance(node, filters.And) else (node,)
    for part in parts:
        if not catalog.mask(part).any():
            named = filters.columns(part)
            there = _values(catalog, named.pop()) if len(named) == 1 else ""
            return f"No picture has {filters.to_text(part)}. {there}".rstrip()
    return "Pictures have each of " + ", ".join(map(filters.to_text, parts)) + ", but none has all"


def _values(catalog: Catalog, name: str) -> str:
    """What a column holds: its commonest values with their numbers, or from where to where it goes."""
    column = catalog.ready(name)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        least, most = pc.min_max(column).as_py().values()
        return f"{name} has no value" if least is None else f"{name} goes from {least:g} to {most:g}"
    counted = catalog.counts(name)
    if counted is None:
        return ""
    values, counts = counted
    order = [i for i in np.argsort(-counts, kind="stable").tolist() if values[i].is_valid and counts[i]]
    told = ", ".join(
        f"{filters.to_text(filters.Eq('_', values[i].as_py()))[2:]} ({counts[i]:,})" for i in order[:_TOLD]
    )
    more = f" and {len(order) - _TOLD} more" if len(order) > _TOLD else ""
    return f"{name} has {told}{more}" if told else f"{name} has no value"
