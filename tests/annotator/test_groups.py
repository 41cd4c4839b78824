import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.annotator.groups import Groups, groups
from nitari.index.exact import Exact
from nitari.space import Space


def slow(n: int, pairs: list[tuple[int, int]]) -> list[int]:
    """The lowest row of each group, one pair after the other."""
    at = list(range(n))
    for a, b in pairs:
        low, high = sorted((at[a], at[b]))
        at = [low if one == high else one for one in at]
    return at


@given(st.integers(1, 30), st.data())
@settings(max_examples=60, deadline=None)
def test_joins_as_one_pair_after_the_other_would(n: int, data: st.DataObject):
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40))
    known = Groups(n)
    half = len(pairs) // 2
    for some in (pairs[:half], pairs[half:]):
        first, second = (np.array([pair[i] for pair in some], np.int64) for i in (0, 1))
        known.join(first, second)
    assert known.roots().tolist() == slow(n, pairs)


def test_a_long_chain_is_one_group():
    n = 5000
    known = Groups(n)
    order = np.random.default_rng(0).permutation(n)
    known.join(order[:-1], order[1:])
    assert not known.roots().any()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_finds_what_all_pairs_would(metric):
    rng = np.random.default_rng(1)
    space = Space("place", metric, 4)
    vectors = space.check(np.repeat(rng.normal(size=(60, 4)), 5, axis=0) + rng.normal(size=(300, 4)) * 0.05)
    threshold = 0.01 if metric == "cosine" else 0.15
    index = Exact(space)
    index.build(vectors)
    near = space.distances(vectors, vectors) <= threshold
    expected = slow(300, [(int(a), int(b)) for a, b in np.argwhere(near)])
    assert groups(space, index.search, vectors, threshold).tolist() == expected
    assert 1 < len(set(expected)) < 300


def test_more_copies_than_are_asked_for_at_first_are_one_group():
    space = Space("place", "cosine", 8)
    vectors = np.repeat(np.eye(8, dtype=np.float32)[:2], [70, 3], axis=0)
    index = Exact(space)
    index.build(vectors)
    assert groups(space, index.search, vectors, 0.0).tolist() == [0] * 70 + [70] * 3


def test_zero_vectors_are_near_nothing_and_known_groups_stay():
    space = Space("bits", "hamming", 16, "uint8")
    vectors = np.array([[0, 0], [0, 0], [1, 0], [3, 0], [255, 255]], np.uint8)
    index = Exact(space)
    index.build(vectors)
    known = Groups(5)
    known.join(np.array([1]), np.array([4]))
    done = []
    found = groups(space, index.search, vectors, 1, among=known, progress=lambda *at: done.append(at))
    assert found.tolist() == [0, 1, 2, 2, 1]
    assert done == [(5, 5)]
