from typing import get_args

import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.histogram import HistogramExtractor
from nitari.extractor.kernel import HistogramDistance, histogram_distances


def pictures(n: int = 12) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    corners = random.integers(0, 256, (n, 2, 2, 3)).astype(np.uint8)
    return [np.repeat(np.repeat(four, 24, axis=0), 40, axis=1) for four in corners]


def test_where_a_colour_is_does_not_matter():
    top, bottom = np.zeros((2, 64, 64, 3), np.uint8)
    top[:32] = bottom[32:] = (255, 0, 0)
    assert np.dot(*HistogramExtractor().extract([top, bottom])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("distance", get_args(HistogramDistance))
@pytest.mark.parametrize(("colours", "bins"), [("lab", (4, 7, 7)), ("hsv", (8, 3, 3))])
def test_its_space_serves_the_distance(distance: HistogramDistance, colours: str, bins: tuple[int, int, int]):
    extractor = HistogramExtractor(colours=colours, bins=bins, distance=distance, order=3)  # type: ignore[arg-type]
    vectors = extractor.extract(pictures())
    small = np.stack(pictures())[:, ::24, ::40]  # one pixel a colour
    exact = extractor.lattice.histograms(extractor.lattice.codes(small))
    wanted = np.stack([histogram_distances(one, exact, distance) for one in exact])
    off = {"intersection": 0.15, "chi2": 0.03}.get(distance, 1e-3)
    np.testing.assert_allclose(extractor.space.distances(vectors, vectors), wanted, atol=off)


def test_refuses_settings_by_name():
    with pytest.raises(ConfigError, match=r"extractor\.bins"):
        HistogramExtractor(bins=(8, 8))
    with pytest.raises(ConfigError, match=r"extractor\.distance"):
        HistogramExtractor(distance="l1")  # type: ignore[arg-type]
