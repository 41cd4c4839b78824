"""Filtered search with declared facets: only matches, all that were asked for, equal to brute force on exact paths."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import DamagedArtifactError
from nitari.filters import Selection
from nitari.index.exact import Exact
from nitari.index.hnsw import Hnsw
from nitari.mask import Masks
from nitari.space import Space

N, DIM = 40_000, 16
CODED = [Space("form", "cosine", DIM), Space("place", "l2", DIM)]
COPIED = [Space("signature", "normalized_l2", DIM), Space("codes", "hamming", 64, "uint8")]


@pytest.fixture(scope="module")
def columns():
    """Values of very different sizes, alike and at random, and some that are missing."""
    random = np.random.default_rng(0)
    shelf = np.repeat(["a", "b", "c", "d", None], [27_000, 6_000, 4_500, 500, 2_000])
    colour = np.array(["red", "blue", "green"])[random.choice(3, N, p=[0.7, 0.25, 0.05])]
    return pa.table({"shelf": pa.array(shelf.tolist()), "colour": colour, "price": random.integers(0, 1000, N)})


@pytest.fixture(scope="module")
def vectors_of(make_vectors):
    """Vectors sorted along one direction, so that each shelf is a place of its own in the space."""

    def make(space):
        vectors = make_vectors(space, N, 3)
        return vectors[np.argsort(vectors[:, 0], kind="stable")]

    return make


@pytest.fixture(scope="module", params=CODED + COPIED, ids=lambda space: space.metric)
def exact(request, vectors_of, columns):
    index = Exact(request.param)
    vectors = vectors_of(request.param)
    index.build(vectors, columns.select(["shelf", "colour"]))
    return index, vectors


@pytest.fixture(scope="module")
def graph(vectors_of, columns):
    vectors = vectors_of(CODED[0])
    index = Hnsw(CODED[0], M=16, ef_construction=200, ef_search=200, threads=1)
    index.build(vectors, columns.select(["shelf"]))
    return index, vectors


@pytest.fixture(scope="module", params=CODED, ids=lambda space: space.metric)
def lists(request, vectors_of):
    """faiss's lists, that tell the fewest of what is far from a query."""
    pytest.importorskip("faiss")
    from nitari.index.ivf import Ivf

    vectors = vectors_of(request.param)
    index = Ivf(request.param, n_probe=4)
    index.build(vectors)
    return index, vectors


FILTERS = [
    ("shelf=a", "scan in shelf=a"),
    ("shelf=b", "scan in shelf=b"),
    ("shelf=d", "gather"),
    ("shelf in (b, c)", "scan in shelf=b + scan in shelf=c"),
    ("shelf is null", "gather"),
    ("shelf=a and price<30", "gather"),
    ("colour=blue", "scan in colour=blue"),
    ("colour=blue and price>=10", "scan in colour=blue"),
    ("price<900", "scan"),
    ("price<5", "gather"),
    ("shelf!=a or price<100", "gather"),
]


def nearest(space, query, vectors, rows, k):
    distances = space.precise(query, vectors[rows])
    order = np.lexsort((rows, distances))[:k]
    return rows[order], distances[order]


