"""CIE L*a*b*, where equal steps look about equally large: sRGB under D65, as IEC 61966-2-1 and CIE 15 define them."""

from __future__ import annotations

import numpy as np

_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_TO_RATIO = (_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)
_FROM_RATIO = np.linalg.inv(_TO_XYZ / _WHITE[:, None]).T
_TO_LAB = np.array([[0, 500, 0], [116, -500, 200], [0, 0, -200]], np.float32)
_EDGE, _SLOPE = (6 / 29) ** 3, (29 / 6) ** 2 / 3  # below the edge the cube root goes on as a line
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 sRGB -> (..., 3) float32: lightness 0 to 100, green to red and blue to yellow about -108 to 98."""
    ratio = _LINEAR[rgb] @ _TO_RATIO
    root = np.where(ratio > _EDGE, np.cbrt(ratio), ratio * np.float32(_SLOPE) + np.float32(4 / 29))
    lab = root @ _TO_LAB
    lab[..., 0] -= 16
    return lab


def to_rgb(lab: np.ndarray) -> np.ndarray:
    """(..., 3) L*a*b* -> (..., 3) uint8 sRGB; what a screen cannot show is clipped."""
    lab = np.asarray(lab, np.float64)
    middle = (lab[..., 0] + 16) / 116
    root = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], axis=-1)
    ratio = np.where(root > 6 / 29, root**3, (root - 4 / 29) / _SLOPE)
    linear = np.clip(ratio @ _FROM_RATIO, 0, 1)
    levels = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (levels * 255).round().astype(np.uint8)
