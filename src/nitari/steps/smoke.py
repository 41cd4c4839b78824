"""Smoke: one release asked what another was asked, before it takes its place."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, NitariError
from nitari.index import open_index
from nitari.index.exact import Exact
from nitari.index.tuning import ann_recall, interval, without_self
from nitari.recommend.recommender import Recommender
from nitari.steps import Progress, silent


class Answers(NamedTuple):
    """``found`` has each query's item ids, None where it was not answered; seconds are those of single queries."""

    found: list[list[str] | None]
    seconds: np.ndarray
    error: str | None

    def summary(self) -> dict[str, Any]:
        """``answered`` is a share; percentiles in ms; ``error`` is that of the first query that was not answered."""
        answered = sum(bool(ids) for ids in self.found) / max(len(self.found), 1)
        p50, p95 = (
            float(f"{np.percentile(self.seconds, p) * 1000:.3g}") if len(self.seconds) else None for p in (50, 95)
        )
        return {"answered": answered, "p50_ms": p50, "p95_ms": p95, "error": self.error}


def smoke(
    collection: Collection,
    release: Artifact,
    against: Artifact | None = None,
    *,
    queries: int = 200,
    k: int = 10,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Ask ``release`` and ``against``, one after the other, for k items like each of ``queries`` items that both hold.

    JSON-ready: of each release the share of queries ``answered`` (with a result, and scores that are numbers) and latency;
    ``overlap``, the mean share of the first k results that both give (None where nothing is compared); and by space of
    ``release``, ``ann_recall_at_k``, its index against an exact search of the same vectors, each query without itself.
    """
    ids = _asked(collection, release, against, queries, seed)
    common = against is not None and len(ids) > 0
    if not len(ids):
        ids = _asked(collection, release, None, queries, seed)
    spaces = release.manifest.info["spaces"]
    steps = len(ids) * (1 + common) + len(spaces)
    before = _ask(collection, against, ids, k, lambda done: progress(done, steps)) if against and common else None
    recall = {}
    for at, space in enumerate(spaces):
        recall[space] = _recall(collection, release, space, ids, k, seed)
        progress(len(ids) * common + at + 1, steps)
    now = _ask(collection, release, ids, k, lambda done: progress(steps - len(ids) + done, steps))
    return {
        "queries": len(ids),
        "k": k,
        "seed": seed,
        "release": now.summary(),
        "against": None if before is None else before.summary(),
        "overlap": None if before is None else _overlap(now.found, before.found, k),
        f"ann_recall_at_{k}": recall,
    }


def _asked(collection: Collection, release: Artifact, against: Artifact | None, queries: int, seed: int) -> np.ndarray:
    """(q,) ids of items in both releases that nobody removed, drawn by ``seed``, ascending."""
    ids = _ready(collection, release)
    if against is not None:
        ids = np.intersect1d(ids, _ready(collection, against))
    ids = ids[~np.isin(ids, Changes(collection).removed_ids())]
    chosen = np.random.default_rng(seed).choice(len(ids), min(queries, len(ids)), replace=False)
    return np.sort(ids[chosen])


def _ready(collection: Collection, release: Artifact) -> np.ndarray:
    catalog = Catalog(collection.parent(release, "catalog"))
    return catalog.item_ids[: catalog.n_ready]


def _ask(
    collection: Collection, release: Artifact, ids: np.ndarray, k: int, progress: Callable[[int], None]
) -> Answers:
    try:
        recommender = Recommender(collection, release)
    except NitariError as error:
        return Answers([None] * len(ids), np.empty(0), str(error))
    found: list[list[str] | None] = []
    seconds, failed = [], None
    if len(ids):
        with suppress(NitariError):
            recommender.recommend(ids[0].decode(), k=k)  # opens what it needs; not timed
    for done, item in enumerate(ids.tolist(), start=1):
        start = time.perf_counter()
        try:
            results = recommender.recommend(item.decode(), k=k).results
            answered = bool(results) and all(math.isfinite(result.score) for result in results)
            found.append([result.item_id for result in results] if answered else None)
        except NitariError as error:
            failed = failed or str(error)
            found.append(None)
        seconds.append(time.perf_counter() - start)
        progress(done)
    return Answers(found, np.array(seconds), failed)


def _overlap(now: list[list[str] | None], before: list[list[str] | None], k: int) -> float:
    shares = [
        len(set(a or ()) & set(b or ())) / max(len(a or ()), len(b or ()), 1)  # fewer than k where no more are there
        for a, b in zip(now, before, strict=True)
    ]
    return float(np.mean(shares)) if shares else 0.0


def _recall(
    collection: Collection, release: Artifact, space: str, ids: np.ndarray, k: int, seed: int
) -> dict[str, Any] | None:
    """{value, low, high, queries}; None where there is nothing to compare. Opened by itself, so that one index is in memory."""
    stored = Embeddings(collection.parent(release, f"embeddings:{space}", space))
    rows = np.flatnonzero(np.isin(_ready(collection, release), ids))
    k = min(k, len(stored) - 1)
    if k < 1 or not len(rows):
        return None
    try:
        index = open_index(collection.parent(release, f"index:{space}", space), stored)
    except ArtifactError as error:
        return {"value": 0.0, "low": 0.0, "high": 0.0, "queries": len(rows), "error": str(error)}
    asked = stored.space.check(np.asarray(stored.vectors[rows]))
    oracle = Exact(stored.space)
    oracle.build(stored.vectors)
    truth = without_self(oracle.search(asked, k + 1), rows).distances
    recall = ann_recall(without_self(index.search(asked, k + 1), rows).distances, truth)
    low, high = interval(recall, seed)
    return {"value": round(float(recall.mean()), 6), "low": round(low, 6), "high": round(high, 6), "queries": len(rows)}
