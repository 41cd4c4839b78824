"""Where two spaces disagree: the queries whose neighbours they share least, both answers one below the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nitari.evaluation.neighbours import ACROSS, CELL, Cells, Shown, captioned, found_by
from nitari.evaluation.subject import Subject
from nitari.images.sheet import contact_sheet
from nitari.steps.pictures import Pictures


def overlap(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """(q, k) rows that two spaces find, -1 where there are none -> (q,) the share they have in common."""
    common = (one[:, :, None] == two[:, None, :]) & (one >= 0)[:, :, None]
    return common.any(axis=2).sum(axis=1) / np.maximum((one >= 0).sum(axis=1), 1)


def write(
    path: Path, pictures: Pictures, a: Subject, b: Subject, shown: Shown, shared: np.ndarray, count: int, seed: int = 0
) -> None:
    """Two rows a query, what ``a`` finds and what ``b`` does, for the ``count`` queries that share least."""
    lot = np.random.default_rng(seed).permutation(len(shared))
    rows = shown.rows[lot[np.argsort(shared[lot], kind="stable")][:count]]
    cells: list[Cells] = []
    labels: list[str] = []
    answers = [found_by(subject, shown, rows, seed) for subject in (a, b)]
    for position, query in enumerate(rows):
        for subject, (found, distances) in zip((a, b), answers, strict=True):
            cells.append(captioned(pictures, shown, int(query), found[position], distances[position]))
            labels.append(subject.name)
    title = f"{a.name} and {b.name}: the queries whose {ACROSS} nearest they share least ({100 * shared.mean():.0f}% on average)"
    images, captions, correct = zip(*cells, strict=True)
    contact_sheet(images, captions, labels, CELL, correct=correct, title=title).save(path, quality=88)
