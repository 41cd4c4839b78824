"""The protocol without labels: does a distorted copy of a picture find its original among the whole gallery?

Originals are distorted at full size and then treated as uploads are: shrunk, encoded as a thumbnail and extracted. An
exact duplicate of the original (same bytes) counts as the original.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nitari.catalog import Catalog
from nitari.errors import ConfigError, PictureError
from nitari.evaluation.metrics import estimate
from nitari.evaluation.ranking import ranks
from nitari.evaluation.subject import Subject
from nitari.images.distortions import DISTORTIONS, distort
from nitari.steps import Progress, silent
from nitari.steps.pictures import Pictures
from nitari.threads import pool

log = logging.getLogger(__name__)

KS = (1, 5, 10)


@dataclass(frozen=True)
class Copies:
    """Vectors of distorted copies: ``vectors[space]`` is (q, distortions, width), of the originals in ``rows`` (q,)."""

    rows: np.ndarray
    distortions: tuple[str, ...]
    vectors: Mapping[str, np.ndarray]


def make_copies(
    pictures: Pictures,
    subjects: Sequence[Subject],
    rows: np.ndarray,
    *,
    distortions: Sequence[str] | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> Copies:
    """Distort and extract. Pictures whose original can no longer be read are left out, and named in the log."""
    names = tuple(DISTORTIONS if distortions is None else distortions)
    if unknown := [name for name in names if name not in DISTORTIONS]:
        raise ConfigError(f"There is no distortion '{unknown[0]}'. Choose from: {', '.join(DISTORTIONS)}")
    digests = pictures.catalog.records(rows, ["sha256", "file_name"])

    def one(at: int) -> dict[str, np.ndarray] | None:
        try:
            original = pictures.original(int(rows[at]))
        except PictureError as error:
            log.warning("'%s' is left out of the evaluation: %s", digests[at]["file_name"], error)
            return None
        copies = [distort(original, name, digests[at]["sha256"], seed) for name in names]
        small: dict[int, list[np.ndarray]] = {}
        for side in {subject.extractor.side for subject in subjects}:
            size = pictures.thumbnails.size_for(side) or side
            if size not in small:
                small[size] = [pictures.thumbnail_of(copy, side) for copy in copies]
        sizes = [pictures.thumbnails.size_for(subject.extractor.side) or subject.extractor.side for subject in subjects]
        return {s.name: s.extractor.extract(small[size]) for s, size in zip(subjects, sizes, strict=True)}

    found: list[dict[str, np.ndarray]] = []
    kept: list[int] = []
    with pool(threads, "copies") as workers:
        for at, vectors in enumerate(workers.map(one, range(len(rows)))):
            if vectors is not None:
                found.append(vectors)
                kept.append(int(rows[at]))
            progress(at + 1, len(rows))
    if not found:
        raise ConfigError(
            f"None of the {len(rows)} originals that evaluate wants to distort can be read. "
            "Bring them back to where they were ingested from, or leave this protocol out: protocol.max_queries=0"
        )
    stacked = {subject.name: np.stack([vectors[subject.name] for vectors in found]) for subject in subjects}
    return Copies(np.array(kept, np.int64), names, stacked)


def copy_recall(subject: Subject, copies: Copies, groups: np.ndarray, progress: Progress = silent) -> np.ndarray:
    """(q, distortions, len(KS)): 1 where the original is among the first k of the whole gallery, 0 where not."""
    gallery = np.arange(len(groups))
    vectors = copies.vectors[subject.name]  # (q, distortions, width)
    asked = vectors.reshape(-1, vectors.shape[-1])
    wanted = np.repeat(groups[copies.rows], vectors.shape[1])
    ranked = ranks(subject.space, asked, subject.vectors, gallery, groups, wanted, progress)
    return np.stack([ranked.hit_at(k) for k in KS], axis=1).reshape(*vectors.shape[:2], len(KS))


def summarise(table: np.ndarray, distortions: Sequence[str], seed: int, resamples: int) -> dict[str, Any]:
    """``copy_recall_at_k``: the mean over distortions, and each ``by_distortion``; intervals are over pictures."""
    means = {f"copy_recall_at_{k}": table[:, :, i].mean(axis=1) for i, k in enumerate(KS)}
    each = {f"{k}/{name}": table[:, at, i] for i, k in enumerate(KS) for at, name in enumerate(distortions)}
    found = estimate({**means, **each}, seed=seed, resamples=resamples)
    return {
        f"copy_recall_at_{k}": {
            **found[f"copy_recall_at_{k}"],
            "by_distortion": {name: found[f"{k}/{name}"] for name in distortions},
        }
        for k in KS
    }


def per_copy(catalog: Catalog, copies: Copies, table: np.ndarray, space: str) -> pd.DataFrame:
    """One row a picture and distortion: space, item_id, distortion, copy_recall_at_1, _5 and _10."""
    ids = catalog.item_ids[copies.rows].astype(str)
    flat = table.reshape(-1, len(KS))
    frame = pd.DataFrame(
        {
            "space": space,
            "item_id": np.repeat(ids, len(copies.distortions)),
            "distortion": np.tile(copies.distortions, len(ids)),
        }
    )
    for i, k in enumerate(KS):
        frame[f"copy_recall_at_{k}"] = flat[:, i]
    return frame
