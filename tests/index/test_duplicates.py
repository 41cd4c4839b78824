import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.filters import Selection
from nitari.index.duplicates import find
from nitari.index.hnsw import Hnsw
from nitari.space import Space


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["float32", "float16", "uint8"]), st.integers(0, 10**6))
def test_groups_are_what_is_equal(n, distinct, dtype, seed):
    random = np.random.default_rng(seed)
    vectors = random.integers(0, 200, (distinct, 3)).astype(dtype)[random.integers(0, distinct, n)]
    groups = find(vectors)
    expected = {}
    for row, vector in enumerate(vectors.tolist()):
        expected.setdefault(tuple(vector), []).append(row)
    if len(expected) == n:
        assert groups is None
    else:
        found = [groups.members[a:b].tolist() for a, b in zip(groups.starts[:-1], groups.starts[1:], strict=True)]
        assert found == list(expected.values())


def test_equal_hashes_are_looked_at(monkeypatch):
    monkeypatch.setattr("nitari.index.duplicates._hashes", lambda vectors: np.zeros(len(vectors), np.uint64))
    vectors = np.array([[1, 2], [1, 2], [3, 4], [5, 6]], np.float32)
    groups = find(vectors)
    assert groups.members.tolist() == [0, 1, 2, 3]
    assert groups.starts.tolist() == [0, 2, 3, 4]


def test_a_graph_finds_its_way_past_copies(make_vectors, monkeypatch):
    """Half of all are copies of ten vectors: as they stand, each is linked to its copies alone."""
    monkeypatch.setattr("nitari.index.hnsw._STEP", 0)  # never too few vectors for the graph
    space = Space("form", "cosine", 16)
    vectors, queries = np.split(make_vectors(space, 6_100, 1), [6_000])
    vectors[np.random.default_rng(0).permutation(6_000)[:3_000]] = vectors[np.arange(3_000) % 10]
    index = Hnsw(space, M=8, ef_construction=40, ef_search=100)
    index.build(vectors)
    copies = Selection(None, np.arange(3_000, 6_000))
    for where in (None, copies):
        found = index.search(queries, 10, where=where)
        distances = space.distances(queries, vectors if where is None else vectors[where.rows])
        true = np.partition(distances, 9, axis=1)[:, 9:10]
        assert (found.distances <= true + 1e-6).mean() >= 0.99
    found = index.search(vectors[0], 500)
    assert (found.distances[0] <= 1e-6).sum() == min(500, (vectors == vectors[0]).all(axis=1).sum())
