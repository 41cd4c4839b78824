import numpy as np

from nitari.evaluation.map import CELL, draw, places


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


def test_two_pictures_at_one_place_both_find_a_cell():
    images = [np.full((30, 50, 3), colour, np.uint8) for colour in (0, 120)]
    sheet = np.asarray(draw(images, np.array([[0.5, 0.5], [0.5, 0.5]]), side=5 * CELL))
    assert sheet.shape == (5 * CELL, 5 * CELL, 3)
    assert (sheet == 0).all(axis=2).any()
    assert (sheet == 120).all(axis=2).any()


def test_what_finds_no_cell_near_is_left_out():
    images = [np.full((9, 9, 3), 10, np.uint8)] * 4
    assert draw(images, np.zeros((4, 2)), side=CELL).size == (CELL, CELL)


def test_vectors_that_are_all_alike_have_places_too():
    for vectors in (np.ones((12, 4), np.float32), np.arange(12, dtype=np.float32)[:, None]):
        found = places(vectors)
        assert found.shape == (12, 2)
        assert np.isfinite(found).all()
