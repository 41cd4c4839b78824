import colorsys

import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.lattice import ColourSpace, Lattice

LATTICES: list[tuple[ColourSpace, tuple[int, int, int]]] = [("lab", (5, 9, 9)), ("hsv", (12, 4, 4))]


@pytest.mark.parametrize(("colours", "bins"), LATTICES)
def test_every_colour_is_shared_out_whole(colours: ColourSpace, bins: tuple[int, int, int]):
    lattice = Lattice(colours, bins)
    assert (lattice.shares >= 0).all()
    np.testing.assert_allclose(lattice.shares.sum(axis=1), 1, atol=1e-5)
    assert set(np.unique(lattice.near[lattice.shares > 0])) == set(range(lattice.total))


@pytest.mark.parametrize(("colours", "bins"), LATTICES)
def test_histograms_add_up_to_one_and_slight_changes_are_slight(colours: ColourSpace, bins: tuple[int, int, int]):
    lattice = Lattice(colours, bins)
    reds = np.array([[[level, 40, 40]] for level in range(100, 256, 8)], np.uint8)[:, None]  # (n, 1, 1, 3)
    found = lattice.histograms(lattice.codes(reds))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert np.minimum(found[1:], found[:-1]).sum(axis=1).min() > 0.7


def test_counts_apart_what_a_mask_tells_apart():
    lattice = Lattice("lab", (4, 5, 5))
    codes = lattice.codes(np.random.default_rng(0).integers(0, 256, (3, 6, 7, 3)).astype(np.uint8))
    second = np.random.default_rng(1).random(codes.shape) < 0.3
    both = lattice.histograms(codes, second).reshape(3, 2, lattice.total)
    np.testing.assert_allclose(both.sum(axis=1), lattice.histograms(codes), atol=1e-6)
    np.testing.assert_allclose(both[:, 1].sum(axis=1), second.mean(axis=(1, 2)), atol=1e-6)


def test_greys_have_no_hue_and_hue_goes_round():
    lattice = Lattice("hsv", (6, 3, 3))
    level = np.arange(0, 256, 16)
    greys = lattice.codes(np.repeat(level[:, None], 3, axis=1).astype(np.uint8))
    touched = np.unique(lattice.near[greys][lattice.shares[greys] > 1e-6])
    assert len(touched) == 3
    hues = [np.array(colorsys.hsv_to_rgb(hue, 1, 1)) * 255 for hue in (0.97, 0.03)]
    one, other = lattice.histograms(lattice.codes(np.array(hues, np.uint8).reshape(2, 1, 1, 3)))
    assert np.minimum(one, other).sum() > 0.5


def test_refuses_what_there_is_not():
    with pytest.raises(ConfigError, match=r"extractor\.colours is 'luv'"):
        Lattice("luv", (4, 4, 4))  # type: ignore[arg-type]
    for bins in ((4, 4), (1, 4, 4), (4, 4, 33)):
        with pytest.raises(ConfigError, match=r"extractor\.bins is \["):
            Lattice("lab", bins)
