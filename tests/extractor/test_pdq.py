import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.pdq import PdqExtractor
from nitari.images.shrink import shrink


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth, with noise."""
    rng = np.random.default_rng(seed)
    waves = sum(
        rng.uniform(10, 40)
        * np.sin(rng.uniform(0, 9) * np.linspace(0, 3, height)[:, None] + rng.uniform(0, 9) * np.linspace(0, 3, width))
        for _ in range(12)
    )
    return np.clip(128 + waves[..., None] + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


def box(values: list[float], window: int) -> list[float]:
    """The mean of the values from ``window - reach`` before to ``reach - 1`` behind each, as far as there are any."""
    reach = (window + 2) // 2
    return [
        float(np.mean(values[max(0, i - (window - reach)) : min(len(values), i + reach)])) for i in range(len(values))
    ]


def plain(image: np.ndarray) -> tuple[np.ndarray, int]:
    """The same bits and quality, step by step as the reference takes them."""
    luma = image.astype(np.float64) @ [0.299, 0.587, 0.114]
    height, width = luma.shape
    for _ in range(2):
        luma = np.array([box(row.tolist(), (width + 127) // 128) for row in luma])
        luma = np.array([box(column.tolist(), (height + 127) // 128) for column in luma.T]).T
    small = np.array(
        [[luma[int((i + 0.5) * height / 64), int((j + 0.5) * width / 64)] for j in range(64)] for i in range(64)]
    )
    steps = 0
    for axis in (0, 1):
        steps += sum(abs(int(step * 100 / 255)) for step in np.diff(small, axis=axis).ravel())
    dct = np.array(
        [[np.sqrt(2 / 64) * np.cos(np.pi / 128 * (i + 1) * (2 * j + 1)) for j in range(64)] for i in range(16)]
    )
    values = (dct @ small @ dct.T).ravel()
    return values > np.sort(values)[127], min(100, steps // 90)


@pytest.mark.parametrize("shape", [(64, 64), (96, 70), (40, 96), (200, 150), (130, 257)])
def test_bits_and_quality_as_the_definition_says(shape: tuple[int, int]):
    image = picture(*shape)
    extractor = PdqExtractor(enlarge=None)
    bits, quality = plain(image)
    found = np.unpackbits(extractor.extract([image])[0])[::-1]  # the hexadecimal form starts with the last bit
    assert np.array_equal(found, bits)
    assert bits.sum() == 128
    assert extractor.quality([image]).tolist() == [quality]


def test_a_thumbnail_is_nearer_its_original_when_enlarged():
    images = [picture(400, 300, seed) for seed in range(20)]
    small = [shrink(image, 96) for image in images]

    def apart(extractor: PdqExtractor) -> float:
        return float(np.bitwise_count(extractor.extract(images) ^ extractor.extract(small)).sum(axis=1).mean())

    assert apart(PdqExtractor()) < apart(PdqExtractor(enlarge=None)) / 2


def test_large_pictures_are_not_enlarged():
    image = picture(448, 500)
    assert np.array_equal(PdqExtractor().extract([image]), PdqExtractor(enlarge=None).extract([image]))


def test_quality_tells_a_flat_picture_from_a_full_one():
    flat, full = np.full((96, 96, 3), 200, np.uint8), np.random.default_rng(0).integers(0, 256, (96, 96, 3))
    assert PdqExtractor().quality([flat, full.astype(np.uint8)]).tolist() == [0, 100]
    assert not PdqExtractor().extract([flat]).any()


def test_what_is_too_small_gets_zeros():
    tiny = picture(4, 96)
    assert not PdqExtractor().extract([tiny]).any()
    assert PdqExtractor().quality([tiny]) == 0


def test_trimmed_copies_in_frames_are_found():
    image = picture(90, 60)
    copy = np.full((120, 80, 3), 9, np.uint8)
    copy[20:110, 5:65] = image
    extractor = PdqExtractor(trim=True)
    assert np.array_equal(*extractor.extract([image, copy]))
    assert np.array_equal(*extractor.quality([image, copy]))


@pytest.mark.parametrize("enlarge", [0, 5000])
def test_senseless_sizes_are_refused(enlarge: int):
    with pytest.raises(ConfigError, match=rf"extractor\.enlarge is {enlarge}"):
        PdqExtractor(enlarge=enlarge)
