import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.cells import ID, Cells, id_bytes

KINDS = {
    pa.string(): st.text(max_size=5),
    pa.large_string(): st.text(max_size=5),
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float16(): st.just(0.5),
    pa.bool_(): st.booleans(),
    pa.list_(pa.string()): st.lists(st.text(max_size=2), max_size=2),
}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(KINDS)), st.integers(0, 4), st.booleans(), st.data())
def test_values_are_what_arrow_says(kind, chunks, missing, data):
    values = st.lists(KINDS[kind] | st.none() if missing else KINDS[kind], max_size=6)
    parts = [pa.array(data.draw(values), kind) for _ in range(chunks)]
    column = pa.chunked_array([part[i % 2 :] for i, part in enumerate(parts)], kind)
    rows = data.draw(st.lists(st.integers(0, len(column) - 1), max_size=9)) if len(column) else []
    expected = column.to_pylist()
    assert Cells(column).read(rows) == [expected[row] for row in rows]


def test_many_are_taken_together():
    column = pa.chunked_array([[f"{i}" for i in range(300)], ["x", None]])
    rows = np.random.default_rng(0).integers(0, 302, 900).tolist()
    values = column.to_pylist()
    assert Cells(column).read(rows) == [values[row] for row in rows]


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "0123456789abcdef"], [f"{i:016x}" for i in range(7)]])
def test_ids_are_bytes(ids):
    column = pa.chunked_array([pa.array(["aside", *ids], pa.string())[1:], pa.array(ids[::-1], pa.string())])
    found = id_bytes(column)
    assert found.dtype == ID
    assert found.tolist() == [item.encode() for item in ids + ids[::-1]]
