"""Any of Pillow's modes -> RGB: palettes, transparency over a background, CMYK, 16 bits, floating point."""

from __future__ import annotations

import numpy as np
from PIL import Image

from nitari.errors import PictureError

_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def to_rgb(picture: Image.Image, background: tuple[int, int, int], side: int | None = None) -> Image.Image:
    """A loaded picture as RGB. With ``side``, box-reduced by a whole number that leaves at least twice that many pixels.

    Transparency of any kind ends over ``background``; colour profiles are ignored, as CMYK without one would be.
    """
    factor = max(1, max(picture.size) // (2 * side)) if side else 1
    if picture.mode in _DEEP:
        picture = _to_8_bits(picture)
    elif picture.mode in _ALPHA or "transparency" in picture.info:
        picture = picture.convert("LA" if picture.mode in ("LA", "La") else "RGBA")
    elif picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    if factor > 1:
        picture = picture.reduce(factor)
    if picture.mode in ("LA", "RGBA"):
        below = Image.new("RGBA", picture.size, (*background, 255))
        below.alpha_composite(picture.convert("RGBA"))
        picture = below
    return picture.convert("RGB")


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """16-bit integers by their bit depth; other integers and floats by the range that their values suggest."""
    if picture.mode.startswith("I;16"):
        values = np.asarray(picture)  # (H, W) uint16
        bits = _bits_per_sample(picture)
        return Image.fromarray((values >> (bits - 8)).clip(0, 255).astype(np.uint8))
    values = np.asarray(picture)  # (H, W) int32 or float32
    finite = np.isfinite(values) if picture.mode == "F" else np.ones(1, bool)
    if not finite.any():
        raise PictureError("unsupported", "None of its values is a finite number")
    low, high = (values.min(), values.max()) if finite.all() else (values[finite].min(), values[finite].max())
    low, high = _range(float(low), float(high), floating=picture.mode == "F")
    scaled = (np.nan_to_num(values.astype(np.float32), nan=low, posinf=high, neginf=low) - low) * (255 / (high - low))
    return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))


def _range(low: float, high: float, *, floating: bool) -> tuple[float, float]:
    """Black and white: the narrowest usual range that holds all values, or else the values' own."""
    for top in (1.0, 255.0, 65535.0) if floating else (65535.0,):
        if low >= 0 and high <= top:
            return 0.0, top
    return low, high if high > low else low + 1.0


def _bits_per_sample(picture: Image.Image) -> int:
    """9 to 16; TIFF says how many of the 16 bits are used."""
    tags = getattr(picture, "tag_v2", None)
    bits = tags.get(258, (16,)) if tags is not None else (16,)
    bits = bits[0] if isinstance(bits, tuple) else bits
    return int(bits) if 8 <= int(bits) <= 16 else 16
