"""The index over Milvus: filters, exactness, changes by several processes, and what is refused."""

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.milvus.conftest import SPACE, N

from nitari import filters
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError, QueryError
from nitari.filters import And, Eq, In, IsNull, Not, Or, Range, Selection
from nitari.index import MutableIndex, Served, remote
from nitari.index.exact import Exact
from nitari.index.expressions import expression
from nitari.index.milvus import Milvus
from nitari.index.tuning import ann_recall
from nitari.value import Word

VALUES = {
    "category": ["c0", "c3", "c9"],
    "word": ["bag", "shoe", "靴", "it's", "Bag", "", "zz", 'say "so"', "a\\b"],
    "stock": ["-5", "0", "3", "2.5", "3.0", "-0.5"],
    "price": ["-1", "0", "2.25", "9.75", "1e-3"],
    "weight": ["0.1", "0.3", "0.55"],
    "new": ["true", "FALSE"],
    "day": ["1970-01-04"],
    "large": [str(2**60)],
}


def leaves():
    def of(column):
        value = st.sampled_from([Word(value) for value in VALUES[column]])  # as they are parsed
        several = st.lists(value, min_size=1, max_size=4).map(tuple)
        kinds = [
            st.builds(Eq, st.just(column), value),
            st.builds(In, st.just(column), several),
            st.just(IsNull(column)),
        ]
        if column != "new":
            low, high = st.none() | value, st.none() | value
            ranges = st.builds(Range, st.just(column), low, high, st.booleans(), st.booleans())
            kinds.append(ranges.filter(lambda one: one.low is not None or one.high is not None))
        return st.one_of(kinds)

    return st.sampled_from(sorted(VALUES)).flatmap(of)


FILTERS = st.recursive(
    leaves(),
    lambda part: (
        st.builds(Not, part)
        | st.lists(part, min_size=2, max_size=3).map(tuple).map(And)
        | st.lists(part, min_size=2, max_size=3).map(tuple).map(Or)
    ),
    max_leaves=5,
)
SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def exact(vectors, queries, k, where=None):
    oracle = Exact(SPACE)
    oracle.build(vectors)
    return oracle.search(queries, k, where=where)


@SOME
@given(FILTERS)
def test_an_expression_admits_what_the_mask_does(index, masks, node):
    written = expression(node, {column.column: column for column in index._columns})
    if written is None:
        values = filters.to_text(node)
        assert filters.columns(node) & {"day", "large"} or "\\" in values or '"' in values or "e-" in values
        return
    rows = np.flatnonzero(masks.select(node).mask(N))
    assert index._table.count(written) == len(rows), written
    page, _ = index._table._sorted(index._table._query(written, ["row"])) if len(rows) else (rows, None)
    assert np.array_equal(page, rows), written


@SOME
@given(FILTERS, st.integers(1, 60), st.sampled_from([0.0, 1.0]), st.integers(0, 10**6))
def test_filtered_searches_find_the_nearest(index, vectors, masks, node, k, share, seed):
    index.filter_below = share  # every filter is sent, or none is: but for one that compares every vector
    random = np.random.default_rng(seed)
    queries = SPACE.check(vectors[random.integers(0, N, 4)] + 0.2 * random.standard_normal((4, SPACE.dim)))
    where = masks.select(node)
    if seed % 2:
        where = where.without(random.integers(0, N, 9), N)  # what was seen before is left out
    found, truth = index.search(queries, k, where=where), exact(vectors, queries, k, where)
    assert np.array_equal(found.rows >= 0, truth.rows >= 0)
    matches = int((truth.rows[0] >= 0).sum())
    if matches:
        assert where.mask(N)[found.rows[:, :matches]].all()
        assert ann_recall(found.distances[:, :matches], truth.distances[:, :matches]).mean() >= 0.99


def test_selections_without_a_filter_are_widened_or_scanned(index, vectors):
    random = np.random.default_rng(3)
    for share in (0.9, 0.3, 0.01):
        where = Selection(None, np.flatnonzero(random.random(N) < share))
        found, truth = index.search(vectors[:20], 10, where=where), exact(vectors, vectors[:20], 10, where)
        assert ann_recall(found.distances, truth.distances).mean() >= 0.99
    assert index.plans["widened"]


