import numpy as np
import pytest

from nitari.extractor.signature import SignatureExtractor


def plain(image: np.ndarray) -> np.ndarray:
    """The same signature, point by point."""
    grey = image.astype(np.float64) @ [0.2125, 0.7154, 0.0721] / 255
    centres = []
    for axis in (0, 1):
        change = np.cumsum(np.abs(np.diff(grey, axis=1 - axis)).sum(axis=1 - axis))
        first = int(np.searchsorted(change, np.percentile(change, 5), "right"))
        last = int(np.searchsorted(change, np.percentile(change, 95), "left"))
        centres.append([int(first + (last - first) * i / 10) for i in range(1, 10)])
    side = max(2, int(0.5 + min(grey.shape) / 20))
    levels = np.empty((9, 9))
    for i, y in enumerate(centres[0]):
        for j, x in enumerate(centres[1]):
            top, left = int(max(y - side / 2, 0)), int(max(x - side / 2, 0))
            levels[i, j] = grey[top : top + side, left : left + side].mean()
    apart = np.zeros((9, 9, 8))
    for i in range(9):
        for j in range(9):
            around = [(i + y, j + x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
            for at, (y, x) in enumerate(around):
                if 0 <= y < 9 and 0 <= x < 9 and abs(levels[i, j] - levels[y, x]) >= 2 / 255:
                    apart[i, j, at] = levels[i, j] - levels[y, x]
    lighter, darker = np.median(apart[apart > 0]), np.median(apart[apart < 0])
    found = np.sign(apart)
    found[apart > lighter] = 2
    found[apart < darker] = -2
    return found.ravel().astype(np.int8)


@pytest.mark.parametrize("shape", [(96, 72), (40, 96), (301, 200), (12, 11)])
def test_as_the_definition_says(shape: tuple[int, int]):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert np.array_equal(SignatureExtractor().extract([image])[0], plain(image))


def test_opposite_neighbours_disagree():
    image = np.random.default_rng(1).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    found = SignatureExtractor().extract([image])[0].reshape(9, 9, 8)
    assert np.array_equal(found[:, 1:, 3], -found[:, :-1, 4])  # left of one, right of the other
    assert np.array_equal(found[1:, :, 1], -found[:-1, :, 6])  # above, below
    assert not found[0, :, :3].any()
    assert not found[:, 0, [0, 3, 5]].any()


def test_brightness_and_contrast_hardly_matter():
    rng = np.random.default_rng(2)
    image = np.kron(rng.integers(60, 180, (12, 12)), np.ones((8, 8)))[..., None].repeat(3, axis=2).astype(np.uint8)
    darker = (image * 0.6 + 10).astype(np.uint8)
    a, b = SignatureExtractor().extract([image, darker]).astype(np.float32)
    assert np.linalg.norm(a - b) / (np.linalg.norm(a) + np.linalg.norm(b)) < 0.1


def test_a_flat_picture_gets_zeros():
    assert not SignatureExtractor().extract([np.full((50, 50, 3), 130, np.uint8)]).any()


def test_trimmed_copies_in_frames_are_found():
    image = np.random.default_rng(0).integers(0, 256, (90, 60, 3)).astype(np.uint8)
    copy = np.pad(image, ((20, 3), (4, 4), (0, 0)), constant_values=0)
    assert np.array_equal(*SignatureExtractor(trim=True).extract([image, copy]))
