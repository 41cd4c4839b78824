"""Seeded distortions that make a copy of a picture which people still call the same. Applied to full originals.

Version 1 is frozen: figures measured with it stay comparable. What is changed becomes version 2. Fillings and places
are drawn from the generator given, so that the same seed makes the same copy.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

VERSION = 1

Distortion = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""(H, W, 3) uint8 upright RGB -> another, of any size, at least 1 x 1. The input is left as it was."""

WORDS = ("SAMPLE", "SALE", "NEW", "photo 2016", "www.example.org", "No. 4711", "like this?", "best offer")
INKS = ((255, 255, 255), (0, 0, 0), (230, 30, 30), (255, 220, 0))


def distort(image: np.ndarray, name: str, key: str, seed: int = 0) -> np.ndarray:
    """The copy of one picture. ``key`` is what identifies it (its sha256): neither order nor company change a copy."""
    state = hashlib.sha256(f"{VERSION}/{seed}/{name}/{key}".encode()).digest()
    return DISTORTIONS[name](image, np.random.default_rng(int.from_bytes(state[:16], "little")))


def crop(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """70% of the area, of the same aspect, anywhere."""
    height, width = image.shape[:2]
    h, w = (max(1, round(side * 0.7**0.5)) for side in (height, width))
    top, left = int(random.integers(height - h + 1)), int(random.integers(width - w + 1))
    return image[top : top + h, left : left + w].copy()


def scale(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Half the width and height."""
    height, width = image.shape[:2]
    size = (max(1, round(width / 2)), max(1, round(height / 2)))
    return _array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def jpeg(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Encoded as JPEG at quality 30 with subsampled colours, and decoded."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=30, subsampling="4:2:0")
    return _array(Image.open(buffer, formats=("JPEG",)))


def brightness(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Every value times 1.4, clipped."""
    return _array(ImageEnhance.Brightness(Image.fromarray(image)).enhance(1.4))


def contrast(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The distance of every value from the picture's mean grey times 0.6."""
    return _array(ImageEnhance.Contrast(Image.fromarray(image)).enhance(0.6))


def blur(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Gaussian, its standard deviation 1% of the longer side."""
    return _array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(max(image.shape[:2]) / 100)))


def rotation(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """10 degrees one way or the other, cut to the old frame; the corners that open are black."""
    angle = 10 if random.integers(2) else -10
    return _array(Image.fromarray(image).rotate(angle, Image.Resampling.BICUBIC))


def mirror(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Left for right."""
    return image[:, ::-1].copy()


def text(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Words in an outlined ink whose frame takes 10% of the area, anywhere."""
    height, width = image.shape[:2]
    word, ink = WORDS[random.integers(len(WORDS))], INKS[random.integers(len(INKS))]
    font = ImageFont.load_default(96)
    left, top, right, bottom = font.getbbox(word, stroke_width=6)
    label = Image.new("RGBA", (int(right - left), int(bottom - top)))
    outline = (0, 0, 0) if sum(ink) > 300 else (255, 255, 255)
    ImageDraw.Draw(label).text((-left, -top), word, (*ink, 255), font, stroke_width=6, stroke_fill=(*outline, 255))
    # As wide as the word's own shape asks for, within a tenth and nine tenths of the picture's width.
    w = (0.1 * width * height * label.width / label.height) ** 0.5
    w = max(1, round(min(max(w, 0.12 * width), 0.9 * width)))
    h = min(height, max(1, round(0.1 * width * height / w)))
    label = label.resize((w, h), Image.Resampling.BILINEAR)
    at = int(random.integers(width - w + 1)), int(random.integers(height - h + 1))
    picture = Image.fromarray(image)
    picture.paste(label, at, label)
    return _array(picture)


def border(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A frame of one colour around the picture, 10% of its longer side wide."""
    edge = max(1, round(max(image.shape[:2]) / 10))
    colour = random.integers(0, 256, 3).astype(np.uint8)
    height, width = image.shape[:2]
    framed = np.empty((height + 2 * edge, width + 2 * edge, 3), np.uint8)
    framed[:] = colour
    framed[edge : edge + height, edge : edge + width] = image
    return framed


def _array(picture: Image.Image) -> np.ndarray:
    return np.array(picture)


DISTORTIONS: Mapping[str, Distortion] = MappingProxyType(
    {
        "crop": crop,
        "scale": scale,
        "jpeg": jpeg,
        "brightness": brightness,
        "contrast": contrast,
        "blur": blur,
        "rotation": rotation,
        "mirror": mirror,
        "text": text,
        "border": border,
    }
)
