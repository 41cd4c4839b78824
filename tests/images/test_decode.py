from __future__ import annotations

import csv
import io
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nitari.errors import ConfigError, PictureError
from nitari.images.decode import Limits, decode
from nitari.reasons import REASONS


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def scene(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """Red, green, blue and grey quarters."""
    picture = Image.new("RGB", size, (200, 30, 30))
    w, h = size[0] // 2, size[1] // 2
    picture.paste((30, 200, 30), (w, 0, size[0], h))
    picture.paste((30, 30, 200), (0, h, w, size[1]))
    picture.paste((128, 128, 128), (w, h, size[0], size[1]))
    return picture.convert(mode)


@pytest.mark.parametrize(("name", "value"), [("seconds", 0), ("max_frames", -1), ("max_pixels", float("nan"))])
def test_a_limit_of_nothing_is_refused(name: str, value: float):
    with pytest.raises(ConfigError, match=rf"limits\.{name} is {value}"):
        Limits(**{name: value})


def refusal(data: bytes, **limits: Any) -> str:
    with pytest.raises(PictureError) as caught:
        decode(data, Limits(**limits))
    assert caught.value.reason in REASONS
    assert str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "ICO", "PPM", "JPEG2000"])
def test_formats(kind: str) -> None:
    decoded = decode(saved(scene((64, 64)), kind))
    assert (decoded.format, decoded.width, decoded.height, decoded.frames, decoded.orientation) == (kind, 64, 64, 1, 1)
    assert decoded.pixels.dtype == np.uint8
    for (y, x), colour in {(8, 8): (200, 30, 30), (8, 56): (30, 200, 30), (56, 8): (30, 30, 200)}.items():
        assert np.abs(decoded.pixels[y, x].astype(int) - colour).max() < 16


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB"])
def test_colour_modes(mode: str) -> None:
    if mode == "I;16":
        grey = np.asarray(scene(mode="L")).astype(np.uint16) * 257
        data, expected = saved(Image.fromarray(grey), "PNG"), scene(mode="L").convert("RGB")
    elif mode == "F":
        grey = np.asarray(scene(mode="L")).astype(np.float32) / 255
        data, expected = saved(Image.fromarray(grey), "TIFF"), scene(mode="L").convert("RGB")
    elif mode == "I":
        wide = np.asarray(scene(mode="L")).astype(np.int32) * 257
        data, expected = saved(Image.fromarray(wide), "TIFF"), scene(mode="L").convert("RGB")
    elif mode == "LAB":
        pytest.importorskip("PIL.ImageCms")
        data, expected = saved(Image.new("LAB", (64, 48), (128, 128, 128)), "TIFF"), None
    else:
        data, expected = saved(scene(mode=mode), "TIFF"), scene(mode=mode).convert("RGB")
    decoded = decode(data)
    assert decoded.pixels.shape == (48, 64, 3)
    if expected is not None:
        assert np.abs(decoded.pixels.astype(int) - np.asarray(expected)).max() <= 2


def test_transparency_lies_over_the_background() -> None:
    half = scene().convert("RGBA")
    half.putalpha(Image.linear_gradient("L").resize(half.size))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    for data in (
        saved(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "PNG"),
        saved(Image.new("LA", (8, 8), (9, 0)), "PNG"),
        saved(palette, "PNG", transparency=0),
        saved(palette, "GIF", transparency=0),
        saved(Image.new("RGB", (8, 8), (1, 2, 3)), "PNG", transparency=(1, 2, 3)),
    ):
        assert (decode(data).pixels == 255).all()
        assert (decode(data, background=(10, 20, 30)).pixels == (10, 20, 30)).all()
    pixels = decode(saved(half, "PNG"), background=(0, 0, 0)).pixels
    assert pixels[0].max() <= 2  # an alpha of 2 in 255
    assert pixels[-1].max() > 100


def test_reducing_keeps_transparent_colours_out() -> None:
    """The colour under full transparency must not bleed into what is beside it."""
    pixels = np.zeros((256, 256, 4), np.uint8)
    pixels[:, ::2] = (255, 0, 0, 255)
    pixels[:, 1::2] = (0, 255, 0, 0)
    reduced = decode(saved(Image.fromarray(pixels), "PNG"), side=32, background=(255, 0, 0)).pixels
    assert max(reduced.shape) < 256
    assert (reduced == (255, 0, 0)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(kind: str, orientation: int) -> None:
    """What a viewer shows: each stored picture is the inverse of its orientation, so all come out alike."""
    undo = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = scene((64, 48))
    for step in undo[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(saved(stored, kind, exif=exif.tobytes() if kind != "TIFF" else exif))
    assert (decoded.width, decoded.height, decoded.orientation) == (64, 48, orientation)
    assert decoded.pixels.shape == (48, 64, 3)
    assert np.abs(decoded.pixels.astype(int) - np.asarray(scene((64, 48))))[8:16, 8:24].max() < 24
    assert np.abs(decoded.pixels.astype(int) - np.asarray(scene((64, 48))))[32:40, 8:24].max() < 24


def test_both_jpeg_paths_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    from nitari.images import decode as module

    for mode in ("L", "RGB"):
        for options in ({}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}):
            if mode == "L" and options.keys() & {"keep_rgb", "subsampling"}:
                continue
            data = saved(scene((201, 99), mode), "JPEG", quality=90, **options)
            fast = decode(data)
            with monkeypatch.context() as patch:
                patch.setattr(module, "_fast", lambda *_: None)
                slow = decode(data)
            assert (fast.format, fast.mode, fast.width) == (slow.format, slow.mode, slow.width)
            assert np.abs(fast.pixels.astype(int) - slow.pixels).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_side_is_the_least_that_comes(kind: str) -> None:
    data = saved(scene((1000, 700)), kind)
    for side in (40, 96, 300, 1000, 3000):
        decoded = decode(data, side=side)
        assert min(side, 1000) <= max(decoded.pixels.shape) <= 1000
        assert (decoded.width, decoded.height) == (1000, 700)
    assert max(decode(data, side=96).pixels.shape) < 400


def test_frames_are_counted_and_the_first_is_kept() -> None:
    frames = [scene(), *(Image.new("RGB", (64, 48), (i * 60, 255 - i * 60, i * 30)) for i in range(4))]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"):
        decoded = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert (decoded.format, decoded.frames) == (kind, 5)
        assert np.abs(decoded.pixels[4, 4].astype(int) - (200, 30, 30)).max() < 24
    assert refusal(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), max_frames=4) == "too_many_frames"


