import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.model.canvas import GREY, canvas


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 90), (90, 3), (16, 16), (64, 48)])
def test_any_shape_becomes_the_square(fit: str, shape: tuple[int, int]):
    assert canvas([picture(*shape)] * 2, 16, fit).shape == (2, 16, 16, 3)


def test_a_picture_of_that_size_stays_as_it_is():
    one = picture(16, 16)
    np.testing.assert_array_equal(canvas([one], 16, "stretch")[0], one)
    np.testing.assert_array_equal(canvas([one], 16, "pad")[0], one)


def test_padding_keeps_the_aspect_on_grey():
    square = canvas([np.zeros((20, 40, 3), np.uint8)], 16, "pad")[0]
    assert (square[:4] == GREY).all()
    assert (square[4:12] == 0).all()
    assert (square[12:] == GREY).all()


def test_shrinking_averages_what_it_covers():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 255
    assert np.abs(canvas([stripes], 8)[0, 1:-1].astype(int) - 127).max() <= 4


def test_no_pictures_give_none_and_a_wrong_fit_is_named():
    assert canvas([], 8).shape == (0, 8, 8, 3)
    with pytest.raises(ConfigError, match="fit is 'crop'"):
        canvas([], 8, "crop")
