"""The pictures of an evaluation: neighbours, worst queries, where two spaces disagree, and a map of the collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nitari.evaluation import disagreement, map, neighbours
from nitari.evaluation.copies import Copies
from nitari.evaluation.labels import Labelled
from nitari.evaluation.neighbours import Shown
from nitari.evaluation.subject import Subject, sample
from nitari.steps.pictures import Pictures

NEIGHBOURS = "neighbours.jpg"
WORST = "worst.jpg"
DISAGREEMENT = "disagreement.jpg"
MAP = "map.jpg"
COMPARED = 1000  # queries that overlaps are taken over, at most


def shown(
    task: Labelled | None,
    copies: Copies | None,
    queries: Sequence[pd.DataFrame],
    copied: Sequence[pd.DataFrame],
    asked: np.ndarray,
    among: np.ndarray,
    groups: np.ndarray,
) -> Shown:
    """Queries scored by what the first space was measured to do with them."""
    if task is not None:
        return Shown(task.queries, queries[0]["map_at_100"].to_numpy(float), task.gallery, groups, task)
    if copies is not None:
        found = copied[0]["copy_recall_at_1"].to_numpy(float).reshape(len(copies.rows), -1).mean(axis=1)
        return Shown(copies.rows, found, among, groups, None)
    return Shown(asked, np.zeros(len(asked)), among, groups, None)


def overlaps(subjects: Sequence[Subject], what: Shown, seed: int) -> tuple[Shown, dict[str, np.ndarray]]:
    """The queries looked at, and what share of neighbours each other space has in common with the first."""
    at = sample(np.arange(len(what.rows)), COMPARED, seed)
    some = replace(what, rows=what.rows[at], scores=what.scores[at])
    found = [neighbours.found_by(subject, some, some.rows, seed)[0] for subject in subjects if len(subjects) > 1]
    return some, {
        other.name: disagreement.overlap(found[0], rows) for other, rows in zip(subjects[1:], found[1:], strict=True)
    }


def write(
    folder: Path,
    pictures: Pictures,
    subjects: Sequence[Subject],
    what: Shown,
    shared: tuple[Shown, dict[str, np.ndarray]],
    *,
    count: int,
    map_items: int,
    seed: int,
) -> None:
    """``count`` queries a sheet; the first space's map of ``map_items`` pictures. 0 leaves either out."""
    first = subjects[0]
    if count:
        neighbours.write(folder / NEIGHBOURS, pictures, first, what, count, seed)
        neighbours.write(folder / WORST, pictures, first, what, count, seed, worst=True)
        some, values = shared
        for other in subjects[1:2]:
            disagreement.write(folder / DISAGREEMENT, pictures, first, other, some, values[other.name], count, seed)
    rows = sample(np.arange(pictures.catalog.n_ready), map_items, seed)
    if len(rows) >= map.FEWEST and first.space.metric != "hamming":
        map.write(folder / MAP, pictures, first, rows, seed)
