import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.images.palette import NAMES, colour_name, palette, palettes


def stripes(*parts: tuple[tuple[int, int, int], int]) -> np.ndarray:
    """Bands of a colour, each some rows of 64 pixels high."""
    return np.concatenate([np.full((height, 64, 3), colour, np.uint8) for colour, height in parts])


def test_finds_the_colours_with_their_shares_largest_first():
    image = stripes(((255, 0, 0), 16), ((255, 255, 255), 32), ((0, 0, 255), 16))
    colours, shares = palette(image, 3)
    assert colours.dtype == np.uint8
    np.testing.assert_array_equal(colours[0], [255, 255, 255])
    assert {tuple(colour) for colour in colours[1:].tolist()} == {(255, 0, 0), (0, 0, 255)}
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25])


def test_one_colour_and_its_noise_are_one_entry():
    noise = np.random.default_rng(0).integers(-4, 5, (64, 64, 3))
    colours, shares = palette((np.array([200, 40, 90]) + noise).astype(np.uint8), 5)
    assert len(colours) == 1
    np.testing.assert_allclose(colours[0].astype(int), [200, 40, 90], atol=2)
    assert shares[0] == pytest.approx(1)


def test_a_small_strong_colour_gets_an_entry_of_its_own():
    shades = [((level, level, level), 10) for level in (90, 100, 110, 120, 130, 140)]
    colours, shares = palette(stripes(*shades, ((255, 0, 0), 4)), 4)
    found = [colour for colour, share in zip(colours.tolist(), shares, strict=True) if share < 0.1]
    assert [255, 0, 0] in found


def test_a_picture_does_not_depend_on_its_neighbours_nor_on_the_day():
    images = list(np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3)).astype(np.uint8))
    together = palettes(images, 6)
    alone = [np.concatenate(parts) for parts in zip(*[palettes([image], 6) for image in images], strict=True)]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_shares_add_up_to_one_and_fall():
    images = list(np.random.default_rng(1).integers(0, 256, (8, 24, 24, 3)).astype(np.uint8))
    for image in images:
        _, shares = palette(image, 7)
        assert shares.sum() == pytest.approx(1, abs=1e-5)
        assert (np.diff(shares) <= 0).all()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (700, 3, 3)])
def test_any_shape_has_a_palette(shape: tuple[int, int, int]):
    colours, shares = palette(np.full(shape, 7, np.uint8), 4)
    np.testing.assert_array_equal(colours, [[7, 7, 7]])
    np.testing.assert_allclose(shares, [1])


@pytest.mark.parametrize("k", [0, 65])
def test_refuses_a_count_out_of_range(k: int):
    with pytest.raises(ConfigError, match="1 to 64 colours"):
        palette(np.zeros((4, 4, 3), np.uint8), k)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("000000", "black"),
        ("ffffff", "white"),
        ("7f7f7f", "grey"),
        ("cc0000", "red"),
        ("ff8000", "orange"),
        ("6b4423", "brown"),
        ("ffe000", "yellow"),
        ("00a000", "green"),
        ("556b2f", "green"),  # olive
        ("30d5c8", "turquoise"),
        ("000080", "blue"),  # navy
        ("87ceeb", "blue"),  # sky
        ("7b2fa0", "purple"),
        ("ff69b4", "pink"),
        ("e8dcc0", "beige"),
    ],
)
def test_plain_names(code: str, name: str):
    assert colour_name(tuple(bytes.fromhex(code))) == name


def test_every_name_is_given_to_some_colour_and_no_other_is():
    level = np.arange(0, 256, 15)
    every = np.stack(np.meshgrid(level, level, level), axis=-1).reshape(-1, 3)
    assert {colour_name(rgb) for rgb in every} == set(NAMES)


def test_people_mostly_call_them_so():
    """The colours of the xkcd survey whose name ends in one of ours, as "dusty blue": mixed names are among them."""
    listed = pytest.importorskip("matplotlib.colors", reason="has the survey; comes with the extra 'train'")
    named = [(name.removeprefix("xkcd:").split()[-1], code) for name, code in listed.XKCD_COLORS.items()]
    asked = [(name, colour_name(tuple(bytes.fromhex(code[1:])))) for name, code in named if name in NAMES]
    assert len(asked) > 500
    assert np.mean([name == found for name, found in asked]) > 0.8
