import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.pixels import PixelsExtractor


def test_an_enlarged_copy_keeps_its_vector():
    small = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    a, b = PixelsExtractor().extract([small, large])
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_size_is_the_only_thing_that_sets_the_dimension():
    assert PixelsExtractor(size=8).space.dim == 8 * 8 * 3


def test_refuses_no_pixels():
    with pytest.raises(ConfigError, match=r"extractor\.size is 0"):
        PixelsExtractor(size=0)
