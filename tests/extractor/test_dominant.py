import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import ConfigError
from nitari.extractor.dominant import DominantExtractor
from nitari.images.lab import to_lab


def one_colour(*colours: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    lab = to_lab(np.array(colours, np.uint8))[:, None]
    return lab, np.ones((len(colours), 1), np.float32)


@given(st.integers(0, 2**32 - 1), st.sampled_from([8.0, 12.0, 16.0]))
@settings(max_examples=15, deadline=None)
def test_single_colours_are_as_alike_as_their_distance_says(seed: int, width: float):
    # Well inside of what a screen shows, where no part of a Gaussian is cut off.
    lab = np.random.default_rng(seed).uniform([40, -15, -15], [70, 15, 15], (20, 3)).astype(np.float32)
    vectors = DominantExtractor(width=width).embed(lab[:, None], np.ones((20, 1), np.float32))
    squares = np.square(lab[:, None] - lab).sum(axis=2)
    np.testing.assert_allclose(vectors @ vectors.T, np.exp(-squares / (8 * width**2)), atol=0.05)


def test_palettes_of_far_colours_have_the_bhattacharyya_coefficient_of_their_shares():
    black, white, red, green = one_colour((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0))[0]
    colours = np.stack([np.concatenate([black, white, red]), np.concatenate([white, green, black])])
    shares = np.array([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2]], np.float32)
    found = np.dot(*DominantExtractor(width=8).embed(colours, shares))
    assert found == pytest.approx(np.sqrt(0.5 * 0.2) + np.sqrt(0.3 * 0.6), abs=0.02)


def test_colours_and_shares_count_and_places_do_not():
    red, blue = np.array([255, 0, 0], np.uint8), np.array([0, 0, 255], np.uint8)
    image = np.full((64, 64, 3), 255, np.uint8)
    image[:16], image[-8:] = red, blue
    turned, other = image[::-1].copy(), image.copy()
    other[:16] = (0, 160, 0)
    less = image.copy()
    less[8:16] = 255
    vectors = DominantExtractor().extract([image, turned, less, other])
    cosines = vectors @ vectors[0]
    assert cosines[1] == pytest.approx(1, abs=1e-4)
    assert cosines[1] > cosines[2] > cosines[3]


@pytest.mark.parametrize(("key", "value"), [("k", 0), ("k", 65), ("width", 2)])
def test_refuses_settings_by_name(key: str, value: float):
    with pytest.raises(ConfigError, match=rf"extractor\.{key}"):
        DominantExtractor(**{key: value})  # type: ignore[arg-type]
