"""Assembly: the next catalog says of each item what a dictionary would, in order, and gives back what it was made of."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari import catalog
from nitari.catalog import READY, UNREADABLE
from nitari.errors import NitariError
from nitari.source.listing import SCHEMA
from nitari.steps.assembly import assembled, at, columns_of, wanted
from nitari.steps.ingest_shard import part_schema

SIZES = [96]
NOTHING = catalog.SCHEMA.empty_table()
PARTS = part_schema(SIZES)
ids = st.sampled_from([f"{i:016d}" for i in range(8)])
prints = st.sampled_from(["a", "b", "c"])


def _previous(others: pa.Table, gone: pa.Table = NOTHING, attributes: Sequence[str] = ()) -> Any:
    return SimpleNamespace(others=lambda name: others, departed=lambda name, listed: gone, attributes=attributes)


def _row(item: str, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(catalog.SCHEMA.names), "item_id": item, "fingerprint": "a", **values}


def _listing(rows: dict[str, tuple[str, bool]]) -> pa.Table:
    made = [
        {**dict.fromkeys(SCHEMA.names), "item_id": item, "fingerprint": mark, "reason": "missing" if refused else None}
        for item, (mark, refused) in rows.items()
    ]
    return pa.Table.from_pylist(made, SCHEMA)


def _found(rows: list[tuple[str, str, bool]]) -> pa.Table:
    made = [
        {
            **dict.fromkeys(PARTS.names),
            "item_id": item,
            "fingerprint": mark,
            "status": READY if ready else UNREADABLE,
            "reason": None if ready else "damaged",
            "sha256": f"{item}-{mark}-{number}",
            "offset_96": number if ready else None,
        }
        for number, (item, mark, ready) in enumerate(rows)
    ]
    table = pa.Table.from_pylist(made, PARTS)
    half = len(made) // 2
    return pa.concat_tables([table[:half], table[half:]])


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(ids, st.tuples(prints, st.booleans()), max_size=8),
    st.lists(st.tuples(ids, prints, st.booleans()), max_size=12),
)
def test_as_a_dictionary_would(listed: dict[str, tuple[str, bool]], more: list[tuple[str, str, bool]]):
    asked = [(item, mark, mark != "b") for item, (mark, refused) in listed.items() if not refused]
    rows = asked[::-1] + more
    first: dict[str, int] = {}
    for number, (item, _, _) in enumerate(rows):
        first.setdefault(item, number)
    old = _previous(NOTHING)
    places = at(columns_of(_listing(listed)), columns_of(_found(rows))).to_pylist()
    expected = [first.get(item) for item in listed]
    marks = [mark for mark, _ in listed.values()]
    assert places == [n if n is not None and rows[n][1] == m else None for n, m in zip(expected, marks, strict=True)]

    table, thumbnails = assembled(
        given_rows := columns_of(wanted(_listing(listed), old, "main")),
        found := columns_of(_found(rows)),
        old,
        "main",
        {},
    )
    assert not given_rows
    assert not found
    ready = [item for item, (mark, refused) in listed.items() if not refused and mark != "b"]
    others = [item for item in listed if item not in ready]
    assert table.column("item_id").to_pylist() == ready + others
    assert table.schema.equals(catalog.SCHEMA)
    assert thumbnails.column("offset_96").to_pylist() == [first[item] for item in ready]
    assert table.column("reason").to_pylist() == [None] * len(ready) + [
        "missing" if listed[item][1] else "damaged" for item in others
    ]
    for item, sha256 in zip(ready, table.column("sha256").to_pylist(), strict=False):
        assert sha256 == f"{item}-{listed[item][0]}-{first[item]}"


def test_sources_are_in_order_among_the_ready_and_among_the_others():
    listing = _listing({f"{i:016d}": ("a", i == 1) for i in range(4)})
    other = pa.Table.from_pylist([_row(f"{i:016d}", source="a") for i in (8, 9)], catalog.SCHEMA)
    old = _previous(other)
    found = _found([(f"{i:016d}", "a", i != 9) for i in (9, 3, 2, 0, 8)])
    table, _ = assembled(columns_of(wanted(listing, old, "main")), columns_of(found), old, "main", {})
    assert [int(item) for item in table.column("item_id").to_pylist()] == [8, 0, 2, 3, 9, 1]
    assert table.column("source").to_pylist() == ["a", "main", "main", "main", "a", "main"]


def test_what_is_gone_is_last_and_keeps_its_columns():
    made = pa.Table.from_pylist([_row("9" * 16, source="main", status="gone", width=7)], catalog.SCHEMA)
    gone = made.append_column("price", pa.array(["free"])).append_column("left", pa.array([1]))
    listing = _listing({f"{i:016d}": ("a", i == 0) for i in range(3)}).append_column("price", pa.array([3, 4, 5]))
    old = _previous(NOTHING, gone, ["left", "price"])
    found = _found([(f"{i:016d}", "a", True) for i in range(1, 3)])
    sources = {"main": {"attributes": ["price"]}}
    table, places = assembled(columns_of(wanted(listing, old, "main")), columns_of(found), old, "main", sources)
    assert table.column("status").to_pylist() == ["ready", "ready", "unreadable", "gone"]
    assert table.column("price").to_pylist() == ["4", "5", "3", "free"]  # text, since one is
    assert table.column("width").to_pylist() == [None, None, None, 7]
    assert table.column_names == [*catalog.SCHEMA.names, "price"]
    assert places.num_rows == 2


def test_what_nobody_looked_at_is_an_error():
    old = _previous(NOTHING)
    rows = columns_of(wanted(_listing({"0" * 16: ("a", False)}), old, "main"))
    with pytest.raises(NitariError, match="1 items were neither read nor refused"):
        assembled(rows, columns_of(_found([("0" * 16, "b", True)])), old, "main", {})
