import colorsys

import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.colour import ColourExtractor


def flat(*colour: int) -> np.ndarray:
    return np.full((40, 60, 3), colour, np.uint8)


def test_the_same_colour_in_other_places_differs_only_where_places_count():
    left, right = np.zeros((2, 64, 64, 3), np.uint8)
    left[:, :32] = right[:, 32:] = (255, 0, 0)
    apart = np.dot(*ColourExtractor(grid=2).extract([left, right]))
    together = np.dot(*ColourExtractor(grid=1).extract([left, right]))
    assert apart == pytest.approx(0, abs=1e-6)
    assert together == pytest.approx(1, abs=1e-6)


def test_dot_products_are_bhattacharyya_coefficients():
    half = np.concatenate([flat(255, 0, 0)[:20], flat(0, 0, 255)[:20]])
    a, b = ColourExtractor(grid=1).extract([half, flat(255, 0, 0)])
    assert a @ b == pytest.approx(np.sqrt(0.5), abs=0.03)  # the row between both halves is mixed


def test_hues_are_told_apart_and_greys_have_none():
    hues = [flat(*(round(255 * c) for c in colorsys.hsv_to_rgb(h / 12, 1, 1))) for h in range(12)]
    greys = [flat(level, level, level) for level in (0, 60, 110, 150, 200, 255)]
    vectors = ColourExtractor().extract(hues + greys)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(18), atol=1e-6)


def test_every_bin_can_be_reached():
    rng = np.random.default_rng(0)
    vector = ColourExtractor(grid=1).extract([rng.integers(0, 256, (32, 32, 3)).astype(np.uint8) for _ in range(60)])
    assert (vector.max(axis=0) > 0).mean() > 0.9


def test_refuses_a_grid_finer_than_the_picture():
    with pytest.raises(ConfigError, match=r"extractor\.grid is 40"):
        ColourExtractor(grid=40)
