from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nitari.images import jpeg


def saved(mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (30, 20)).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("mode", "components"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
def test_frame_header(mode: str, components: int, progressive: bool) -> None:
    assert jpeg.header(saved(mode, progressive=progressive)) == (30, 20, components, True, 1, 1)


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_in_either_byte_order(order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010E] = "a description before it"
    exif[0x0112] = 6
    header = jpeg.header(saved(exif=exif.tobytes()))
    assert header is not None
    assert header.orientation == 6


def test_pictures_of_a_multi_picture_file() -> None:
    file = io.BytesIO()
    Image.new("RGB", (30, 20)).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (30, 20))] * 2)
    header = jpeg.header(file.getvalue())
    assert header is not None
    assert header.frames == 3


def test_what_is_no_jpeg() -> None:
    assert jpeg.header(b"") is None
    assert jpeg.header(b"\xff\xd8") is None
    assert jpeg.header(b"\xff\xd8\xff\xe0\x00\x01") is None
    assert jpeg.header(b"\x89PNG") is None


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    jpeg.header(b"\xff\xd8\xff" + data)
    assert 1 <= jpeg.exif_orientation(b"II*\0" + data) <= 8
