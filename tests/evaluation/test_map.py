import numpy as np

from nitari.evaluation.map import CELL, draw


def test_two_pictures_at_one_place_both_find_a_cell():
    images = [np.full((30, 50, 3), colour, np.uint8) for colour in (0, 120)]
    sheet = np.asarray(draw(images, np.array([[0.5, 0.5], [0.5, 0.5]]), side=5 * CELL))
    assert sheet.shape == (5 * CELL, 5 * CELL, 3)
    assert (sheet == 0).all(axis=2).any()
    assert (sheet == 120).all(axis=2).any()


def test_what_finds_no_cell_near_is_left_out():
    images = [np.full((9, 9, 3), 10, np.uint8)] * 4
    assert draw(images, np.zeros((4, 2)), side=CELL).size == (CELL, CELL)
