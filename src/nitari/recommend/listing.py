"""Listing: the items of a release in the catalog's order, and how many of them have each value of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from nitari.errors import QueryError
from nitari.filters import Filter, to_text
from nitari.recommend import cursor
from nitari.recommend.page import Page
from nitari.recommend.ranking import Ranked
from nitari.recommend.recommender import Recommender

FEWEST, MOST = 2, 200
"""How many distinct values a column has that is worth choosing by."""


class Facet(NamedTuple):
    """A column's most frequent ``values`` with their counts; ``more`` values are left out."""

    name: str
    values: list[tuple[Any, int]]
    more: int


def browse(
    recommender: Recommender, where: str | Filter | None = None, *, k: int = 60, after: str | None = None
) -> Page:
    """The next k items that ``where`` admits, in the catalog's order, which costs the same however deep. QueryError on a
    bad k or cursor, FilterError.
    """
    if k < 1:
        raise QueryError(f"k is {k}. Ask for at least 1 result")
    shown = where if where is None or isinstance(where, str) else to_text(where)
    asked = cursor.fingerprint(recommender.release.id, "browse", shown)
    start = 0 if after is None else cursor.read(after, asked, deepest=recommender.catalog.n_ready)
    rows = _rows(recommender, where, start, k + 1)
    found = [Ranked(row, 0.0, {}, {}, {}, []) for row in rows[:k].tolist()]
    more = cursor.write(int(rows[k]), asked, recommender.release.id) if len(rows) > k else None
    return recommender.page(found, shown, more)


def facets(
    recommender: Recommender,
    where: str | Filter | None = None,
    columns: Sequence[str] | None = None,
    limit: int = 12,
) -> tuple[int, list[Facet]]:
    """(items that ``where`` admits, how many of them have each value of ``columns``); None: columns of few values.

    QueryError on an unknown column and on one of too many values, FilterError.
    """
    catalog = recommender.catalog
    mask = _mask(recommender, where)
    names = catalog.attributes if columns is None else columns
    found = []
    for name in names:
        catalog.column(name)  # QueryError where it is unknown
        counted = catalog.counts(name, mask)
        if counted is None or (columns is None and not _choosable(counted[0])):
            if columns is None:
                continue
            raise QueryError(f"Column '{name}' has too many values to count. Filter by it with where")
        found.append(_facet(name, *counted, limit))
    return int(np.count_nonzero(mask)), found


def described(recommender: Recommender) -> list[dict[str, Any]]:
    """Name, type and number of distinct values (None: too many) of each column that somebody added."""
    catalog = recommender.catalog
    found = []
    for name in catalog.attributes:
        counted = catalog.counts(name)
        known = None if counted is None else len(counted[0]) - counted[0].null_count
        found.append({"name": name, "type": _kind(catalog.schema.field(name).type), "values": known})
    return found


def attributes(recommender: Recommender, row: int) -> Mapping[str, Any]:
    """What is known of an item, and what ingest read of its picture."""
    catalog = recommender.catalog
    names = ["file_name", "source", "width", "height", "format", "size_bytes", "sha256", *catalog.attributes]
    return catalog.records([row], names)[0]


def _rows(recommender: Recommender, where: str | Filter | None, start: int, count: int) -> np.ndarray:
    hidden = recommender.hidden
    if where is None or where == "":
        rows = np.arange(start, min(start + count + len(hidden), recommender.catalog.n_ready))
    else:
        selection = recommender.catalog.select(where)
        assert selection is not None
        rows = selection.rows[np.searchsorted(selection.rows, start) :][: count + len(hidden)]
    return rows[~np.isin(rows, hidden)][:count]


def _mask(recommender: Recommender, where: str | Filter | None) -> np.ndarray:
    n = recommender.catalog.n_ready
    selection = recommender.catalog.select(where) if where else None
    mask = np.ones(n, bool) if selection is None else selection.mask(n).copy()
    mask[recommender.hidden] = False
    return mask


def _choosable(values: pa.Array) -> bool:
    words = pa.types.is_string(values.type) or pa.types.is_boolean(values.type)
    return words and FEWEST <= len(values) - values.null_count <= MOST


def _facet(name: str, values: pa.Array, counts: np.ndarray, limit: int) -> Facet:
    known = np.flatnonzero((counts > 0) & ~np.asarray(values.is_null()))
    best = known[np.argsort(-counts[known], kind="stable")]
    shown = [(values[int(i)].as_py(), int(counts[i])) for i in best[:limit]]
    return Facet(name, shown, max(len(best) - limit, 0))


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return "string" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else "other"
