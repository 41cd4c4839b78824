import numpy as np
import pytest
from PIL import Image, ImageDraw

from nitari.images.geometry import ENOUGH, verify

pytest.importorskip("cv2", reason="needs the extra 'local'")


def scene(seed: int, width: int = 240, height: int = 200) -> np.ndarray:
    """Overlapping shapes of many sizes: corners and blobs everywhere, none of them twice."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), tuple(int(v) for v in random.integers(0, 256, 3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(120):
        x, y = (int(random.integers(side)) for side in (width, height))
        w, h = (int(v) for v in random.integers(4, 50, 2))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x, y, x + w, y + h), fill=tuple(int(v) for v in random.integers(0, 256, 3)))
    return np.asarray(picture)


def carried(transform: np.ndarray, *points: tuple[float, float]) -> np.ndarray:
    return np.array(points) @ transform[:, :2].T + transform[:, 2]


def test_a_part_is_found_where_it_was_cut_out():
    original = scene(0)
    match = verify(original[60:160, 90:220], original)
    assert match.inliers >= ENOUGH
    assert not match.mirrored
    assert 0 < match.share <= 1
    np.testing.assert_allclose(carried(match.transform, (0, 0), (129, 99)), [(90, 60), (219, 159)], atol=1)


def test_a_picture_pasted_into_another_is_found():
    original, other = scene(1), scene(2, 400, 300).copy()
    other[100:200, 150:270] = np.asarray(Image.fromarray(original).resize((120, 100), Image.Resampling.BOX))
    match = verify(other, original)
    assert match.inliers >= ENOUGH
    np.testing.assert_allclose(
        carried(match.transform, (149.5, 99.5), (269.5, 199.5)), [(-0.5, -0.5), (239.5, 199.5)], atol=2
    )


def test_rotation_and_scale_are_told():
    original = scene(3)
    turned = np.rot90(original)  # (x, y) of the original goes to (y, 239 - x)
    match = verify(np.asarray(Image.fromarray(turned).resize((300, 360), Image.Resampling.BICUBIC)), original)
    assert match.inliers >= ENOUGH
    np.testing.assert_allclose(np.sqrt(np.linalg.det(match.transform[:, :2])), 1 / 1.5, atol=0.01)
    np.testing.assert_allclose(carried(match.transform, (-0.5, -0.5)), [(239.5, -0.5)], atol=1)


def test_large_pictures_are_compared_shrunk_and_told_in_their_own_pixels():
    original = scene(4, 300, 240)
    large = np.asarray(Image.fromarray(original).resize((1200, 960), Image.Resampling.BICUBIC))
    match = verify(large, original)
    np.testing.assert_allclose(
        carried(match.transform, (-0.5, -0.5), (1199.5, 959.5)), [(-0.5, -0.5), (299.5, 239.5)], atol=1
    )


def test_a_mirrored_copy_is_found_and_said_to_be():
    original = scene(5)
    match = verify(original[:, ::-1], original)
    assert match.inliers >= ENOUGH
    assert match.mirrored
    np.testing.assert_allclose(carried(match.transform, (0, 0)), [(239, 0)], atol=1)
    assert verify(original[:, ::-1], original, mirror=False).inliers < ENOUGH


def test_other_pictures_do_not_match():
    assert max(verify(scene(2 * i), scene(2 * i + 1)).inliers for i in range(5, 10)) < ENOUGH


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 90, 3), (64, 64, 3)])
def test_pictures_without_features_match_nothing(shape: tuple[int, int, int]):
    blank = np.full(shape, 90, np.uint8)
    match = verify(blank, scene(0))
    assert (match.inliers, match.share, match.transform, match.mirrored) == (0, 0.0, None, False)
    assert verify(scene(0), blank).inliers == 0


def test_the_same_pictures_give_the_same_match():
    first, second = (verify(scene(0)[20:150, 30:180], scene(0)) for _ in range(2))
    assert (first.inliers, first.share) == (second.inliers, second.share)
    np.testing.assert_array_equal(first.transform, second.transform)
