import numpy as np
import pytest
from PIL import Image, ImageFilter

from nitari.annotator.quality import QualityAnnotator
from nitari.errors import ConfigError


@pytest.fixture
def picture(tmp_path, make_pictures):
    return Image.open(make_pictures(tmp_path, 3)[2]).convert("RGB")


def quality(*pictures: Image.Image) -> list[float]:
    return QualityAnnotator().annotate([np.asarray(picture) for picture in pictures]).column("quality").to_pylist()


def test_what_can_be_seen_less_well_is_worse(picture: Image.Image):
    blurred = [picture.filter(ImageFilter.GaussianBlur(radius)) for radius in (1, 2, 4)]
    values = quality(picture, *blurred)
    assert values == sorted(values, reverse=True)
    flat = [Image.blend(Image.new("RGB", picture.size, (128, 128, 128)), picture, share) for share in (0.3, 0.1)]
    values = quality(picture, *flat)
    assert values == sorted(values, reverse=True)


def test_blank_pictures_are_told(picture: Image.Image):
    noisy = (128 + np.random.default_rng(0).integers(-1, 2, (60, 60, 3))).astype(np.uint8)
    table = QualityAnnotator().annotate([np.asarray(picture), np.full((40, 40, 3), 255, np.uint8), noisy])
    assert table.column("is_blank").to_pylist() == [False, True, True]
    assert table.column("quality").to_pylist()[1] == 0
    assert table.column("brightness").to_pylist()[1] == 1


def test_bad_settings_are_refused():
    with pytest.raises(ConfigError, match=r"annotator\.side is 4"):
        QualityAnnotator(side=4)
