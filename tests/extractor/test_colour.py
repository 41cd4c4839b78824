import numpy as np
import pytest
import torch

from nitari.errors import ConfigError
from nitari.extractor.colour import ColourExtractor
from nitari.model.objective.palette import colours


def flat(*colour: int) -> np.ndarray:
    return np.full((40, 60, 3), colour, np.uint8)


def test_the_same_colour_in_other_places_differs_only_where_places_count():
    top, bottom = np.zeros((2, 64, 64, 3), np.uint8)
    top[:32] = bottom[32:] = (255, 0, 0)
    apart = np.dot(*ColourExtractor(grids=[2]).extract([top, bottom]))
    together = np.dot(*ColourExtractor(grids=[1]).extract([top, bottom]))
    assert apart == pytest.approx(0, abs=1e-6)
    assert together == pytest.approx(1, abs=1e-6)


def test_a_mirrored_picture_is_the_same_where_asked():
    left = np.zeros((64, 64, 3), np.uint8)
    left[:, :32] = (255, 0, 0)
    both = [left, left[:, ::-1]]
    assert np.dot(*ColourExtractor().extract(both)) == pytest.approx(1, abs=1e-6)
    assert np.dot(*ColourExtractor(mirror=False).extract(both)) < 0.8


def test_dot_products_are_bhattacharyya_coefficients():
    half = np.concatenate([flat(255, 0, 0)[:20], flat(0, 0, 255)[:20]])
    a, b = ColourExtractor(grids=[1]).extract([half, flat(255, 0, 0)])
    assert a @ b == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_a_slightly_different_colour_gives_a_slightly_different_vector():
    reds = [flat(level, 30, 30) for level in range(100, 256, 5)]
    vectors = ColourExtractor(grids=[1]).extract(reds)
    steps = (vectors[1:] * vectors[:-1]).sum(axis=1)
    assert steps.min() > 0.9
    assert vectors[0] @ vectors[-1] < 0.5


def test_colours_of_the_wheel_and_greys_are_told_apart():
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (0, 255, 255),
        (255, 0, 255),
        (0, 0, 0),
        (255,) * 3,
    ]
    vectors = ColourExtractor(grids=[1]).extract([flat(*colour) for colour in colours])
    assert (vectors @ vectors.T)[~np.eye(len(colours), dtype=bool)].max() < 0.6


def test_the_objective_asks_for_the_same_histograms():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
    asked = colours(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255, (1, 4)).numpy() / np.sqrt(2)
    np.testing.assert_allclose(ColourExtractor().extract(list(pictures)), asked, atol=1e-5)


@pytest.mark.parametrize("grids", [[], [3, 4], [32], [0, 4]])
def test_refuses_grids_that_do_not_nest(grids: list[int]):
    with pytest.raises(ConfigError, match=r"extractor\.grids"):
        ColourExtractor(grids=grids)
