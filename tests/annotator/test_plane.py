import numpy as np

from nitari.annotator.plane import places, spread


def test_neighbours_stay_neighbours():
    random = np.random.default_rng(0)
    vectors = np.concatenate([random.normal(middle, 0.1, (20, 8)) for middle in (-1, 0, 1)]).astype(np.float32)
    found = places(vectors, seed=0)
    assert found.shape == (60, 2)
    assert found.min() >= 0
    assert found.max() <= 1
    apart = np.linalg.norm(found[:, None] - found[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (apart.argmin(axis=1) // 20 == np.arange(60) // 20).mean() > 0.95
    np.testing.assert_array_equal(found, places(vectors, seed=0))


def test_vectors_that_are_all_alike_have_places_too():
    for vectors in (np.ones((12, 4), np.float32), np.arange(12, dtype=np.float32)[:, None]):
        found = places(vectors)
        assert found.shape == (12, 2)
        assert np.isfinite(found).all()


def test_a_few_lie_in_a_row():
    assert spread(np.empty((0, 4))).shape == (0, 2)
    assert spread(np.ones((3, 4))).tolist() == [[0, 0], [1, 0], [2, 0]]
    assert len(np.unique(spread(np.random.default_rng(0).normal(size=(5, 4))), axis=0)) == 5
