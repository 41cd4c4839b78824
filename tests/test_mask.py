import math
import threading
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari import mask
from nitari.errors import FilterError
from nitari.filters import And, Eq, Filter, In, IsNull, Not, Or, Range, Selection
from nitari.mask import Masks, encode

WORDS = st.sampled_from(["", "bag", "shoe", "Zebra", "é", "東京", "a b", "true", "7"])
KINDS = {
    "word": (pa.string(), WORDS),
    "large": (pa.large_string(), WORDS),
    "whole": (pa.int64(), st.integers(-3, 3)),
    "small": (pa.int8(), st.integers(-128, 127)),
    "real": (pa.float64(), st.sampled_from([-1.5, 0.0, 0.5, 2.0, math.nan, math.inf])),
    "flag": (pa.bool_(), st.booleans()),
    "kind": (pa.dictionary(pa.int8(), pa.string()), WORDS),
}


def leaves(name: str) -> st.SearchStrategy[Filter]:
    values = KINDS[name][1].filter(lambda value: value == value)
    return st.one_of(
        st.builds(Eq, st.just(name), values),
        st.builds(In, st.just(name), st.lists(values, min_size=1, max_size=4).map(tuple)),
        st.builds(IsNull, st.just(name)),
        st.tuples(values, values, st.booleans(), st.booleans(), st.integers(0, 2)).map(
            lambda v: Range(name, None if v[4] == 1 else v[0], None if v[4] == 2 else v[1], v[2], v[3])
        ),
    )


