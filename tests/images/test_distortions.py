import numpy as np
import pytest
from PIL import Image

from nitari.images.distortions import DISTORTIONS, VERSION, distort

SHAPES = [(90, 120), (120, 90), (1, 1), (1, 50), (50, 1), (3, 2), (64, 64)]


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A smooth colour field with a sharp square, as photographs have both."""
    corners = np.random.default_rng(1).integers(40, 180, (3, 3, 3)).astype(np.uint8)
    image = np.array(Image.fromarray(corners).resize((200, 150), Image.Resampling.BICUBIC))
    image[40:80, 60:120] = (200, 30, 60)
    return image


def test_version_1_is_these_ten():
    assert VERSION == 1
    assert list(DISTORTIONS) == [
        "crop",
        "scale",
        "jpeg",
        "brightness",
        "contrast",
        "blur",
        "rotation",
        "mirror",
        "text",
        "border",
    ]


@pytest.mark.parametrize("name", DISTORTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape_gives_a_picture(name: str, shape: tuple[int, int]):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    image.flags.writeable = False
    copy = distort(image, name, "key")
    assert copy.dtype == np.uint8
    assert copy.ndim == 3
    assert copy.shape[2] == 3
    assert min(copy.shape) >= 1
    assert copy.flags.c_contiguous
    assert not np.shares_memory(copy, image)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_the_same_key_and_seed_make_the_same_copy(name: str, picture: np.ndarray):
    before = picture.copy()
    assert np.array_equal(distort(picture, name, "a", 3), distort(picture, name, "a", 3))
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("name", ["crop", "text", "border", "rotation"])
def test_what_is_drawn_by_lot_varies_with_key_and_seed(name: str, picture: np.ndarray):
    copies = {distort(picture, name, key, seed).tobytes() for key in "abcdefgh" for seed in (0, 1)}
    assert len(copies) >= 2


def test_crop_keeps_seven_tenths_of_the_area(picture: np.ndarray):
    copy = distort(picture, "crop", "a")
    assert copy.size / picture.size == pytest.approx(0.7, abs=0.01)
    assert copy.shape[1] / copy.shape[0] == pytest.approx(200 / 150, abs=0.02)


def test_scale_halves_both_sides(picture: np.ndarray):
    assert distort(picture, "scale", "a").shape == (75, 100, 3)


def test_brightness_and_contrast_are_what_they_say(picture: np.ndarray):
    bright = distort(picture, "brightness", "a")
    np.testing.assert_allclose(bright, np.minimum(picture * 1.4, 255), atol=1)
    flat = distort(picture, "contrast", "a").astype(float)
    assert flat.std() == pytest.approx(0.6 * picture.std(), rel=0.1)
    assert flat.mean() == pytest.approx(picture.mean(), abs=8)


def test_blur_is_one_percent_of_the_longer_side(picture: np.ndarray):
    edge = np.zeros((100, 400, 3), np.uint8)
    edge[:, 200:] = 255
    profile = distort(edge, "blur", "a")[50, :, 0].astype(float)
    slope = np.diff(profile)
    centre = (slope * np.arange(399)).sum() / slope.sum()
    deviation = np.sqrt((slope * (np.arange(399) - centre) ** 2).sum() / slope.sum())
    assert deviation == pytest.approx(4, abs=0.4)


def test_rotation_keeps_the_frame_and_turns_both_ways(picture: np.ndarray):
    copies = [distort(picture, "rotation", key) for key in "abcdefgh"]
    assert all(copy.shape == picture.shape for copy in copies)
    assert len({copy.tobytes() for copy in copies}) == 2


def test_mirror_twice_is_the_picture(picture: np.ndarray):
    assert np.array_equal(distort(distort(picture, "mirror", "a"), "mirror", "b"), picture)


def test_text_changes_a_frame_of_a_tenth_of_the_area():
    grey = np.full((300, 400, 3), 128, np.uint8)
    for key in "abcdefghijkl":
        changed = (distort(grey, "text", key) != 128).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        frame = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert frame / grey[..., 0].size == pytest.approx(0.1, abs=0.02)
        assert 0.01 < changed.mean() < 0.1


def test_border_surrounds_the_picture_with_one_colour(picture: np.ndarray):
    copy = distort(picture, "border", "a")
    assert copy.shape == (190, 240, 3)
    assert np.array_equal(copy[20:-20, 20:-20], picture)
    assert len(np.unique(copy[:20].reshape(-1, 3), axis=0)) == 1


def test_jpeg_stays_close(picture: np.ndarray):
    copy = distort(picture, "jpeg", "a")
    assert copy.shape == picture.shape
    assert 0 < np.abs(copy.astype(int) - picture).mean() < 8
