"""A map of the collection: every picture at its place in a plane where neighbours of the space stay neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from nitari.annotator.plane import places
from nitari.evaluation.subject import Subject
from nitari.images.sheet import BACKGROUND
from nitari.images.shrink import shrink
from nitari.steps.pictures import Pictures

CELL = 40
FEWEST = 10  # pictures that a map can be made of


def draw(images: list[np.ndarray], at: np.ndarray, side: int) -> Image.Image:
    """Pictures on a plane of ``side`` pixels, each in the free cell nearest to its place; what finds none near is left out."""
    cells = side // CELL
    sheet = Image.new("RGB", (cells * CELL, cells * CELL), BACKGROUND)
    taken = np.zeros((cells, cells), bool)
    for image, (x, y) in zip(images, at, strict=True):
        column, row = min(int(x * cells), cells - 1), min(int(y * cells), cells - 1)
        free = _free(taken, row, column)
        if free is None:
            continue
        taken[free] = True
        small = Image.fromarray(shrink(image, CELL - 2))
        left, top = free[1] * CELL + (CELL - small.width) // 2, free[0] * CELL + (CELL - small.height) // 2
        sheet.paste(small, (left, top))
    return sheet


def write(path: Path, pictures: Pictures, subject: Subject, rows: np.ndarray, seed: int = 0) -> None:
    """The pictures of ``rows`` by their vectors in ``subject``'s space."""
    at = places(subject.space.check(np.asarray(subject.vectors[rows])), seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    side = CELL * int(np.ceil(np.sqrt(2.0 * len(rows))))
    draw([pictures.read([row], CELL)[0] for row in rows[order]], at[order], side).save(path, quality=88)


def _free(taken: np.ndarray, row: int, column: int, reach: int = 2) -> tuple[int, int] | None:
    """The nearest free cell within ``reach``."""
    top, left = max(row - reach, 0), max(column - reach, 0)
    near = ~taken[top : row + reach + 1, left : column + reach + 1]
    found = np.argwhere(near) + np.array([top, left])
    if not len(found):
        return None
    best = found[np.abs(found - (row, column)).max(axis=1).argmin()]
    return int(best[0]), int(best[1])