@pytest.mark.parametrize(("where", "expected"), FILTERS)
def test_exact_plans_are_brute_force(exact, columns, where, expected):
    index, vectors = exact
    selection = Masks(columns.column_names, columns.column).select(where)
    plans = " + ".join(plan.kind for plan in index.plan(10, selection))
    if index.space in CODED:
        assert plans == expected
    queries = index.space.check(vectors[[1, N // 2, N - 1]])
    found = index.search(queries, 10, where=selection)
    for i, query in enumerate(queries):
        rows, distances = nearest(index.space, query, vectors, selection.rows, 10)
        assert np.array_equal(found.rows[i], rows)
        assert np.array_equal(found.distances[i], distances)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.floats(0, 1), st.sampled_from([None, "a", "b", "c"]))
def test_any_selection_and_any_query(exact, columns, seed, k, share, shelf):
    index, vectors = exact
    random = np.random.default_rng(seed)
    mask = random.random(N) < share**3
    if shelf:
        mask &= columns.column("shelf").to_pandas().eq(shelf).to_numpy(bool)
    selection = Selection.of(None, mask)
    query = index.space.check(vectors[random.integers(N)])[0]
    found = index.search(query, k, where=selection)
    rows, distances = nearest(index.space, query, vectors, selection.rows, k)
    assert np.array_equal(found.rows[0, : len(rows)], rows)
    assert np.array_equal(found.distances[0, : len(rows)], distances)
    assert (found.rows[0, len(rows) :] == -1).all()


@pytest.mark.parametrize("where", [where for where, _ in FILTERS])
def test_graphs_find_what_is_admitted(graph, columns, where):
    index, vectors = graph
    selection = Masks(columns.column_names, columns.column).select(where)
    random = np.random.default_rng(1)
    queries = vectors[random.integers(0, N, 60)]
    found = index.search(queries, 10, where=selection)
    assert selection.mask(N)[found.rows].all()
    hits = 0
    for query, distances in zip(queries, found.distances, strict=True):
        hits += (distances <= nearest(index.space, query, vectors, selection.rows, 10)[1][-1] + 1e-6).sum()
    assert hits / found.rows.size >= 0.99


@pytest.mark.parametrize("where", ["shelf=a", "shelf!=a", "shelf=b", "shelf!=b and price<900", "price<400"])
def test_a_sieve_finds_what_is_admitted_far_from_the_query(lists, columns, where):
    """In what has many copies, too: any of them may be the one that is admitted."""
    index, vectors = lists
    selection = Masks(columns.column_names, columns.column).select(where)
    asked = np.concatenate([vectors[:20], vectors[-20:], vectors[selection.rows[:20]]])
    found = index.search(asked, 10, where=selection)
    assert selection.mask(N)[found.rows].all()
    hits = 0
    for query, distances in zip(index.space.check(asked), found.distances, strict=True):
        assert np.array_equal(distances, np.sort(distances))
        hits += (distances <= nearest(index.space, query, vectors, selection.rows, 10)[1][-1] + 1e-6).sum()
    assert hits / found.rows.size >= 0.99


@pytest.mark.parametrize("told", [0, 254])
def test_a_sieve_whose_first_look_is_told_wrong_is_right_all_the_same(lists, columns, monkeypatch, told):
    """Too little, which finds none, and too much."""
    index, vectors = lists
    selection = Masks(columns.column_names, columns.column).select("shelf=a")
    monkeypatch.setattr("nitari.index.signs.Signs.first", lambda *_: told)
    before = index.plans.copy()
    found = index.search(vectors[:10], 10, where=selection)
    assert (index.plans - before)["sieve"] == 10
    for query, distances in zip(index.space.check(vectors[:10]), found.distances, strict=True):
        best = nearest(index.space, query, vectors, selection.rows, 10)[1]
        np.testing.assert_allclose(distances, best, atol=1e-6)


def test_a_sieve_is_taken_where_it_costs_least(lists, columns):
    index, vectors = lists
    masks = Masks(columns.column_names, columns.column)
    kinds = {where: index.plan(10, masks.select(where))[0].kind for where in ("shelf=a", "shelf=d", "price<5")}
    assert kinds == {"shelf=a": "sieve", "shelf=d": "gather", "price<5": "gather"}
    chosen = index.plan(10, masks.select("shelf=a"))[0]
    assert chosen.cost < chosen.part.exact
    before = index.plans.copy()
    index.search(vectors[:5], 10, where=masks.select("shelf=a"))
    assert (index.plans - before)["sieve"] == 5


def test_the_largest_values_have_a_graph_of_their_own(graph, columns, monkeypatch):
    index, vectors = graph
    masks = Masks(columns.column_names, columns.column)
    before = index.plans.copy()
    monkeypatch.setattr(index, "ef_search", 50)  # so that the graph costs less than a sieve
    index.search(vectors[:7], 10, where=masks.select("shelf=a"))
    index.search(vectors[0], 10)
    counted = index.plans - before
    assert counted["engine in shelf=a"] == 7
    assert counted["engine"] == 1
    assert index.plan(10, masks.select("shelf=a and price<950"))[0].kind == "widened in shelf=a"
    assert index.plan(10, masks.select("shelf=b"))[0].kind == "scan in shelf=b"


def test_facets_are_saved_and_verified(graph, columns, tmp_path):
    index, vectors = graph
    parameters = index.save(tmp_path)
    again = Hnsw.load(tmp_path, index.space, vectors, parameters)
    masks = Masks(columns.column_names, columns.column)
    for where, _ in FILTERS:
        selection = masks.select(where)
        assert [p.kind for p in again.plan(10, selection)] == [p.kind for p in index.plan(10, selection)]
        found, expected = (one.search(vectors[:5], 10, where=selection) for one in (again, index))
        assert np.array_equal(found.rows, expected.rows)
    name = next(name for name in parameters["files"] if name.startswith("graph-0-"))
    (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(DamagedArtifactError, match=name):
        Hnsw.load(tmp_path, index.space, vectors, parameters)
    np.save(tmp_path / "facet-0.rows.npy", np.arange(3))
    with pytest.raises(DamagedArtifactError, match="facet 'shelf' of other vectors"):
        Hnsw.load(tmp_path, index.space, vectors, parameters)


def test_a_facet_that_is_asked_for_whole_is_admitted_whole(exact, columns):
    index, vectors = exact
    masks = Masks(columns.column_names, columns.column)
    for where in ("shelf=a", "shelf in (b, c)", "colour=blue"):
        (way,) = index._facets.divide(masks.select(where), N)
        assert all(part.mask is None for part in way), where
    less = masks.select("shelf=a").without(np.array([3, 70]), N)
    (way,) = index._facets.divide(less, N)
    assert [part.mask.sum() for part in way] == [less.count]
    assert not np.isin(index.search(vectors[[3]], 5, where=less).rows, [3, 70]).any()


def test_a_query_far_from_what_is_admitted_is_scanned_at_once(graph, columns):
    """Half of the vectors along the direction that they are sorted by: from its other end the graph would look in vain."""
    index, vectors = graph
    mask = np.arange(N) < N // 3
    selection = Selection.of(None, mask)
    region = index._whole
    near, far = region.around(index.space.check(vectors[[10, N - 10]]), mask)
    assert near > 0.5 > far
    found = index.search(vectors[[10, N - 10]], 10, where=selection)
    for i, row in enumerate((10, N - 10)):
        expected = nearest(index.space, vectors[row], vectors, selection.rows, 10)
        assert len(np.intersect1d(found.rows[i], expected[0])) >= 9


def test_what_is_proposed_is_about_the_nearest(graph):
    index, vectors = graph
    exact = Exact(index.space)
    exact.build(vectors)
    for row in (3, 20_000):
        found = index.propose(vectors[row], 100)
        assert len(np.unique(found)) == len(found) == 100
        assert len(np.intersect1d(found, exact.search(vectors[row], 100).rows)) >= 90
    assert np.array_equal(np.sort(exact.propose(vectors[3], 5)), np.sort(exact.search(vectors[3], 5).rows[0]))
