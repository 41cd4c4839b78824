import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.hog import BINS, HogExtractor


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def plain(image: np.ndarray, cell: int) -> np.ndarray:
    """The same histogram, pixel by pixel."""
    gamma = np.sqrt(image.astype(np.float64) / 255)
    n = len(image)
    cells = np.zeros((n // cell, n // cell, BINS))
    for y in range(n):
        for x in range(n):
            best = (0.0, 0.0, 0.0)
            for c in range(3):
                dx = gamma[y, min(x + 1, n - 1), c] - gamma[y, max(x - 1, 0), c]
                dy = gamma[min(y + 1, n - 1), x, c] - gamma[max(y - 1, 0), x, c]
                best = max(best, (dx * dx + dy * dy, dx, dy), key=lambda g: g[0])
            position = (np.arctan2(best[2], best[1]) % np.pi) / np.pi * BINS
            low = int(position)
            cells[y // cell, x // cell, low % BINS] += np.sqrt(best[0]) * (low + 1 - position)
            cells[y // cell, x // cell, (low + 1) % BINS] += np.sqrt(best[0]) * (position - low)
    blocks = []
    for y in range(len(cells) - 1):
        for x in range(len(cells) - 1):
            block = np.concatenate([cells[y, x], cells[y, x + 1], cells[y + 1, x], cells[y + 1, x + 1]])
            block = np.minimum(block / np.sqrt((block**2).sum() + 1e-2), 0.2)
            blocks.append(block / np.sqrt((block**2).sum() + 1e-2))
    return np.concatenate(blocks)


def test_as_the_definition_says():
    found = HogExtractor(mirror=False).extract([picture()])[0]
    np.testing.assert_allclose(found, plain(picture(), 8), atol=1e-4)


def test_the_mirrored_histogram_is_the_histogram_of_the_mirrored_picture():
    both = HogExtractor(mirror=True).extract([picture()])
    one, other = HogExtractor(mirror=False).extract([picture(), picture()[:, ::-1]])
    np.testing.assert_allclose(both[0], one + other, atol=1e-3)
    np.testing.assert_allclose(both, HogExtractor().extract([picture()[:, ::-1]]), atol=1e-3)


def test_a_vertical_edge_has_a_horizontal_gradient():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    vector = HogExtractor(mirror=False).extract([image])[0].reshape(7, 7, 4, BINS)
    assert vector[3, 3].sum(axis=0).argmax() == 0


@pytest.mark.parametrize(("size", "cell"), [(64, 7), (64, 64), (8, 1)])
def test_cells_must_fit(size: int, cell: int):
    with pytest.raises(ConfigError, match="whole number of cells"):
        HogExtractor(size=size, cell=cell)
