import numpy as np
import pytest

from nitari.images.alignment import agreement
from nitari.images.geometry import verify
from nitari.images.shrink import shrink

pytest.importorskip("cv2")


def scene(seed, size=(300, 400)):
    """Blots of all sizes, as a photo has them."""
    random = np.random.default_rng(seed)
    height, width = size
    picture = np.zeros((height, width, 3))
    for cells in (4, 12, 40, 100):
        coarse = random.normal(size=(cells, cells, 3)).astype(np.float32)
        rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
        picture += coarse[rows][:, columns] * 30
    return np.clip(picture + 128, 0, 255).astype(np.uint8)


SHIFT = np.array([[1.0, 0.0, 40.0], [0.0, 1.0, 30.0]])


def test_a_cut_out_is_a_copy_whatever_its_brightness():
    original = scene(0)
    part = np.clip(original[30:230, 40:340] * 0.7 + 20, 0, 255).astype(np.uint8)
    found = agreement(part, original, SHIFT)
    assert found.is_copy
    assert found.same > 0.97
    assert found.overlap == pytest.approx(1, abs=0.02)


def test_where_geometry_is_estimated_turned_and_smaller_copies_are_found():
    original = scene(1)
    for copy in (np.rot90(original), original[:, ::-1], shrink(original, 160)):
        match = verify(np.ascontiguousarray(copy), original)
        assert agreement(np.ascontiguousarray(copy), original, match.transform).is_copy


def test_another_thing_on_the_same_floor_is_none():
    floor, thing = scene(2), scene(3)
    one, other = floor.copy(), floor.copy()
    one[60:240, 100:300] = thing[60:240, 100:300]
    other[60:240, 100:300] = scene(4)[60:240, 100:300]
    found = agreement(one, other, np.eye(2, 3))
    assert 0.4 < found.same < 0.85
    assert not found.is_copy


def test_little_in_common_is_no_copy():
    original = scene(5)
    found = agreement(original, original, np.array([[1.0, 0.0, 350.0], [0.0, 1.0, 0.0]]))
    assert found.overlap == pytest.approx(1 / 8, abs=0.02)
    assert not found.is_copy


def test_flat_pictures_tell_nothing():
    flat = np.full((80, 90, 3), 200, np.uint8)
    assert agreement(flat, flat, np.eye(2, 3)).same == 0
