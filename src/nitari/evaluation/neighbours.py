"""A contact sheet of what a space takes for similar: its best, typical and worst queries, neither picked by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nitari.evaluation.labels import Labelled
from nitari.evaluation.ranking import nearest
from nitari.evaluation.subject import Subject
from nitari.images.sheet import contact_sheet
from nitari.steps.pictures import Pictures

CELL = 96
ACROSS = 10


@dataclass(frozen=True)
class Shown:
    """Queries with a score each, by which best and worst are told; ``rows`` (q,) are catalog rows."""

    rows: np.ndarray
    scores: np.ndarray
    gallery: np.ndarray
    groups: np.ndarray
    task: Labelled | None


def write(
    path: Path, pictures: Pictures, subject: Subject, shown: Shown, count: int, seed: int = 0, *, worst: bool = False
) -> None:
    """A row a query: itself, then its ``ACROSS`` nearest other pictures with their distances, and class where known.

    With ``worst``, only the queries with the lowest scores.
    """
    picked = pick(shown.scores, count, seed, worst=worst)
    rows = shown.rows[[at for _, at in picked]]
    found, distances = found_by(subject, shown, rows, seed)
    cells = [captioned(pictures, shown, int(q), near, d) for q, near, d in zip(rows, found, distances, strict=True)]
    title = f"{subject.name}: the nearest of {len(shown.gallery):,} pictures, with their distances"
    images, captions, correct = zip(*cells, strict=True)
    sheet = contact_sheet(images, captions, [name for name, _ in picked], CELL, correct=correct, title=title)
    sheet.save(path, quality=88)


def found_by(subject: Subject, shown: Shown, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(q, ACROSS) rows of the gallery from the nearest on, and their distances; pictures of the same bytes left out."""
    same = [(i, row) for i, query in enumerate(rows) for row in np.flatnonzero(shown.groups == shown.groups[query])]
    return nearest(
        subject.space,
        np.asarray(subject.vectors[rows]),
        subject.vectors,
        shown.gallery,
        ACROSS,
        exclude=np.array(same, np.int64).reshape(-1, 2),
        seed=seed,
    )


Cells = tuple[list[np.ndarray], list[str], list["bool | None"]]


def captioned(pictures: Pictures, shown: Shown, query: int, near: np.ndarray, distances: np.ndarray) -> Cells:
    """A sheet's row: pictures, captions, and whether each is of the query's class, the query first."""
    near = near[near >= 0]
    captions = [_class(shown.task, query) or "query"]
    captions += [f"{d:.2f} {_class(shown.task, row)}" for row, d in zip(near, distances[: len(near)], strict=True)]
    correct: list[bool | None] = [None, *(_same(shown.task, query, row) for row in near)]
    return pictures.read([query, *near], CELL), captions, correct


def pick(scores: np.ndarray, count: int, seed: int, *, worst: bool = False) -> list[tuple[str, int]]:
    """(best | typical | worst, position) of about ``count`` different queries; equal scores are drawn from by lot."""
    lot = np.random.default_rng(seed).permutation(len(scores))
    order = lot[np.argsort(-scores[lot], kind="stable")]
    count = min(count, len(order))
    if worst:
        return [("worst", int(at)) for at in order[::-1][:count]]
    best, last = -(-count // 3), count // 3
    typical = count - best - last
    middle = max(best, min(len(order) - last - typical, (len(order) - typical) // 2))
    parts = {"best": order[:best], "typical": order[middle : middle + typical], "worst": order[len(order) - last :]}
    return [(name, int(at)) for name, chosen in parts.items() for at in chosen]


def _class(task: Labelled | None, row: int) -> str:
    return "" if task is None or task.codes[row] < 0 else task.classes[task.codes[row]]


def _same(task: Labelled | None, query: int, row: int) -> bool | None:
    return None if task is None else bool(task.codes[row] == task.codes[query])
