import builtins

import numpy as np
import pytest

from nitari.errors import MissingExtraError
from nitari.images.local import mirrored, root, sift

pytest.importorskip("cv2", reason="needs the extra 'local'")


def blobs(seed: int = 0) -> np.ndarray:
    """Soft blobs of several sizes on grey: found at the same places in the mirrored picture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:120, :160]
    picture = np.full((120, 160), 128.0)
    for _ in range(40):
        across, down, width, height = random.uniform((0, 0, 3, 3), (160, 120, 12, 12))
        tilt = random.uniform(-0.5, 0.5)
        picture += random.uniform(-90, 90) * np.exp(
            -(((x - across) / width) ** 2) - ((y - down + tilt * (x - across)) / height) ** 2
        )
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_features_are_unit_descriptors_at_places_within_the_picture():
    found = sift(blobs(), 500)
    assert found.places.shape == (len(found.descriptors), 2)
    assert found.descriptors.shape[1] == 128
    assert (found.places >= -0.5).all()
    assert (found.places <= (160, 120)).all()
    np.testing.assert_allclose(np.linalg.norm(found.descriptors, axis=1), 1, atol=1e-5)


def test_the_strongest_are_kept():
    few, many = sift(blobs(), 20), sift(blobs(), 500)
    assert len(few.descriptors) == 20 < len(many.descriptors)
    np.testing.assert_array_equal(few.descriptors, many.descriptors[:20])


def test_the_dot_product_of_root_descriptors_is_hellingers_kernel():
    raw = np.random.default_rng(0).integers(0, 200, (2, 128)).astype(np.float32)
    shares = raw / raw.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(root(raw)[0] @ root(raw)[1], np.sqrt(shares[0] * shares[1]).sum(), atol=1e-6)


def test_mirrored_descriptors_are_those_of_the_mirrored_picture():
    here, there = sift(blobs(), 300), sift(blobs()[:, ::-1], 300)
    cosines = mirrored(here.descriptors) @ there.descriptors.T
    assert np.median(cosines.max(axis=1)) > 0.98
    assert np.median((here.descriptors @ there.descriptors.T).max(axis=1)) < 0.9
    np.testing.assert_array_equal(mirrored(mirrored(here.descriptors)), here.descriptors)


def test_a_blank_picture_has_no_features():
    assert sift(np.full((50, 50, 3), 200, np.uint8), 10).descriptors.shape == (0, 128)


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name == "cv2":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"nitari\[local\]"):
        sift(blobs(), 10)
