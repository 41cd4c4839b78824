import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import ConfigError
from nitari.extractor.coherence import CoherenceExtractor, connected


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 18), st.integers(1, 18), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_areas_are_those_of_scipy(seed: int, n: int, height: int, width: int, colours: int):
    ndimage = pytest.importorskip("scipy.ndimage", reason="comes with scikit-learn, in the extra 'train'")
    pictures = np.random.default_rng(seed).integers(0, colours, (n, height, width))
    starts, lengths, areas = connected(pictures)
    assert (np.repeat(pictures.ravel()[starts], lengths) == pictures.ravel()).all()
    found = np.repeat(areas, lengths).reshape(pictures.shape)
    seen = 0
    for picture, labels in zip(pictures, found, strict=True):
        for colour in range(colours):
            expected, count = ndimage.label(picture == colour, np.ones((3, 3)))
            pairs = set(zip(expected[expected > 0].tolist(), labels[expected > 0].tolist(), strict=True))
            assert len(pairs) == count == len({label for _, label in pairs})
            seen += count
    assert seen == len(np.unique(areas))


def test_a_long_winding_area_is_one():
    snake = np.zeros((1, 41, 41), np.int64)
    snake[0, ::2] = 1
    snake[0, 1::4, -1] = snake[0, 3::4, 0] = 1
    starts, _, areas = connected(snake)
    assert len(np.unique(areas[snake.ravel()[starts] == 1])) == 1


def test_one_large_area_differs_from_many_small_ones_of_the_same_colours():
    whole, scattered = np.zeros((2, 48, 48, 3), np.uint8)
    whole[:18] = (255, 0, 0)
    for top in range(0, 48, 12):  # areas of 9 x 6, each less than a tenth of the picture, of as many pixels in all
        for left in range(0, 48, 8):
            scattered[top : top + 9, left : left + 6] = (255, 0, 0)
    extractor = CoherenceExtractor(least=0.1)
    one, other = extractor.shares(np.stack([whole, scattered])).reshape(2, 2, -1).sum(axis=2)
    np.testing.assert_allclose(one, [0, 1], atol=1e-6)
    assert other[0] > 0.5  # the red is scattered, the black around it is not
    assert np.dot(*extractor.extract([whole, scattered])) < 0.8


def test_a_slightly_different_colour_gives_a_slightly_different_vector():
    reds = [np.full((64, 64, 3), (level, 30, 30), np.uint8) for level in range(100, 256, 5)]
    vectors = CoherenceExtractor().extract(reds)
    assert (vectors[1:] * vectors[:-1]).sum(axis=1).min() > 0.85


@pytest.mark.parametrize(
    ("key", "value"), [("size", 4), ("least", 0), ("least", 1.0), ("bins", [4]), ("distance", "l1")]
)
def test_refuses_settings_by_name(key: str, value: object):
    with pytest.raises(ConfigError, match=rf"extractor\.{key}"):
        CoherenceExtractor(**{key: value})  # type: ignore[arg-type]
