"""Decoding: bytes -> upright RGB, within limits that are checked at the header, whatever the bytes are.

Ordinary JPEGs go through libjpeg-turbo at a reduced scale where the caller needs less than the full size. All else, and
every JPEG that it finds fault with, goes through Pillow, which so has the last word on what is damaged.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from nitari.errors import ConfigError, PictureError
from nitari.images import jpeg
from nitari.images.colour import to_rgb
from nitari.images.quiet import quiet

# What collections of pictures are made of, and maintained C decoders read. Left out on purpose: formats that run
# programs (EPS, PDF, WMF), that have no signature to tell them by (TGA, PCX, ...), and containers of other uses.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "ICO", "PPM", "JPEG2000")
Image.init()  # Pillow knows AVIF, TIFF and others only afterwards
WHITE = (255, 255, 255)

_KNOWN = (
    (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "PSD"),
    (0, b"DDS ", "DDS"),
    (0, b"icns", "ICNS"),
    (0, b"qoif", "QOI"),
    (0, b"SIMPLE", "FITS"),
    (0, b"\x01\xda", "SGI"),
    (0, b"BLP", "BLP"),
    (0, b"/* XPM */", "XPM"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"ftyphei", "HEIF"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftyp", "a film"),
    (0, b"\x1aE\xdf\xa3", "a film"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML or SVG"),
    (4, b"\x11\xaf", "FLI"),
    (4, b"\x12\xaf", "FLI"),
)
_SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")
_ANIMATED = ("GIF", "WEBP", "AVIF", "PNG", "MPO", "TIFF")
_UNSUPPORTED = ("unsupported", "not supported", "unknown", "unrecognized", "not implemented", "unable to determine")
_TRUNCATED = ("truncated", "not enough", "unexpected end", "premature end", "end of file", "no more data")
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@dataclass(frozen=True)
class Limits:
    """What a picture may cost. ``seconds`` is wall time for reading and decoding one, kept by the executor."""

    max_pixels: float = 50e6
    max_bytes: float = 25e6
    max_frames: int = 2000
    seconds: float = 20.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None or not value > 0:
                raise ConfigError(f"limits.{name} is {value}. Give a number above 0; .inf for no limit")

    @classmethod
    def none(cls) -> Limits:
        """For pictures that passed their limits before."""
        return cls(float("inf"), float("inf"), 2**31, float("inf"))


USUAL = Limits()


@dataclass(frozen=True)
class Decoded:
    """``pixels`` (H, W, 3) uint8 RGB, upright, perhaps at a reduced scale; ``width`` and ``height`` are the original's."""

    pixels: np.ndarray
    format: str
    mode: str
    width: int
    height: int
    frames: int
    orientation: int


def decode(
    data: bytes,
    limits: Limits = USUAL,
    *,
    side: int | None = None,
    background: tuple[int, int, int] = WHITE,
) -> Decoded:
    """The first frame of a picture file.

    With ``side``, pixels may come reduced as long as the longer side stays at least that many. Raises PictureError with
    a reason from ``nitari.reasons.REASONS``, and nothing else.
    """
    if not data:
        raise PictureError("empty", "The file has no bytes")
    if len(data) > limits.max_bytes:
        raise PictureError("too_many_bytes", f"More than {limits.max_bytes / 1e6:g} MB")
    try:
        header = jpeg.header(data)
        if header is not None and header.ordinary and header.components in (1, 3):
            check(header.width, header.height, header.frames, limits)
            decoded = _fast(data, header, side)
            if decoded is not None:
                return decoded
        with quiet:
            return _pillow(data, limits, side, background)
    except PictureError:
        raise
    except Exception as error:
        raise refusal(error, data) from error


def check(width: int, height: int, frames: int, limits: Limits) -> None:
    if width <= 0 or height <= 0:
        raise PictureError("damaged", f"The header says {width} × {height} pixels")
    if width * height > limits.max_pixels:
        raise PictureError(
            "too_many_pixels",
            f"{width} × {height} is {width * height / 1e6:.1f} MP, more than {limits.max_pixels / 1e6:g} MP",
        )
    if frames > limits.max_frames:
        raise PictureError("too_many_frames", f"{frames} frames, more than {limits.max_frames}")


def _fast(data: bytes, header: jpeg.Header, side: int | None) -> Decoded | None:
    width, height = header.width, header.height
    least = {"min_width" if width >= height else "min_height": side} if side and side < max(width, height) else {}
    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", **least)
    except ValueError:
        return None
    if header.orientation > 1:
        pixels = np.ascontiguousarray(_UPRIGHT[header.orientation](pixels))
        if header.orientation > 4:
            width, height = height, width
    return Decoded(
        pixels,
        "MPO" if header.frames > 1 else "JPEG",
        "L" if header.components == 1 else "RGB",
        width,
        height,
        header.frames,
        header.orientation,
    )


def _pillow(data: bytes, limits: Limits, side: int | None, background: tuple[int, int, int]) -> Decoded:
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        check(width, height, 1, limits)
        mode, kind = picture.mode, str(picture.format)
        frames = _frames(data, limits) if kind in _ANIMATED else 1
        orientation = _orientation(picture)
        if kind in ("JPEG", "MPO") and side and side < max(width, height):
            scale = side / max(width, height)
            picture.draft("", (max(1, int(width * scale)), max(1, int(height * scale))))
        picture.load()
        left = _orientation(picture)  # Pillow turns TIFFs upright by itself, as it loads them
        pixels = np.asarray(to_rgb(picture, background, side))
    if left > 1:
        pixels = np.ascontiguousarray(_UPRIGHT[left](pixels))
        if left > 4:
            width, height = height, width
    return Decoded(pixels, kind, mode, width, height, frames, orientation)


def _orientation(picture: Image.Image) -> int:
    try:
        value = picture.getexif().get(0x0112)
    except Exception:  # a broken EXIF block says nothing, and hides no picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _frames(data: bytes, limits: Limits) -> int:
    """Counted on a second reading of the headers, as a broken later frame must not disturb the first one."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            frames = int(getattr(picture, "n_frames", 1))
    except Exception:
        return 1
    if frames > limits.max_frames:
        raise PictureError("too_many_frames", f"{frames} frames, more than {limits.max_frames}")
    return frames


def refusal(error: Exception, data: bytes) -> PictureError:
    """One of a few stable reasons for whatever a decoder raised."""
    text = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        known = next((name for at, magic, name in _KNOWN if data[at : at + len(magic)] == magic), None)
        if known:
            return PictureError("format", f"This is {known}, which is not read. Convert it to PNG or JPEG")
        if data.startswith(_SIGNATURES):
            return PictureError("damaged", "It begins like a picture, but its header cannot be read")
        return PictureError("not_a_picture", "It does not begin like any picture that is read")
    if isinstance(error, Image.DecompressionBombError):
        return PictureError("too_many_pixels", "A picture or a tile inside it is far larger than the limit")
    if isinstance(error, MemoryError):
        return PictureError("memory", "There was not enough memory to decode it")
    if isinstance(error, NotImplementedError) or any(word in text.lower() for word in _UNSUPPORTED):
        return PictureError("unsupported", text)
    if isinstance(error, EOFError | struct.error) or any(word in text.lower() for word in _TRUNCATED):
        return PictureError("truncated", text)
    return PictureError("damaged", text)
