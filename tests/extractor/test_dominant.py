import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import ConfigError
from nitari.extractor.dominant import DominantExtractor
from nitari.images.lab import to_lab


def palettes(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(k), n).astype(np.float32)
    return to_lab(random.integers(0, 256, (n, k, 3)).astype(np.uint8)), shares


def likeness(colours: np.ndarray, shares: np.ndarray, width: float) -> np.ndarray:
    """The kernel between weighted palettes, by its definition, over the norms: (n, n)."""
    apart = np.square(colours[:, None, :, None] - colours[None, :, None, :]).sum(axis=-1)  # (n, n, k, k)
    sums = np.einsum("ik,jl,ijkl->ij", shares, shares, np.exp(-apart / (4 * width**2)))
    norms = np.sqrt(np.diag(sums))
    return sums / norms / norms[:, None]


@given(st.integers(0, 2**32 - 1), st.sampled_from([10.0, 16.0, 24.0]))
@settings(max_examples=15, deadline=None)
def test_cosines_are_the_kernel_between_palettes(seed: int, width: float):
    colours, shares = palettes(seed, 20, 5)
    vectors = DominantExtractor(width=width, power=1).embed(colours, shares)
    found, wanted = vectors @ vectors.T, likeness(colours, shares, width)
    assert np.abs(found - wanted).mean() < 0.02
    assert np.abs(found - wanted).max() < 0.15  # of colours at the edge of what a screen shows


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


def test_a_lower_power_counts_small_areas_for_more():
    plain, spotted = np.full((2, 64, 64, 3), 255, np.uint8)
    spotted[:8, :32] = (255, 0, 0)
    cosines = [np.dot(*DominantExtractor(power=power).extract([plain, spotted])) for power in (1, 0.5, 0.25)]
    assert cosines[0] > cosines[1] > cosines[2]


@pytest.mark.parametrize(("key", "value"), [("k", 0), ("k", 65), ("width", 2), ("power", 0), ("power", 1.5)])
def test_refuses_settings_by_name(key: str, value: float):
    with pytest.raises(ConfigError, match=rf"extractor\.{key}"):
        DominantExtractor(**{key: value})  # type: ignore[arg-type]
