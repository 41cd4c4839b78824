"""The eight ways a picture can lie: four quarter turns of it and of its mirror image."""

from __future__ import annotations

import numpy as np


def dihedral(pixels: np.ndarray) -> list[np.ndarray]:
    """(H, W, 3) -> eight views of the same memory: turned left by 0, 90, 180 and 270°, then mirrored and turned so.

    A descriptor that tells them apart finds a turned or mirrored copy when all eight are asked and the least distance
    counts.
    """
    return [np.rot90(side, turns) for side in (pixels, pixels[:, ::-1]) for turns in range(4)]
