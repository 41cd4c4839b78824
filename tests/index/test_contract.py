"""What every choice in conf/index must do. The oracle is written out here, in float64 and without blocks."""

import threading
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari import conf
from nitari.errors import DamagedArtifactError, QueryError
from nitari.filters import Selection
from nitari.space import Space
from nitari.target import resolve

FILES = sorted((Path(str(conf.__file__)).parent / "index").glob("*.yaml"))
SPACES = [
    Space("form", "cosine", 12),
    Space("place", "l2", 12),
    Space("signature", "normalized_l2", 12),
    Space("codes", "hamming", 64, "uint8"),
]

pytestmark = [
    pytest.mark.parametrize("spec", [yaml.safe_load(f.read_text()) for f in FILES], ids=[f.stem for f in FILES]),
    pytest.mark.parametrize("space", SPACES, ids=lambda space: space.metric),
]


def oracle(space, queries, vectors, k, rows=None):
    """Distances (q, min(k, matches)), ascending."""
    if rows is not None:
        vectors = vectors[rows]
    if space.metric == "hamming":
        distances = np.unpackbits(queries[:, None] ^ vectors[None], axis=2).sum(axis=2)
    else:
        a, b = queries.astype(np.float64)[:, None], vectors.astype(np.float64)[None]
        lengths = np.linalg.norm(a, axis=2), np.linalg.norm(b, axis=2)
        if space.metric == "cosine":
            distances = 1 - (a * b).sum(axis=2) / np.maximum(lengths[0] * lengths[1], 1e-24)
        else:
            distances = np.linalg.norm(a - b, axis=2)
            if space.metric == "normalized_l2":
                distances = distances / np.maximum(lengths[0] + lengths[1], 1e-12)
    return np.sort(distances, axis=1)[:, :k]


def check(space, result, queries, vectors, k, rows=None, recall=1.0):
    queries, n = space.check(queries), len(vectors) if rows is None else len(rows)
    found = min(k, n)
    assert result.rows.shape == result.distances.shape == (len(queries), k)
    assert result.rows.dtype == np.int64
    assert result.distances.dtype == np.float32
    assert (result.rows[:, found:] == -1).all()
    assert np.isinf(result.distances[:, found:]).all()
    near, apart = result.rows[:, :found], result.distances[:, :found]
    assert (np.diff(apart, axis=1) >= 0).all()
    for i, one in enumerate(near):
        assert len(set(one.tolist())) == found
        assert np.isin(one, np.arange(len(vectors)) if rows is None else rows).all()
        assert np.array_equal(apart[i], space.precise(queries[i], vectors[one]))
        ties = np.diff(apart[i]) == 0
        assert (np.diff(one)[ties] > 0).all()
    expected = oracle(space, queries, vectors, k, rows)
    assert (apart <= expected[:, -1:] + 1e-5).mean() >= recall if found else True


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 300), st.integers(1, 400), st.integers(0, 5), st.integers(0, 10**6))
def test_exactly_the_nearest(built, make_vectors, spec, space, n, k, q, seed):
    vectors = make_vectors(space, n, seed)
    queries = np.concatenate([vectors[:1], make_vectors(space, q, seed + 1)])
    check(space, built(spec, space, vectors).search(queries, k), queries, vectors, k)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 10**6))
def test_only_what_a_selection_admits(built, make_vectors, spec, space, k, share, seed):
    vectors = make_vectors(space, 400, seed)
    rows = np.flatnonzero(np.random.default_rng(seed).random(400) < share)
    result = built(spec, space, vectors).search(vectors[:3], k, where=Selection(None, rows))
    check(space, result, vectors[:3], vectors, k, rows)


def test_larger_collections(built, make_vectors, spec, space):
    """More than one block, selections on both sides of every plan, and queries of one and of many."""
    vectors = make_vectors(space, 30_300, 7)
    vectors, queries = vectors[:30_000], vectors[30_000:]
    index = built(spec, space, vectors)
    check(space, index.search(queries, 10), queries, vectors, 10, recall=0.99)
    check(space, index.search(queries[0], 1), queries[:1], vectors, 1)
    check(space, index.search(queries[:4], 300), queries[:4], vectors, 300, recall=0.99)
    check(space, index.search(queries[:2], 9_000), queries[:2], vectors, 9_000, recall=0.99)
    random = np.random.default_rng(9)
    near = np.argsort(space.distances(queries[:1], vectors)[0])
    for rows in (
        np.flatnonzero(random.random(30_000) < 0.8),  # over-fetched
        np.sort(near[8_000:]),  # over-fetching starves: nothing near the first query is admitted
        np.flatnonzero(random.random(30_000) < 0.1),
        np.array([5]),
        np.array([], np.int64),
    ):
        result = index.search(queries[:50], 10, where=Selection(None, rows))
        check(space, result, queries[:50], vectors, 10, rows, recall=0.99)


