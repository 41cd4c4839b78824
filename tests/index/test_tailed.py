import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.filters import Selection
from nitari.index.exact import Exact
from nitari.index.tailed import Tailed
from nitari.space import Space

SPACE = Space("form", "cosine", 8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 30), st.integers(1, 40), st.floats(0, 1), st.integers(0, 10**6))
def test_searches_as_one_index_of_all(make_vectors, stored, added, k, share, seed):
    vectors = make_vectors(SPACE, stored + added, seed)
    index, whole = Exact(SPACE), Exact(SPACE)
    index.build(vectors[:stored])
    whole.build(vectors)
    tailed = Tailed(index, stored, vectors[stored:])
    queries = make_vectors(SPACE, 3, seed + 1)
    rows = np.flatnonzero(np.random.default_rng(seed).random(stored + added) < share)
    for where in (None, Selection(None, rows)):
        found, expected = tailed.search(queries, k, where=where), whole.search(queries, k, where=where)
        assert found.distances.shape == expected.distances.shape
        assert np.array_equal(found.rows, expected.rows)
        assert np.array_equal(found.distances, expected.distances)
