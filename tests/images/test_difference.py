import numpy as np
import pytest
from PIL import Image, ImageDraw

from nitari.images.difference import DIFFERENT, SIDE, difference, standard
from nitari.images.distortions import distort


def heart(colour=(200, 40, 40), size=(96, 96), eyes=False):
    """A drawing on white, which is all that a hash sees of it."""
    picture = Image.new("RGB", (192, 192), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 20, 104, 104), fill=colour)
    draw.ellipse((88, 20, 172, 104), fill=colour)
    draw.polygon([(28, 88), (164, 88), (96, 180)], fill=colour)
    if eyes:
        draw.ellipse((56, 60, 80, 84), fill="white")
        draw.ellipse((112, 60, 136, 84), fill="white")
    return np.array(picture.resize(size))


def apart(one, other):
    found = difference(standard(one), standard(other))
    assert found == pytest.approx(difference(standard(other), standard(one)), abs=0.01)
    return found


def test_a_picture_is_no_different_from_itself():
    assert apart(heart(), heart()) == pytest.approx(0, abs=0.01)
    assert standard(heart()).shape == standard(heart(size=(9, 300))).shape == (SIDE, SIDE, 3)
    blank = np.full((5, 7, 3), 200, np.uint8)
    assert apart(blank, blank) == 0
    assert apart(blank, heart()) >= DIFFERENT


@pytest.mark.parametrize("way", ["scale", "jpeg", "brightness", "contrast", "blur"])
def test_copies_are_not_different(way):
    for original in (heart(), heart((250, 180, 40), eyes=True)):
        assert apart(original, distort(original, way, "key")) < DIFFERENT


def test_another_colour_and_another_detail_are_different():
    assert apart(heart(), heart((40, 40, 200))) >= DIFFERENT
    assert apart(heart(), heart((40, 160, 40))) >= DIFFERENT
    assert apart(heart(), heart(eyes=True)) >= DIFFERENT
