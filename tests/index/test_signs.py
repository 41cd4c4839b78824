"""Signs: what they keep of what is admitted, that they say so where they tell too little, and that they survive being saved."""

import numpy as np
import pytest

from nitari.errors import DamagedArtifactError
from nitari.index.signs import Signs
from nitari.space import Space

N, DIM = 20_000, 24
SPACE = Space("form", "cosine", DIM)


@pytest.fixture(scope="module")
def vectors():
    """Vectors in a narrow cone, as networks make them: seen from the origin all look alike."""
    random = np.random.default_rng(0)
    return SPACE.check((random.standard_normal((N, DIM)) * 0.3 + 1).astype(np.float32))


@pytest.fixture(scope="module")
def signs(vectors):
    return Signs.of(SPACE, vectors)


def test_the_nearest_differ_in_few_signs(signs, vectors):
    mask = np.ones(N, bool)
    for row in range(0, N, 2000):
        nearest = np.argsort(SPACE.distances(vectors[row : row + 1], vectors)[0])[:20]
        apart = signs.apart(vectors[row], mask)
        assert apart[row] == 0
        assert (apart[nearest] <= signs.limit(vectors[row], vectors[nearest])).mean() >= 0.9
        assert np.median(apart[nearest]) < np.median(apart) - 30


def test_what_is_not_admitted_never_differs_in_few(signs, vectors):
    mask = np.zeros(N, bool)
    mask[5:9] = True
    apart = signs.apart(vectors[0], mask)
    assert (apart[~mask] == 255).all()
    assert (apart[mask] < 255).all()
    assert apart[mask].max() <= signs.first(apart, 4, 10) < 255
    opposite = signs.apart(2 * signs.mean - vectors[7], mask)  # all 256 of its bits differ, and a byte counts 255
    assert opposite[7] < 255
    assert (opposite[~mask] == 255).all()


def test_more_is_looked_at_where_more_is_wanted(signs, vectors):
    apart = signs.apart(vectors[0], np.ones(N, bool))
    few, many = (np.count_nonzero(apart <= signs.first(apart, N, wanted)) for wanted in (10, 300))
    assert N * signs.share <= few < many
    assert signs.cost(N, 10) > signs.cost(N // 10, 10) > 0
    assert signs.cost(1000, 500) == np.inf  # all of that is compared


def test_signs_that_tell_too_little_are_not_kept():
    """Random vectors of many dimensions are all equally far from each other."""
    space = Space("noise", "cosine", 256)
    random = np.random.default_rng(0).standard_normal((N, 256)).astype(np.float32)
    assert Signs.of(space, space.check(random)) is None
    assert Signs.of(Space("bits", "hamming", 64, "uint8"), np.zeros((N, 8), np.uint8)) is None


def test_signs_are_saved_and_checked(signs, vectors, tmp_path):
    parameters = signs.save(tmp_path, "signs")
    again = Signs.load(tmp_path, "signs", SPACE, N, parameters)
    mask = np.arange(N) % 2 == 0
    assert np.array_equal(again.apart(vectors[3], mask), signs.apart(vectors[3], mask))
    assert again.share == signs.share
    with pytest.raises(DamagedArtifactError, match="space 'form' holds signs uint64"):
        Signs.load(tmp_path, "signs", SPACE, N - 1, parameters)


def test_the_same_seed_gives_the_same_signs(signs, vectors):
    assert np.array_equal(Signs.of(SPACE, vectors).words, signs.words)
    assert not np.array_equal(Signs.of(SPACE, vectors, seed=1).words, signs.words)
