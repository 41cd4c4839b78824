import numpy as np
import pytest

from nitari.images.lab import to_lab, to_rgb


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((10, 10, 10), (2.74, 0, 0)),
    ],
)
def test_known_colours(rgb: tuple[int, int, int], lab: tuple[float, float, float]):
    np.testing.assert_allclose(to_lab(np.array(rgb, np.uint8)), lab, atol=0.05)


def test_there_and_back_is_the_same_colour():
    level = np.arange(0, 256, 5, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(level, level, level), axis=-1)
    np.testing.assert_array_equal(to_rgb(to_lab(rgb)), rgb)


def test_what_cannot_be_shown_is_clipped():
    np.testing.assert_array_equal(to_rgb(np.array([[120.0, 0, 0], [-5.0, 0, 0]])), [[255] * 3, [0] * 3])
