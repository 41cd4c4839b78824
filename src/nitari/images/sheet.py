"""Contact sheets: a query and its neighbours, a row each, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (246, 245, 242)
_CELL = (237, 235, 230)
_INK = (52, 50, 46)
_FAINT = (122, 118, 110)
_QUERY = (38, 84, 140)
_RIGHT, _WRONG = (58, 140, 86), (196, 84, 70)
_GAP = 8
_MARGIN = 16

T = TypeVar("T")


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    captions: Sequence[Sequence[str]] | None = None,
    row_labels: Sequence[str] | None = None,
    cell: int = 96,
    *,
    correct: Sequence[Sequence[bool | None]] | None = None,
    title: str | None = None,
) -> Image.Image:
    """Rows of pictures, (H, W, 3) uint8 RGB of any size: the first of each row is the query, framed and set apart.

    Pictures are letterboxed into cells of ``cell`` pixels and never enlarged. ``captions`` stand below them, cut to the
    width of the cell; ``row_labels`` above each row. ``correct`` marks results as right or wrong by a bar, None by none.
    All nested sequences are shaped like ``rows``; shorter ones leave the rest plain.
    """
    small, large = _font(max(10, cell // 8)), _font(max(12, cell // 7))
    caption_height = _height(small) + 4 if captions else 0
    label_height = _height(large) + 6 if row_labels else 0
    title_height = _height(large) + _GAP if title else 0
    between = 2 * _GAP if row_labels else _GAP
    row_height = label_height + cell + caption_height + between
    columns = max((len(row) for row in rows), default=1)
    width = 2 * _MARGIN + columns * (cell + _GAP) + _GAP  # one gap more after the query
    sheet = Image.new("RGB", (width, 2 * _MARGIN + title_height + len(rows) * row_height - between), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((_MARGIN, _MARGIN), _cut(title, large, width - 2 * _MARGIN), _INK, large)
    for i, row in enumerate(rows):
        top = _MARGIN + title_height + i * row_height
        if row_labels and i < len(row_labels):
            draw.text((_MARGIN, top), _cut(row_labels[i], large, width - 2 * _MARGIN), _INK, large)
        top += label_height
        for j, picture in enumerate(row):
            left = _MARGIN + j * (cell + _GAP) + (_GAP if j else 0)
            draw.rectangle((left, top, left + cell - 1, top + cell - 1), _CELL)
            fitted = _fit(picture, cell)
            sheet.paste(fitted, (left + (cell - fitted.width) // 2, top + (cell - fitted.height) // 2))
            if j == 0:
                draw.rectangle((left - 3, top - 3, left + cell + 2, top + cell + 2), outline=_QUERY, width=3)
            mark = _at(correct, i, j)
            if mark is not None and j:
                draw.rectangle((left, top + cell - 4, left + cell - 1, top + cell - 1), _RIGHT if mark else _WRONG)
            caption = _at(captions, i, j)
            if caption:
                text = _cut(caption, small, cell)
                draw.text((left, top + cell + 3), text, _QUERY if j == 0 else _FAINT, small)
    return sheet


def _fit(picture: np.ndarray, cell: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    scale = cell / max(image.size)
    if scale >= 1:
        return image
    size = tuple(max(1, round(side * scale)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    box = font.getbbox("Åg")
    return round(box[3])


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """``text`` on one line, shortened in the middle to ``width`` pixels: names differ at their ends."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        head = (kept + 1) // 2
        short = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
        if font.getlength(short) <= width:
            return short
    return "…"


def _at(nested: Sequence[Sequence[T]] | None, i: int, j: int) -> T | None:
    if nested is None or i >= len(nested) or j >= len(nested[i]):
        return None
    return nested[i][j]
