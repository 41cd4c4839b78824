import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.images.trim import trim


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def framed(pixels: np.ndarray, edges: tuple[int, int, int, int], colour: tuple[int, int, int]) -> np.ndarray:
    top, bottom, left, right = edges
    height, width = pixels.shape[:2]
    whole = np.empty((height + top + bottom, width + left + right, 3), np.uint8)
    whole[:] = colour
    whole[top : top + height, left : left + width] = pixels
    return whole


edge = st.integers(0, 30)
level = st.integers(0, 255)


@settings(deadline=None)
@given(st.tuples(edge, edge, edge, edge), st.tuples(level, level, level))
def test_a_frame_is_cut_and_nothing_else(edges: tuple[int, int, int, int], colour: tuple[int, int, int]):
    assert np.array_equal(trim(framed(picture(), edges, colour)), picture())


def test_bars_within_bars_are_cut():
    inside = framed(framed(picture(), (0, 0, 9, 9), (0, 0, 0)), (5, 5, 0, 0), (255, 255, 255))
    outside = framed(framed(picture(), (5, 5, 0, 0), (255, 255, 255)), (0, 0, 9, 9), (0, 0, 0))
    assert np.array_equal(trim(inside), picture())
    assert np.array_equal(trim(outside), picture())


def test_a_border_may_be_noisy_but_not_patterned():
    noise = np.random.default_rng(1).integers(-8, 9, (60, 80, 3))
    whole = framed(picture(), (10, 10, 10, 10), (100, 120, 140))
    noisy = np.clip(whole + noise, 0, 255).astype(np.uint8)
    assert trim(noisy).shape == (40, 60, 3)
    assert trim(noisy, tolerance=2).shape == noisy.shape


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (20, 30)])
def test_a_flat_picture_comes_back_whole(shape: tuple[int, int]):
    flat = np.full((*shape, 3), 200, np.uint8)
    assert trim(flat) is flat


def test_two_colours_that_leave_nothing_come_back_whole():
    halves = np.zeros((20, 30, 3), np.uint8)
    halves[:, 15:] = 255
    assert trim(halves) is halves
