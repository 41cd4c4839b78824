"""What a JPEG says before its first scan: size, components, orientation, further pictures. Reads markers only.

Marker layout after ITU-T T.81, annex B; the EXIF orientation after EXIF 2.32, section 4.6; the count of a
multi-picture file after CIPA DC-007.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_8_BIT = frozenset((0xC0, 0xC1, 0xC2))


class Header(NamedTuple):
    width: int
    height: int
    components: int
    ordinary: bool  # baseline, extended or progressive Huffman coding of 8 bits
    orientation: int  # EXIF, 1 to 8
    frames: int


def header(data: bytes) -> Header | None:
    """None where the markers do not lead to a frame header: what then follows is not worth a fast path."""
    if data[:2] != b"\xff\xd8":
        return None
    at, end, orientation, frames = 2, len(data), 1, 1
    while at + 4 <= end:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:  # stand alone
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        body = at + 4
        if marker in _STARTS_OF_FRAME:
            if body + 6 > end:
                return None
            precision, height, width, components = struct.unpack_from(">BHHB", data, body)
            return Header(width, height, components, marker in _HUFFMAN_8_BIT and precision == 8, orientation, frames)
        if marker == 0xE1 and data[body : body + 6] == b"Exif\0\0":
            orientation = exif_orientation(data[body + 6 : at + 2 + length])
        elif marker == 0xE2 and data[body : body + 4] == b"MPF\0":
            frames = max(1, _first_ifd(data[body + 4 : at + 2 + length], 0xB001, 4, 1))
        elif marker in (0xD8, 0xD9, 0xDA) or length < 2:
            return None
        at += 2 + length
    return None


def exif_orientation(tiff: bytes) -> int:
    """The orientation in an EXIF block that starts at its byte-order mark; 1 where there is none or it is invalid."""
    value = _first_ifd(tiff, 0x0112, 3, 1)
    return value if 1 <= value <= 8 else 1


def _first_ifd(tiff: bytes, tag: int, kind: int, default: int) -> int:
    """The value of a SHORT (3) or LONG (4) tag in the first image file directory."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return default
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + 2 > len(tiff):
        return default
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        found, found_kind = struct.unpack_from(order + "HH", tiff, entry)
        if found == tag and found_kind == kind:
            (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), tiff, entry + 8)
            return int(value)
    return default
