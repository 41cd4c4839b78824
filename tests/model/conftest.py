from pathlib import Path

import numpy as np
import pytest

TINY = {
    "_target_": "nitari.model.autoencoder.Autoencoder",
    "size": 16,
    "dim": 12,
    "stride": 2,
    "learned": 4,
    "gradients": 4,
    "widths": [8, 12],
    "top": 16,
    "reduced": 8,
    "pool": 2,
    "decoder": 8,
}


@pytest.fixture(scope="session")
def tiny() -> dict:
    """The specification of an autoencoder small enough for tests."""
    return dict(TINY)


@pytest.fixture(scope="session")
def squares() -> np.ndarray:
    """(48, 16, 16, 3) uint8: smooth random pictures."""
    random = np.random.default_rng(0)
    corners = random.integers(0, 256, (48, 4, 4, 3)).astype(np.uint8)
    return corners.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture
def packed(tmp_path: Path, squares: np.ndarray) -> Path:
    path = tmp_path / "pictures.npy"
    np.save(path, squares)
    return path
