import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.random import RandomExtractor


def test_the_same_pixels_give_the_same_direction_and_one_changed_value_another():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    changed = image.copy()
    changed[3, 4, 1] += 1
    a, b, c = RandomExtractor().extract([image, image.copy(), changed])
    assert np.array_equal(a, b)
    assert abs(a @ c) < 0.6


def test_shape_and_seed_count():
    image = np.zeros((20, 30, 3), np.uint8)
    a, b = RandomExtractor().extract([image, image.reshape(30, 20, 3)])
    assert not np.allclose(a, b)
    assert not np.allclose(a, RandomExtractor(seed=1).extract([image])[0])


def test_directions_are_spread_evenly():
    rng = np.random.default_rng(0)
    vectors = RandomExtractor().extract([rng.integers(0, 256, (4, 4, 3)).astype(np.uint8) for _ in range(400)])
    off = (vectors @ vectors.T)[~np.eye(400, dtype=bool)]
    assert abs(off.mean()) < 0.01
    assert off.std() == pytest.approx(1 / 8, rel=0.05)


def test_refuses_no_dimensions():
    with pytest.raises(ConfigError, match=r"extractor\.dim is 0"):
        RandomExtractor(dim=0)