trees = st.recursive(
    st.sampled_from(sorted(KINDS)).flatmap(leaves),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def admits(node: Filter, row: dict[str, object]) -> bool:
    """The grammar's promise, value by value."""
    if isinstance(node, Not):
        return not admits(node.part, row)
    if isinstance(node, And | Or):
        return (all if isinstance(node, And) else any)(admits(part, row) for part in node.parts)
    value = row[node.column]
    if isinstance(node, IsNull):
        return value is None
    if value is None:
        return False
    if isinstance(node, Eq):
        return value == node.value
    if isinstance(node, In):
        return value in node.values
    low = node.low is None or (value >= node.low if node.include_low else value > node.low)
    high = node.high is None or (value <= node.high if node.include_high else value < node.high)
    return low and high


def masks(columns: dict[str, pa.ChunkedArray]) -> Masks:
    return Masks(list(columns), lambda name: columns[name])


@settings(max_examples=150, deadline=None)
@given(trees, st.integers(0, 40), st.integers(1, 3), st.booleans(), st.data())
def test_a_mask_is_what_the_grammar_says_row_by_row(node, n, chunks, coded, data):
    values = {name: data.draw(st.lists(st.none() | each, min_size=n, max_size=n)) for name, (_, each) in KINDS.items()}
    columns = {
        name: pa.chunked_array([pa.array(values[name][i::chunks], kind) for i in range(chunks)])
        for name, (kind, _) in KINDS.items()
    }
    order = [row for i in range(chunks) for row in range(i, n, chunks)]
    with pytest.MonkeyPatch.context() as patch:
        if not coded:
            patch.setattr(mask, "_CODES", 0)
        found = masks(columns).mask(node, "")
    expected = [admits(node, {name: values[name][row] for name in KINDS}) for row in order]
    assert found.dtype == bool
    assert found.tolist() == expected


@pytest.mark.parametrize("n", [200, 300, 70_000])
def test_many_values_and_many_of_them_wanted(n):
    """One byte a code, two, and too many for codes; runs of codes, and so many that they are looked up."""
    random = np.random.default_rng(n)
    column = random.integers(0, n, 3 * n)
    found = masks({"x": pa.chunked_array([column])})
    for wanted in (range(5), random.permutation(n)[: n // 3].tolist()):
        mask = found.mask(In("x", tuple(wanted)), "")
        assert np.array_equal(mask, np.isin(column, wanted))
    assert np.array_equal(found.mask(Range("x", 5, n // 2, True, False), ""), (column >= 5) & (column < n // 2))


def test_columns_without_codes_answer_what_they_can():
    tags = pa.chunked_array([pa.array([["a"], None, []])])
    assert encode(tags).codes is None
    assert masks({"tags": tags}).mask(IsNull("tags"), "").tolist() == [False, True, False]
    with pytest.raises(FilterError, match=r"holds list<.*'a' is not one"):
        masks({"tags": tags}).mask(Eq("tags", "a"), "tags=a")


@pytest.mark.parametrize(
    ("where", "position", "message"),
    [
        ("word>3", 5, r"'word' holds text \(string\), and 3 is a number. .* write word>'3'"),
        (
            "whole=1 and not kind<=-1.5",
            22,
            r"'kind' holds text \(string\), and -1.5 is a number. .* write kind<='-1.5'",
        ),
        ("large<1e3", 6, r"'large' holds text \(large_string\), and 1e3 is a number"),
        ("whole>'3'", 6, r"'whole' holds numbers \(int64\), and '3' in quotes is text. Write whole>3"),
        ('real<="1.5"', 6, r"holds numbers \(double\), and '1.5' in quotes is text. Write real<=1.5"),
        ("small>200", 6, "holds int8; '200' is not one. Give a whole number"),
        ("real>much", 5, "holds double; 'much' is not one. Give a number"),
        ("flag>3", 5, "holds bool; '3' is not one. Give true or false"),
        ("when>2024", 5, r"holds timestamp\[us\]; '2024' is not one. Give a date"),
        ("nothing>3", 8, "holds null; '3' is not one. .* ask for nothing is null"),
    ],
)
def test_numbers_and_text_have_no_order(where: str, position: int, message: str):
    found = masks(typed())
    with pytest.raises(FilterError, match=message) as caught:
        found.select(where)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("where", "admitted"),
    [
        ("word>'3'", [0]),
        ("word>=a", [0]),
        ("word>2024-01-01", [0, 1]),
        ("word=3", [1]),
        ("kind in (3, 'a')", [0, 1]),
        ("whole='3'", [1]),
        ("whole<3", [0]),
        ("whole<=2.5", [0]),
        ("real>-1e3", [0, 1]),
        ("flag>=true", [0]),
        ("when>2024-01-01", [1]),
        ("when<'2024-01-01 10:00'", [0]),
        ("nothing is null", [0, 1, 2]),
    ],
)
def test_what_has_an_order_is_compared(where: str, admitted: list[int]):
    found = masks(typed())
    selection = found.select(where)
    assert selection.rows.tolist() == admitted
    assert np.array_equal(found.mask(selection.filter, where), found.select(selection.filter).mask(3))


def typed() -> dict[str, pa.ChunkedArray]:
    """Two values and a missing one of each type."""
    text = ["a", "3", None]
    columns = {
        "word": pa.array(text),
        "large": pa.array(text, pa.large_string()),
        "kind": pa.array(text).dictionary_encode(),
        "whole": pa.array([1, 3, None]),
        "small": pa.array([1, 3, None], pa.int8()),
        "real": pa.array([0.5, 2.0, None]),
        "flag": pa.array([True, False, None]),
        "when": pa.array([datetime(2023, 5, 1), datetime(2024, 5, 1), None], pa.timestamp("us")),
        "nothing": pa.nulls(3),
    }
    return {name: pa.chunked_array([column]) for name, column in columns.items()}


def test_recent_filters_are_kept_up_to_a_size(monkeypatch):
    monkeypatch.setattr(mask, "_KEPT", 3 * (1000 + 8 * 10))
    found = masks({"x": pa.chunked_array([np.arange(1000) // 10])})
    first = found.select("x=1")
    assert found.select("x=1") is first
    for i in range(2, 5):
        found.select(f"x={i}")
    assert found.select("x=1") is not first
    assert found.select("x=4") is found.select("x=4")
    assert found._bytes <= 3 * (1000 + 8 * 10)
    everything = found.select("x>=0")  # larger than all that may be kept
    assert everything.count == 1000
    assert found.select("x>=0") is not everything


def test_threads_share_them():
    found = masks({"x": pa.chunked_array([np.arange(1000) % 7])})
    wrong = []

    def ask():
        for i in range(200):
            if found.select(f"x={i % 9}").count != (np.arange(1000) % 7 == i % 9).sum():
                wrong.append(i)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert found._bytes == sum(1000 + 8 * selection.count for selection in found._recent.values())


def test_a_selection_is_rows_and_a_mask():
    mask = np.array([True, False, True, True])
    of_mask, of_rows = Selection.of(None, mask.copy()), Selection(None, np.array([0, 2, 3]))
    for selection in (of_mask, of_rows):
        assert selection.count == 3
        assert selection.rows.tolist() == [0, 2, 3]
        assert selection.mask(4).tolist() == mask.tolist()
        with pytest.raises(ValueError, match="read-only"):
            selection.mask(4)[0] = False
        fewer = selection.without(np.array([2, 2, 1]), 4)
        assert (fewer.count, fewer.rows.tolist()) == (2, [0, 3])
        assert selection.count == 3


@pytest.mark.parametrize(
    "where", ["size=1 and foo is null", "size=1 and foo in (1, 2)", "size=1 and foo=3", "size=1 and foo>foo"]
)
def test_an_unknown_column_is_pointed_at_where_it_stands(where):
    masks = Masks(["size"], lambda name: pa.chunked_array([[1, 2]]))
    with pytest.raises(FilterError, match="no column 'foo'") as caught:
        masks.select(where)
    assert caught.value.position == where.index("foo")
