import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.evaluation import ranking
from nitari.evaluation.ranking import Ranks, nearest, ranks
from nitari.space import Space

COSINE = Space("s", "cosine", 8)
SPACES = [COSINE, Space("s", "l2", 8), Space("s", "normalized_l2", 8), Space("s", "hamming", 64, "uint8")]


def vectors(space: Space, n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if space.metric == "hamming":
        return random.integers(0, 256, (n, 8)).astype(np.uint8)
    return random.normal(size=(n, 8)).astype(np.float32)


@pytest.fixture(params=[1, 7, 8_000_000], autouse=True)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results must not depend on how many distances are held at once."""
    monkeypatch.setattr(ranking, "BLOCK", request.param)
    monkeypatch.setattr(ranking, "_ROWS", min(request.param, 16))
    monkeypatch.setattr(ranking, "_QUERIES", 2)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.metric)
def test_nearest_is_a_full_sort(space: Space):
    base, queries = vectors(space, 60), vectors(space, 5, 1)
    gallery = np.arange(3, 58, 2)
    rows, distances = nearest(space, queries, base, gallery, 10)
    full = space.distances(space.check(queries), space.check(base[gallery]))
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :10], atol=1e-6)
    for query in range(5):
        again = full[query][np.searchsorted(gallery, rows[query])]
        np.testing.assert_allclose(again, distances[query], atol=1e-6)


def test_a_small_gallery_is_padded_and_pairs_are_passed_over():
    base = vectors(COSINE, 6)
    exclude = np.array([[0, 2], [1, 3], [1, 4], [1, 5], [0, 99]])
    rows, distances = nearest(COSINE, base[2:4], base, np.array([2, 3, 4]), 4, exclude=exclude)
    assert sorted(rows[0]) == [-1, -1, 3, 4]
    assert sorted(rows[1]) == [-1, -1, -1, 2]
    assert np.isinf(distances[rows == -1]).all()
    assert np.isfinite(distances[rows >= 0]).all()


def test_an_empty_gallery_gives_nothing():
    rows, _ = nearest(COSINE, vectors(COSINE, 2), vectors(COSINE, 2), np.empty(0, np.int64), 3)
    assert (rows == -1).all()


def test_ties_do_not_follow_the_order_of_the_gallery():
    base = np.ones((2000, 8), np.float32)
    rows, _ = nearest(COSINE, base[:1], base, np.arange(2000), 100)
    assert 600 < rows.mean() < 1400
    assert len(np.unique(rows)) == 100


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.metric)
def test_ranks_count_what_is_nearer(space: Space):
    base, queries = vectors(space, 50), vectors(space, 4, 1)
    gallery = np.arange(5, 45)
    groups = np.arange(50)
    groups[[10, 20]] = 7
    wanted = np.array([7, 12, 44, 7])
    result = ranks(space, queries, base, gallery, groups, wanted)
    full = space.distances(space.check(queries), space.check(base))
    for query, group in enumerate(wanted):
        members = [row for row in gallery if groups[row] == group]
        own = min(full[query, row] for row in members)
        others = [full[query, row] for row in gallery if groups[row] != group]
        assert result.nearer[query] == sum(d < own - 1e-5 for d in others)
        assert result.tied[query] == sum(abs(d - own) <= 1e-5 for d in others)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.metric)
def test_a_copy_is_never_farther_than_another(space: Space):
    """Where the query is the very vector that is wanted, whatever the shapes of the products it is compared in."""
    random = np.random.default_rng(3)
    base = vectors(space, 800)
    if space.metric != "hamming":
        base = np.concatenate([base, 20 + base[:200] * 3]).astype(np.float32)
    rows = random.choice(len(base), 60, replace=False)
    found = ranks(space, base[rows], base, np.arange(len(base)), np.arange(len(base)), rows)
    assert (found.nearer == 0).all()
    assert (found.hit_at(1) == 1).mean() > 0.9


def test_a_picture_is_found_by_its_own_vector_whatever_its_duplicates():
    base = vectors(COSINE, 30)
    base[11] = base[10]
    groups = np.arange(30)
    groups[11] = 10
    result = ranks(COSINE, base[[10, 3]], base, np.arange(30), groups, np.array([10, 3]))
    assert result.nearer.tolist() == [0, 0]
    assert result.wanted.tolist() == [2, 1]
    assert result.hit_at(1).tolist() == [1, 1]


def test_a_collapsed_space_finds_nothing_but_by_chance():
    base = np.ones((200, 8), np.float32)
    result = ranks(COSINE, base[:3], base, np.arange(200), np.arange(200), np.arange(3))
    np.testing.assert_allclose(result.hit_at(1), 1 / 200)
    np.testing.assert_allclose(result.hit_at(10), 10 / 200)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4), st.integers(0, 6), st.integers(1, 4), st.integers(1, 9))
def test_chances_are_those_of_shuffled_ties(nearer: int, tied: int, wanted: int, k: int):
    random = np.random.default_rng(0)
    hits = []
    for _ in range(800):
        order = random.permutation([False] * tied + [True] * wanted)
        hits.append(any(([False] * nearer + list(order))[:k]))
    chance = Ranks(np.array([nearer]), np.array([tied]), np.array([wanted])).hit_at(k)[0]
    assert chance == pytest.approx(np.mean(hits), abs=0.08)