def test_rows_are_appended_replaced_and_deleted(tmp_path, build, vectors, attributes, masks):
    index = build(1000)
    assert isinstance(index, MutableIndex)
    assert isinstance(index, Served)
    other = Milvus.load(tmp_path, SPACE, vectors[:1000], index.save(tmp_path))
    index.upsert(np.arange(1000, 1200), vectors[:200], attributes.slice(0, 200))
    index.upsert(np.arange(1000, 1200), vectors[1000:1200], attributes.slice(1000, 200))
    gone = np.array([3, 500, 1100])
    index.delete(gone)
    index.delete(gone)
    mask = np.ones(1200, bool)
    mask[gone] = False
    for one in (index, other):
        if one is other:
            assert np.array_equal(other.search(vectors[:1], 1000).rows[0][:1], [0])
            other.refresh()
        for where in (None, masks.select("stock>=0 or word is null"), masks.select("new=true")):
            allowed = mask if where is None else mask & where.mask(N)[:1200]
            truth = exact(vectors[:1200], vectors[:1200:100], 25, Selection.of(None, allowed.copy()))
            seen = None if where is None else Selection.of(where.filter, where.mask(N)[:1200].copy())
            found = one.search(vectors[:1200:100], 25, where=seen)
            assert np.array_equal(found.rows >= 0, truth.rows >= 0)
            assert ann_recall(found.distances, truth.distances).mean() >= 0.99
            assert not np.isin(found.rows, gone).any()
    again = Milvus.load(tmp_path, SPACE, vectors[:1000], index.save(tmp_path))
    assert np.array_equal(again.search(vectors[:5], 20).rows, index.search(vectors[:5], 20).rows)


def test_changes_that_cannot_be_made_are_refused(build, vectors, attributes):
    index = build(100)
    with pytest.raises(QueryError, match="Row 99 is one of the 100"):
        index.upsert(np.array([99]), vectors[:1])
    with pytest.raises(QueryError, match="each row once"):
        index.upsert(np.array([100, 100]), vectors[:2])
    with pytest.raises(QueryError, match="'stock' holds integer, not string"):
        index.upsert(np.array([100]), vectors[:1], pa.table({"stock": ["much"]}))
    with pytest.raises(QueryError, match="Row 100 is none of the 100"):
        index.delete(np.array([100]))
    alone = Milvus(SPACE)
    alone.uri = None
    alone.build(vectors[:50])
    with pytest.raises(ConfigError, match="on no server"):
        alone.delete(np.array([3]))


def test_another_collection_is_refused(tmp_path, build, vectors):
    index = build(300)
    parameters = index.save(tmp_path)
    index._table.delete(np.array([7]))
    with pytest.raises(DamagedArtifactError, match=f"'{index._name}' other vectors .* 299 rows of 300"):
        Milvus.load(tmp_path, SPACE, vectors[:300], parameters)
    wrong = vectors[:300].copy()
    wrong[0] = -wrong[0]
    index._table.upsert(np.array([7]), vectors[7:8], _cells(index))
    Milvus.load(tmp_path, SPACE, vectors[:300], parameters)
    with pytest.raises(DamagedArtifactError, match="row 0 is another one"):
        Milvus.load(tmp_path, SPACE, wrong, parameters)
    index.drop()
    with pytest.raises(ArtifactError, match=f"no collection '{index._name}'"):
        Milvus.load(tmp_path, SPACE, vectors[:300], parameters)


def _cells(index):
    from nitari.index.expressions import cells

    return cells(None, index._columns, 1)


def test_a_server_that_is_not_there_is_named(tmp_path, monkeypatch, vectors):
    monkeypatch.setattr(remote, "_PATIENCE", 0.5)
    monkeypatch.delenv(remote.URI, raising=False)
    index = Milvus(SPACE, "http://127.0.0.1:9")
    with pytest.raises(ArtifactError, match=r"Milvus at 'http://127.0.0.1:9' .* NITARI_MILVUS_URI"):
        index.build(vectors[:10])
    with pytest.raises(ConfigError, match="NITARI_MILVUS_TOKEN") as refused:
        Milvus(SPACE, "http://me:secret@host:19530")
    assert "secret" not in str(refused.value)
    with pytest.raises(ConfigError, match=r"http://host:19530"):
        Milvus(SPACE, "host:19530")


def test_a_call_that_takes_too_long_is_named(index, monkeypatch, vectors):
    import grpc

    def late(*_, **__):
        raise grpc.RpcError("Deadline Exceeded")

    monkeypatch.setattr(remote, "_PATIENCE", 0.1)
    monkeypatch.setattr(index._table._client, "search", late)
    with pytest.raises(ArtifactError, match=r"Milvus at .* Deadline Exceeded"):
        index.search(vectors[:1], 3)


def test_writers_and_readers_at_once(build, vectors):
    """Each writer appends rows of its own and deletes a built one; readers get whole answers meanwhile."""
    index, wrong = build(1000), []

    def write(i):
        for j in range(4):
            rows = np.arange(1000 + 100 * i + 10 * j, 1000 + 100 * i + 10 * j + 10)
            index.upsert(rows, vectors[rows - 1000])
        index.delete(np.array([i]))

    def read(i):
        for _ in range(5):
            found = index.search(vectors[500 + i], 10)
            if not (found.rows[0, 0] == 500 + i and (found.rows >= 0).all()):
                wrong.append(found)

    work = [threading.Thread(target=task, args=(i,)) for i in range(5) for task in (write, read)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert not wrong
    index.refresh()
    assert len(index._late.rows) == 5 * 40
    assert np.array_equal(index._late.gone, np.arange(5))
