import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.recommend.calibration import Calibration, learn
from nitari.space import Space, unit

SPACES = [
    Space("form", "cosine", 16),
    Space("place", "l2", 16),
    Space("goldberg", "normalized_l2", 16),
    Space("codes", "hamming", 64, "uint8"),
]


def vectors_of(space, n, seed=0):
    random = np.random.default_rng(seed)
    if space.metric == "hamming":
        return random.integers(0, 256, (n, space.width)).astype(np.uint8)
    vectors = random.standard_normal((n, space.dim)).astype(np.float32)
    return unit(vectors) if space.metric == "cosine" else vectors


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.metric)
def test_a_similarity_says_how_rare_so_near_a_pair_is(space):
    vectors = vectors_of(space, 1500)
    scale = learn(space, vectors)
    fresh = vectors_of(space, 1000, seed=1)
    pairs = space.distances(fresh[:300], fresh[300:])
    assert scale(np.zeros(1)) == 1.0
    for share in (0.3, 0.01, 0.001):
        bound = 0.8 * np.log(0.5 / share) / np.log(0.5 / 1e-6)
        assert (scale(pairs) > bound).mean() == pytest.approx(share, rel=0.5)  # bits come in steps
    assert np.median(scale(pairs)) == pytest.approx(0, abs=0.03)
    assert scale.median == pytest.approx(np.median(pairs), rel=0.1)


@given(seed=st.integers(0, 1000), n=st.integers(0, 40), same=st.booleans(), space=st.sampled_from(SPACES))
def test_it_falls_strictly_and_goes_through_json(seed, n, same, space):
    vectors = vectors_of(space, n, seed)
    if same and n:
        vectors[:] = vectors[0]
    scale = learn(space, vectors, seed)
    again = Calibration.from_dict(json.loads(json.dumps(scale.to_dict())))
    far = 4.0 * max(scale.distances[-1], 1.0)
    at = np.linspace(0, far, 500)
    for one in (scale, again):
        assert (np.diff(one(at)) < 0).all()
        assert one(at[:1])[0] == 1.0
    assert np.allclose(scale(at), again(at), atol=1e-4)
    assert np.isfinite(scale.median)


def test_the_same_seed_learns_the_same():
    vectors = vectors_of(SPACES[0], 800)
    assert learn(SPACES[0], vectors, 3).to_dict() == learn(SPACES[0], vectors, 3).to_dict()
    assert learn(SPACES[0], vectors, 3).to_dict() != learn(SPACES[0], vectors, 4).to_dict()


def test_equal_vectors_are_similar_by_one_however_many_there_are():
    vectors = vectors_of(SPACES[0], 300)
    vectors[:200] = vectors[0]
    scale = learn(SPACES[0], vectors)
    assert scale(np.zeros(1))[0] == 1.0
    assert scale.distances[1] > 0
