"""Where a picture lies on a map of the collection: what looks alike lies together."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nitari.annotator import Whole
from nitari.annotator.plane import spread
from nitari.catalog import COLUMNS
from nitari.errors import ConfigError
from nitari.space import Space

log = logging.getLogger(__name__)

_STATE = "map.json"
_MARGIN, _REACH = 0.03, 0.05  # of the map's side: free at its edges; how far a neighbour on the map may pull
_NEAREST, _BLOCK = 8, 1024  # anchors that place a picture; pictures at once


class MapAnnotator:
    """Columns ``map_x`` and ``map_y`` in [0, 1], of every picture by its vector in ``space``.

    A ``sample`` of the pictures, the anchors, is laid out by t-SNE; every other one lies at the mean of its nearest anchors'
    places, weighted by distance as Poličar, Stražar and Zupan place new points ("Embedding to reference t-SNE space
    addresses batch effects in single-cell classification", Machine Learning 2021), except those far off on the map, which
    would pull it into a void. It is moved by up to the distance between anchors there, by its id, so that pictures do not
    hide each other.

    The map stays as it is when the space is made in the same way and the settings are the same: new pictures find their
    place on it. It is laid out anew when it has less than half the anchors that it would have now.
    """

    def __init__(
        self, name: str = "map", space: str = "encoder", sample: int = 3000, column: str = "map", seed: int = 0
    ) -> None:
        if sample < 10:
            raise ConfigError(f"annotator.sample is {sample}. A map needs 10 pictures at least; t-SNE takes thousands")
        self.name = name
        self.spaces = [space]
        self.sample = sample
        self.column = column
        self.seed = seed
        self.columns = {f"{column}_x": pa.float32(), f"{column}_y": pa.float32()}

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.annotator.map.MapAnnotator",
            "name": self.name,
            "space": self.spaces[0],
            "sample": self.sample,
            "column": self.column,
            "seed": self.seed,
        }

    def survey(self, whole: Whole) -> pa.Table:
        embeddings = whole.embeddings[self.spaces[0]]
        settings = {"name": self.spaces[0], "sample": self.sample, "seed": self.seed, "made": embeddings.made}
        space, vectors = embeddings.space, embeddings.vectors
        n = whole.catalog.n_ready
        ids = whole.catalog.item_ids[:n]
        drawn = min(self.sample, n)
        rows, at, of = self._kept(whole, settings, ids)
        if 2 * of < drawn:
            of = drawn
            rows = np.sort(np.random.default_rng(self.seed).choice(n, drawn, replace=False))
            anchors = space.check(np.asarray(vectors[rows]))
            rows = rows[np.sort(np.unique(anchors, axis=0, return_index=True)[1])]  # t-SNE puts equal ones on one point
            log.info("Laying out %s of %s pictures by t-SNE", f"{len(rows):,}", f"{n:,}")
            at = _fitted(spread(_features(space, space.check(np.asarray(vectors[rows]))), self.seed))
        found = np.empty((n, 2), np.float32)
        anchors, gaps = space.check(np.asarray(vectors[rows])), _gaps(at)
        for start in range(0, n, _BLOCK):
            part = slice(start, min(start + _BLOCK, n))
            block = np.zeros(
                (_BLOCK, vectors.shape[1]), vectors.dtype
            )  # of one size: products of another one round otherwise
            block[: part.stop - start] = vectors[part]
            apart = space.distances(space.check(block), anchors)[: part.stop - start]
            found[part] = _placed(apart, at, gaps, _scatter(ids[part], self.seed))
            whole.progress(part.stop, n)
        found[rows] = at
        state = {"settings": settings, "drawn": of, "anchors": [item.decode() for item in ids[rows]]}
        (whole.out / _STATE).write_text(json.dumps(state, indent=0), encoding="utf-8")
        return pa.table([pa.array(found[:, axis]) for axis in (0, 1)], schema=pa.schema(list(self.columns.items())))

    def _kept(self, whole: Whole, settings: Mapping[str, Any], ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Rows of the anchors that the map before had, their places (n, 2), and of how many pictures they were; 0 where it
        does not hold any more, or half of them are gone.
        """
        before = whole.before
        none = np.empty(0, np.int64), np.empty((0, 2), np.float32), 0
        if before is None or before.manifest.info["columns"] != list(self.columns):
            return none
        state = json.loads(before.file(_STATE).read_text(encoding="utf-8"))
        rows = np.flatnonzero(np.isin(ids, np.array(state["anchors"], "S16")) & (whole.was >= 0))
        if state["settings"] != settings or 2 * len(rows) < len(state["anchors"]):
            return none
        table = pq.read_table(before.file(COLUMNS)).take(pa.array(whole.was[rows]))
        return rows, np.stack([table.column(name).to_numpy() for name in self.columns], axis=1), state["drawn"]


def _features(space: Space, vectors: np.ndarray) -> np.ndarray:
    """Numbers whose Euclidean distances order as the space's do."""
    return np.unpackbits(vectors, axis=1) if space.metric == "hamming" else vectors


def _fitted(at: np.ndarray) -> np.ndarray:
    """(n, 2) of any scale -> [0, 1], with a margin."""
    low, high = at.min(axis=0), at.max(axis=0)
    share = np.where(high > low, (at - low) / np.maximum(high - low, 1e-9), 0.5)
    return np.asarray(_MARGIN + share * (1 - 2 * _MARGIN), np.float32)


def _gaps(at: np.ndarray) -> np.ndarray:
    """(n,) how far each anchor is from the third nearest one on the map, within the margin."""
    gaps = np.full(len(at), _MARGIN, np.float32)
    third = 3
    if len(at) <= third:
        return gaps
    for start in range(0, len(at), 512):
        part = at[start : start + 512]
        apart = np.hypot(part[:, None, 0] - at[None, :, 0], part[:, None, 1] - at[None, :, 1])
        gaps[start : start + 512] = np.partition(apart, third, axis=1)[:, third]
    return np.clip(gaps, _MARGIN / 100, _MARGIN)


def _placed(apart: np.ndarray, at: np.ndarray, gaps: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """(b, n) distances of pictures to anchors, and (b, 2) in the unit disc -> (b, 2) places on the map."""
    k = min(_NEAREST, apart.shape[1])
    some = np.argpartition(apart, k - 1, axis=1)[:, :k]
    distances = np.take_along_axis(apart, some, axis=1)
    order = np.lexsort((some, distances), axis=1)
    some, distances = np.take_along_axis(some, order, axis=1), np.take_along_axis(distances, order, axis=1)
    beyond = distances - distances[:, :1]
    weights = np.exp(-3 * beyond / np.maximum(beyond[:, -1:], 1e-9))
    near = at[some]
    weights *= np.linalg.norm(near - near[:, :1], axis=2) <= _REACH
    mean = (near * weights[..., None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    return np.clip(mean + scatter * gaps[some[:, 0], None], 0, 1)


def _scatter(ids: np.ndarray, seed: int) -> np.ndarray:
    """(b,) item ids -> (b, 2) evenly in the unit disc, the same for the same id and seed.

    Mixed by splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
    """
    words = np.ascontiguousarray(ids.astype("S16")).view(np.uint64).reshape(-1, 2)
    state = words[:, 0] ^ (words[:, 1] * np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(seed % 2**64)
    numbers = []
    for _ in range(2):
        state = state + np.uint64(0x9E3779B97F4A7C15)
        mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        numbers.append((mixed ^ (mixed >> np.uint64(31))) / np.float64(2**64))
    radius, angle = np.sqrt(numbers[0]), 2 * np.pi * numbers[1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
