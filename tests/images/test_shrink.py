from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nitari.images.shrink import pyramid, shrink, target


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 4096))
def test_target_keeps_the_aspect_and_never_enlarges(width: int, height: int, side: int) -> None:
    w, h = target(width, height, side)
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert max(w, h) == min(side, max(width, height))
    assert abs(w * height - h * width) <= max(width, height) or min(w, h) == 1


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (500, 3), (3, 500), (1, 1), (1000, 1400)])
def test_shrinking_keeps_the_mean(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    small = shrink(pixels, 32)
    assert max(small.shape[:2]) == min(32, max(shape))
    assert small.dtype == np.uint8
    assert abs(float(small.mean()) - float(pixels.mean())) < 3


def test_a_fine_pattern_becomes_grey_and_not_moire() -> None:
    board = (np.indices((960, 960)).sum(0) % 2 * 255).astype(np.uint8)
    small = shrink(np.repeat(board[..., None], 3, 2), 96)
    assert small.std() < 4
    assert abs(float(small.mean()) - 127.5) < 2


def test_pyramid_shrinks_each_level_from_the_next_larger() -> None:
    pixels = np.asarray(Image.linear_gradient("L").convert("RGB").resize((300, 200)))
    levels = pyramid(pixels, [96, 400, 32])
    assert {size: level.shape[:2] for size, level in levels.items()} == {400: (200, 300), 96: (64, 96), 32: (21, 32)}
    assert levels[400] is pixels
    assert np.array_equal(levels[32], shrink(levels[96], 32))