def test_adobe_cmyk_is_not_inverted() -> None:
    """Adobe writes CMYK JPEGs inverted; red stays red."""
    pixels = decode(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)).pixels
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() < 8


def test_limits_are_checked_at_the_header() -> None:
    data = saved(scene((100, 100)), "JPEG")
    assert refusal(data, max_pixels=9999) == "too_many_pixels"
    assert refusal(data, max_bytes=len(data) - 1) == "too_many_bytes"
    assert decode(data, Limits(max_pixels=10000, max_bytes=len(data))).width == 100
    assert refusal(bomb(30000, 30000)) == "too_many_pixels"
    assert refusal(bomb(8000, 8000)) == "too_many_pixels"


def test_refusals_have_reasons() -> None:
    whole = {kind: saved(scene((200, 150)), kind) for kind in ("JPEG", "PNG", "GIF", "BMP")}
    assert refusal(b"") == "empty"
    assert refusal(b"hello") == refusal(bytes(1000)) == "not_a_picture"
    assert refusal(b"%PDF-1.4 ...") == refusal(b"8BPS" + bytes(30)) == refusal(b"\0\0\0\x18ftypheic") == "format"
    for kind, data in whole.items():
        assert refusal(data[: len(data) * 2 // 3]) == "truncated", kind
    assert refusal(whole["PNG"][:40]) in ("damaged", "truncated")
    broken = bytearray(whole["PNG"])
    broken[20] ^= 255  # the header's checksum no longer holds
    assert refusal(bytes(broken)) in ("damaged", "not_a_picture", "too_many_pixels")


def test_a_truncated_jpeg_is_refused_at_any_scale() -> None:
    data = saved(Image.effect_noise((900, 600), 60).convert("RGB"), "JPEG")
    for keep in (0.2, 0.5, 0.9):
        for side in (None, 96):
            with pytest.raises(PictureError, match="truncated"):
                decode(data[: int(len(data) * keep)], side=side)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "PPM"]), data=st.data())
def test_damage_gives_a_picture_or_a_reason(kind: str, data: st.DataObject) -> None:
    bytes_ = bytearray(saved(scene((40, 30)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
    bytes_ = bytes_[: data.draw(st.integers(1, len(bytes_)))]
    try:
        decoded = decode(bytes(bytes_), Limits(max_pixels=1e6), side=16)
    except PictureError as error:
        assert error.reason in REASONS
    else:
        assert decoded.pixels.dtype == np.uint8
        assert decoded.pixels.shape[2] == 3


def test_many_threads_may_decode_odd_files_at_once(recwarn: pytest.WarningsRecorder) -> None:
    palette = Image.new("P", (8, 8), 0)
    odd = saved(palette, "PNG", transparency=b"\x10\x20")
    threads = [threading.Thread(target=lambda: [decode(odd) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not recwarn.list


@pytest.mark.filterwarnings("default")
def test_nasty_files(shared_data: Path) -> None:
    """Every odd file that is quickly decoded, against what Pillow made of it."""
    with (shared_data / "nasty" / "files.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if int(row["bytes"]) < 200_000]
    assert len(rows) > 900
    for row in rows:
        try:
            decoded = decode((shared_data / "nasty" / row["file_name"]).read_bytes(), side=96)
        except PictureError as error:
            assert error.reason in REASONS
            read_by_us = error.reason not in ("format", "not_a_picture")
            assert row["pillow_outcome"] != "ok" or not read_by_us, (row["file_name"], error.reason)
        else:
            assert {decoded.width, decoded.height} == {int(float(row["width"])), int(float(row["height"]))} or (
                row["pillow_outcome"] != "ok"
            )


def bomb(width: int, height: int) -> bytes:
    """A small PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    compress = zlib.compressobj(9)
    lines = b"".join(compress.compress(bytes(1 + width // 8)) for _ in range(height)) + compress.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
