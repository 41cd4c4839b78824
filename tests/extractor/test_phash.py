import imagehash
import numpy as np
import pytest
from PIL import Image

from nitari.extractor.phash import PhashExtractor


@pytest.mark.parametrize("shape", [(96, 72), (33, 96), (32, 32), (5, 7), (300, 200)])
def test_as_imagehash_computes_it(shape: tuple[int, int]):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*shape, 3)).astype(np.uint8) for _ in range(5)]
    expected = [np.packbits(imagehash.phash(Image.fromarray(image)).hash) for image in images]
    assert np.array_equal(PhashExtractor().extract(images), expected)


def test_trimmed_copies_in_frames_are_found():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    copy = np.pad(image, ((9, 3), (4, 4), (0, 0)), constant_values=255)
    assert np.array_equal(*PhashExtractor(trim=True).extract([image, copy]))
    assert not np.array_equal(*PhashExtractor().extract([image, copy]))
