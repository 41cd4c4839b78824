import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.annotator import groups as module
from nitari.annotator.groups import groups
from nitari.index.exact import Exact
from nitari.space import Space, unit

PLANE = Space("plane", "l2", 2)
BITS = Space("bits", "hamming", 64, "uint8")


def grouped(space, vectors, threshold, order=None, alike=None):
    index = Exact(space)
    index.build(vectors)
    return groups(space, index.search, vectors, threshold, order, alike=alike)


def test_a_chain_does_not_become_one_group():
    line = np.stack([np.arange(10), np.zeros(10)], axis=1).astype(np.float32)
    assert grouped(PLANE, line, 1).tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]
    assert grouped(PLANE, line, 0.5).tolist() == list(range(10))


def test_the_order_says_who_stands_for_a_group():
    line = np.array([[0, 0], [1, 0], [2, 0]], np.float32)
    assert grouped(PLANE, line, 1, np.array([1, 0, 2])).tolist() == [1, 1, 1]
    assert grouped(PLANE, line, 1, np.array([2, 0])).tolist() == [0, 1, 2]


def test_a_member_belongs_to_the_nearest_representative():
    line = np.array([[0, 0], [10, 0], [6, 0]], np.float32)
    assert grouped(PLANE, line, 7).tolist() == [0, 1, 1]


def test_zero_vectors_stay_alone():
    """What PDQ makes of pictures of one colour is no sign that they are the same."""
    vectors = np.array([[0] * 8, [0] * 8, [7] * 8, [7] * 8], np.uint8)
    assert grouped(BITS, vectors, 3).tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize("most", [16, 32, 512])
def test_large_groups_are_complete(monkeypatch, most):
    monkeypatch.setattr(module, "_MOST", most)
    vectors = np.random.default_rng(0).integers(0, 256, (400, 8)).astype(np.uint8)
    vectors[100:350] = vectors[0]
    owner = grouped(BITS, vectors, 3)
    assert (owner[100:350] == 0).all()
    assert (owner == 0).sum() == 251


def test_what_is_near_and_not_alike_stays_apart():
    vectors = np.full((300, 8), 7, np.uint8)
    kind = np.arange(300) % 3
    owner = grouped(BITS, vectors, 3, alike=lambda row, others: kind[others] == kind[row])
    assert owner.tolist() == kind.tolist()


def test_a_family_of_different_pictures_is_not_looked_at_for_ever(monkeypatch):
    monkeypatch.setattr(module, "_REFUTED", 20)
    monkeypatch.setattr(module, "_LOOKED", 10)
    asked = []

    def alike(row, others):
        asked.extend(others)
        return others == row + 1

    owner = grouped(BITS, np.full((200, 8), 7, np.uint8), 3, alike=alike)
    assert owner[1] == 0
    assert len(asked) <= 200 * 30


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1.5), st.integers(1, 60))
def test_members_are_within_the_threshold_and_representatives_are_apart(seed, threshold, n):
    random = np.random.default_rng(seed)
    space = Space("s", "cosine", 3)
    vectors = unit(random.standard_normal((n, 3)).astype(np.float32))
    order = random.permutation(n)
    owner = grouped(space, vectors, threshold, order)
    distances = space.distances(vectors, vectors)
    assert (owner[owner] == owner).all()
    assert (distances[np.arange(n), owner] <= threshold + 1e-5).all()
    leaders = np.flatnonzero(owner == np.arange(n))
    between = distances[np.ix_(leaders, leaders)] + 3 * np.eye(len(leaders))
    assert (between > threshold - 1e-5).all()
