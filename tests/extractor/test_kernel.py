"""Feature maps against the distances that they stand for."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import ConfigError
from nitari.extractor.kernel import FeatureMap, HistogramDistance, histogram_distances
from nitari.extractor.lattice import Lattice
from nitari.space import Space

DISTANCES = get_args(HistogramDistance)
EXACT = ("hellinger", "correlation")


def mapped(histograms: np.ndarray, distance: HistogramDistance, order: int = 2) -> np.ndarray:
    """(n, bins) -> (n, n) distances of the space that serves them."""
    vectors = FeatureMap(distance, order)(histograms)
    space = Space("histogram", "cosine", vectors.shape[1])
    return space.distances(space.check(vectors), space.check(vectors))


def exact(histograms: np.ndarray, distance: HistogramDistance) -> np.ndarray:
    return np.stack([histogram_distances(query, histograms, distance) for query in histograms])


def rank_agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rho of each row's ranks, averaged."""
    ranks = [np.argsort(np.argsort(values, axis=1), axis=1) for values in (a, b)]
    return float(np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(*ranks, strict=True)]))


def found_at(a: np.ndarray, b: np.ndarray, k: int) -> float:
    """The share of each row's ``k`` nearest in ``b`` that are among the ``k`` nearest in ``a``."""
    near = [np.argsort(values, axis=1, kind="stable")[:, :k] for values in (a, b)]
    return float(np.mean([len(set(x) & set(y)) / k for x, y in zip(*near, strict=True)]))


@st.composite
def histograms(draw: st.DrawFn) -> np.ndarray:
    """30 histograms of a shape of their own: from a few full bins to bins that are much alike."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bins, fullness = draw(st.integers(16, 300)), draw(st.floats(0.1, 2))
    drawn = random.gamma(fullness, size=(30, bins)) + 1e-9
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    """Histograms of 150 pictures with a background, a gradient and things in colours near to a common few."""
    random, lattice = np.random.default_rng(0), Lattice("lab", (5, 9, 9))
    common = random.integers(0, 256, (8, 3))
    pictures = np.empty((150, 24, 24, 3))
    for picture in pictures:
        colours = common[random.integers(0, 8, 4)] + random.normal(0, 15, (4, 3))
        picture[:] = colours[0] + np.linspace(-20, 20, 24)[:, None, None] * random.normal(size=3)
        for colour in colours[1:]:
            top, left, height, width = random.integers(2, 14, 4)
            picture[top : top + height, left : left + width] = colour
    noisy = (pictures + random.normal(0, 6, pictures.shape)).clip(0, 255).astype(np.uint8)
    return lattice.histograms(lattice.codes(noisy))


@pytest.mark.parametrize("distance", EXACT)
@given(drawn=histograms())
@settings(max_examples=20, deadline=None)
def test_hellinger_and_correlation_are_exact(distance: HistogramDistance, drawn: np.ndarray):
    np.testing.assert_allclose(mapped(drawn, distance), exact(drawn, distance), atol=1e-4)


@pytest.mark.parametrize(("distance", "off", "agreement"), [("chi2", 0.03, 0.99), ("intersection", 0.2, 0.93)])
@given(drawn=histograms())
@settings(max_examples=20, deadline=None)
def test_chi2_and_intersection_follow_on_random_histograms(
    distance: HistogramDistance, off: float, agreement: float, drawn: np.ndarray
):
    found, wanted = mapped(drawn, distance), exact(drawn, distance)
    np.testing.assert_allclose(found, wanted, atol=off)
    assert rank_agreement(found, wanted) > agreement


@pytest.mark.parametrize(("distance", "agreement", "recall"), [("chi2", 0.999, 0.97), ("intersection", 0.99, 0.85)])
def test_chi2_and_intersection_follow_on_pictures(
    distance: HistogramDistance, agreement: float, recall: float, real: np.ndarray
):
    found, wanted = mapped(real, distance), exact(real, distance)
    assert rank_agreement(found, wanted) > agreement
    assert found_at(found, wanted, 10) > recall


@pytest.mark.parametrize("distance", ["chi2", "intersection"])
def test_a_higher_order_follows_more_closely(distance: HistogramDistance, real: np.ndarray):
    wanted = exact(real, distance)
    off = [np.abs(mapped(real, distance, order) - wanted).mean() for order in (1, 2, 3)]
    assert off[0] > off[1] > off[2]


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_histogram_is_at_no_distance_from_itself_and_at_one_from_a_disjoint_one(distance: HistogramDistance):
    one = np.array([[0.25, 0.75, 0, 0], [0, 0, 0.001, 0.999]], np.float32)
    found = mapped(one, distance)
    np.testing.assert_allclose(np.diag(found), 0, atol=1e-6)
    if distance != "correlation":
        assert found[0, 1] == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.diag(exact(one, distance)), 0, atol=1e-6)


def test_refuses_what_there_is_not():
    with pytest.raises(ConfigError, match=r"extractor\.distance is 'l1'.*intersection"):
        FeatureMap("l1")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"extractor\.order is 4"):
        FeatureMap("chi2", 4)