def test_equal_vectors_are_all_found(built, make_vectors, spec, space):
    vectors = make_vectors(space, 2_000, 1)
    vectors[100:400] = vectors[100]
    check(space, built(spec, space, vectors).search(vectors[100:102], 30), vectors[100:102], vectors, 30)


def test_loaded_is_as_saved(tmp_path, built, make_vectors, spec, space):
    vectors = make_vectors(space, 1_000, 3)
    index = built(spec, space, vectors)
    before = index.search(vectors[:20], 7)
    parameters = index.save(tmp_path)
    again = resolve(spec["_target_"], "index").load(tmp_path, space, vectors, parameters)
    for copy in ("once", "twice"):
        after = again.search(vectors[:20], 7)
        assert np.array_equal(before.rows, after.rows)
        assert np.array_equal(before.distances, after.distances)
        folder = tmp_path / copy
        folder.mkdir()
        assert again.save(folder) == parameters
        again = resolve(spec["_target_"], "index").load(folder, space, vectors, parameters)


@pytest.mark.parametrize("n", [0, 1])
def test_the_smallest_collections_are_saved_too(tmp_path, built, make_vectors, spec, space, n):
    vectors = make_vectors(space, n, 3)
    parameters = built(spec, space, vectors).save(tmp_path)
    index = resolve(spec["_target_"], "index").load(tmp_path, space, vectors, parameters)
    check(space, index.search(make_vectors(space, 2, 4), 3), make_vectors(space, 2, 4), vectors, 3)


def test_other_vectors_are_refused(tmp_path, built, make_vectors, spec, space):
    vectors = make_vectors(space, 50, 3)
    parameters = built(spec, space, vectors).save(tmp_path)
    with pytest.raises(DamagedArtifactError, match="built from 50 vectors"):
        resolve(spec["_target_"], "index").load(tmp_path, space, vectors[:49], parameters)


def test_bad_requests_are_refused(built, make_vectors, spec, space):
    vectors = make_vectors(space, 50, 3)
    index = built(spec, space, vectors)
    with pytest.raises(QueryError, match="k is 0"):
        index.search(vectors[:1], 0)
    with pytest.raises(QueryError, match="numbers a vector"):
        index.search(vectors[:1, :-1], 3)
    with pytest.raises(QueryError, match="row 50"):
        index.search(vectors[:1], 3, where=Selection(None, np.array([2, 50])))
    with pytest.raises(QueryError, match="numbers a vector"):
        index.build(vectors[:, :-1])
    if space.metric != "hamming":
        for value in (np.nan, np.inf):
            bad = vectors.copy()
            bad[7, 3] = value
            with pytest.raises(QueryError, match="not finite"):
                index.search(bad[7], 3)
            with pytest.raises(QueryError, match=r"Vector 7 .* not finite"):
                index.build(bad)


def test_stored_as_float16_and_mapped(tmp_path, built, make_vectors, spec, space):
    if space.metric == "hamming":
        pytest.skip("hamming stores bytes")
    half = Space(space.name, space.metric, space.dim, "float16")
    np.save(tmp_path / "v.npy", make_vectors(space, 500, 3).astype(np.float16))
    vectors = np.load(tmp_path / "v.npy", mmap_mode="r")
    queries = half.check(vectors[:5])
    check(half, built(spec, half, vectors).search(queries, 8), queries, vectors, 8)


def test_several_threads_get_their_own_answers(built, make_vectors, spec, space):
    vectors = make_vectors(space, 5_000, 3)
    index = built(spec, space, vectors)
    expected = {k: index.search(vectors[:30], k) for k in (3, 60, 200)}
    wrong = []

    def ask(k):
        for _ in range(5):
            if not np.array_equal(index.search(vectors[:30], k).rows, expected[k].rows):
                wrong.append(k)

    threads = [threading.Thread(target=ask, args=(k,)) for k in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
