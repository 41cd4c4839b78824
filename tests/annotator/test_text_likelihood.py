import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from nitari.annotator.text_likelihood import TextLikelihoodAnnotator
from nitari.errors import ConfigError


def likelihood(*pictures: Image.Image) -> list[float]:
    images = [np.asarray(picture) for picture in pictures]
    return TextLikelihoodAnnotator().annotate(images).column("text_likelihood").to_pylist()


def test_writing_makes_a_picture_likelier(tmp_path, make_pictures):
    plain = [Image.open(path).convert("RGB") for path in make_pictures(tmp_path, 8, size=(220, 180))]
    written = [picture.copy() for picture in plain]
    for picture in written:
        ImageDraw.Draw(picture).text(
            (10, 40), "Best before 24.11.", "white", ImageFont.load_default(22), stroke_width=0
        )
    before, after = likelihood(*plain), likelihood(*written)
    assert np.mean(after) > np.mean(before) + 0.4
    assert max(before) < 0.5


def test_nothing_and_noise_are_no_writing():
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    blank = Image.new("RGB", (200, 200), "white")
    assert likelihood(blank, Image.new("RGB", (3, 2)))[0] == 0
    assert likelihood(Image.fromarray(noise))[0] < likelihood(_page())[0]


def _page() -> Image.Image:
    page = Image.new("RGB", (200, 200), "white")
    for top in range(10, 180, 30):
        ImageDraw.Draw(page).text((8, top), "the quick brown fox", "black", ImageFont.load_default(18))
    return page


@pytest.mark.parametrize("settings", [{"side": 16}, {"threshold": 1}])
def test_bad_settings_are_refused(settings: dict):
    with pytest.raises(ConfigError, match=f"annotator.{next(iter(settings))} is"):
        TextLikelihoodAnnotator(**settings)
