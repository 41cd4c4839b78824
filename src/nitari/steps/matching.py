"""Matching: foreign pictures against the originals of a release, by hash, by several spaces, and by geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari.catalog import UNREADABLE, Catalog
from nitari.errors import PictureError
from nitari.extractor.stored import Finished
from nitari.filters import Selection
from nitari.images.alignment import agreement
from nitari.images.dihedral import dihedral
from nitari.images.geometry import ENOUGH, verify
from nitari.images.trim import trim
from nitari.recommend.source import Search
from nitari.recommend.verdict import COPY, EXACT, LIKELY, VERDICTS, Threshold, closeness, judge
from nitari.space import Space, Vectors
from nitari.steps.pictures import Pictures

SIDE = 400
"""Pixels of the longer side that views are made from and geometry is checked at, at most."""
_WAYS = tuple(f"{side}{turn}" for side in ("", "mirrored ") for turn in ("", "turned 90", "turned 180", "turned 270"))
_FIRST = -1  # the place of what is proposed to be looked at: where no space is sure, before their own
_LEAST_SHARE = 0.05  # of a picture's area that is left once its borders are trimmed: less is no picture


@dataclass(frozen=True)
class Searched:
    """A space of a release, ready to be asked: its vectors by row, and their search. Without a ``limit`` it tells no copies,
    and only proposes what is worth a look: visual words find the original of a part.
    """

    space: Space
    vectors: Vectors
    index: Search
    extractor: Finished
    limit: Threshold | None


@dataclass
class _Found:
    """One original that is near a foreign picture: distances by space, and the view of the foreign picture nearest to it."""

    row: int
    rank: int  # the best place that any space has it at
    distances: dict[str, float] = field(default_factory=dict)
    view: str = ""
    share: float = np.inf  # of the copy threshold
    evidence: str = ""
    verdict: str = VERDICTS[-1]
    inliers: int | None = None
    agreement: float | None = None


class Matcher:
    """Thread-safe. ``k`` originals are told a picture. ``turned`` also asks with the picture's other seven orientations,
    ``trimmed`` without uniform borders; ``checks`` is how many originals that no space calls a copy are compared in
    geometry, and by pixels where that agrees (needs OpenCV; 0: none). ``where`` are the rows that count, None all.
    """

    def __init__(
        self,
        pictures: Pictures,
        spaces: Mapping[str, Searched],
        *,
        k: int = 5,
        turned: bool = False,
        trimmed: bool = True,
        checks: int = 0,
        where: Selection | None = None,
    ) -> None:
        self.pictures = pictures
        self.spaces = spaces
        self.k = k
        self.turned = turned
        self.trimmed = trimmed
        self.checks = checks
        self.where = where
        self._limits = {name: space.limit for name, space in spaces.items() if space.limit is not None}

    @property
    def schema(self) -> pa.Schema:
        """One row a foreign picture and original, best first; ``rank`` is 0 where there is no original to tell."""
        distances = [(f"distance_{name}", pa.float32()) for name in self._limits]
        text = ("query_id", "query"), ("verdict", "evidence", "item_id", "file_name", "view")
        return pa.schema(
            [
                *((name, pa.string()) for name in text[0]),
                ("rank", pa.int32()),
                *((name, pa.string()) for name in text[1]),
                ("closeness", pa.float32()),
                *distances,
                ("inliers", pa.int32()),
                ("agreement", pa.float32()),
                ("message", pa.string()),
            ]
        )

    def match(self, foreign: Pictures, rows: Sequence[int], same: Mapping[int, Sequence[int]]) -> pa.Table:
        """The table of some ready rows of ``foreign``; ``same`` are the originals with the bytes of a row (``same_bytes``)."""
        rows = [int(row) for row in rows]
        views, owner = self._views(foreign, rows)
        near: list[dict[int, int]] = [{} for _ in rows]
        n = self.pictures.catalog.n_ready
        admitted = np.ones(n, bool) if self.where is None else self.where.mask(n)
        for place, row in enumerate(rows):
            near[place] = {int(original): 0 for original in same.get(row, ()) if admitted[original]}
        vectors = {}
        for name, space in self.spaces.items():
            base = space.extractor.extract(foreign.read(rows, space.extractor.side))
            told = name in self._limits
            more = [self.pictures.thumbnail_of(view, space.extractor.side) for _, view in views if told]
            queries = np.concatenate([base, space.extractor.extract(more)]) if more else base
            vectors[name] = space.space.check(queries)
            found = space.index.search(vectors[name], self.k, where=self.where)
            places = [*range(len(rows)), *owner] if told else range(len(rows))
            for place, originals in zip(places, found.rows, strict=True):
                for rank, original in enumerate(originals[originals >= 0], 0 if told else _FIRST):
                    near[place][int(original)] = min(rank, near[place].get(int(original), rank))
        records = []
        named = foreign.catalog.records(rows, ["item_id", "file_name"])
        for place, (row, query) in enumerate(zip(rows, named, strict=True)):
            asked = [place, *(len(rows) + i for i, of in enumerate(owner) if of == place)]
            labels = ["", *(views[i - len(rows)][0] for i in asked[1:])]
            ranked = self._ranked(near[place], vectors, asked, labels, set(same.get(row, ())))
            self._check(foreign, row, ranked)
            ranked.sort(key=lambda one: (VERDICTS.index(one.verdict), one.share, one.row))
            records += self._records(query, ranked[: self.k])
        return pa.Table.from_pylist(records, self.schema)

    def unreadable(self, foreign: Catalog) -> pa.Table:
        """A row for each picture that could not be read, with why."""
        rows = range(foreign.n_ready, foreign.n_ready + foreign.artifact.manifest.counts[UNREADABLE])
        found = foreign.records(rows, ["item_id", "file_name", "reason", "message"]) if rows else []
        records = [
            {
                "query_id": one["item_id"],
                "query": one["file_name"],
                "rank": 0,
                "verdict": "unreadable",
                "message": f"{one['reason']}: {one['message']}",
            }
            for one in found
        ]
        return pa.Table.from_pylist(records, self.schema)

    def _views(self, foreign: Pictures, rows: Sequence[int]) -> tuple[list[tuple[str, np.ndarray]], list[int]]:
        """(name, pixels) of other ways to see the pictures, and the place in ``rows`` that each belongs to."""
        views: list[tuple[str, np.ndarray]] = []
        owner: list[int] = []
        for place, row in enumerate(rows if self.turned or self.trimmed else ()):
            picture = foreign.read([row], SIDE)[0]
            inner = trim(picture) if self.trimmed else picture
            bases = [("", picture)]
            if inner.shape != picture.shape and inner.size >= _LEAST_SHARE * picture.size:
                bases.append(("trimmed ", inner))
            for label, base in bases:
                ways = dihedral(base) if self.turned else [base]
                for way, pixels in zip(_WAYS, ways, strict=False):
                    if label or way:
                        views.append(((label + way).strip(), np.ascontiguousarray(pixels)))
                        owner.append(place)
        return views, owner

    def _ranked(
        self,
        near: Mapping[int, int],
        vectors: Mapping[str, np.ndarray],
        asked: Sequence[int],
        labels: Sequence[str],
        same: set[int],
    ) -> list[_Found]:
        """Every candidate with its exact distances: those of the view that is nearest, in each space."""
        if not near:
            return []
        rows = np.array(list(near), np.int64)
        order = np.argsort(rows)
        rows = rows[order]
        least: dict[str, np.ndarray] = {}
        seen: dict[str, np.ndarray] = {}
        for name in self._limits:
            space = self.spaces[name]
            stored = np.asarray(space.vectors[rows])
            each = np.stack([_distances(space.space, vectors[name][at], stored) for at in asked])
            seen[name], least[name] = each.argmin(axis=0), each.min(axis=0)
        share, best = closeness(least, self._limits)
        verdicts = judge(least, self._limits)
        names = list(self._limits)
        found = []
        for i, row in enumerate(rows):
            space = names[best[i]]
            one = _Found(int(row), near[int(row)], {name: float(values[i]) for name, values in least.items()})
            one.share, one.view, one.evidence = float(share[i]), labels[seen[space][i]], space
            one.verdict = VERDICTS[verdicts[i]]
            if int(row) in same:
                one.verdict, one.evidence, one.view = EXACT, "sha256", ""
            found.append(one)
        return sorted(found, key=lambda one: (one.rank, one.share))

    def _check(self, foreign: Pictures, row: int, ranked: Sequence[_Found]) -> None:
        """Compare the first candidates in geometry where no space was sure; those that agree then pixel by pixel: other
        things on one floor agree in geometry as well.
        """
        if not self.checks or not ranked or any(one.verdict in (EXACT, COPY) for one in ranked):
            return
        try:
            query = foreign.read([row], SIDE)[0]
            for one in ranked[: self.checks]:
                original = self.pictures.read([one.row], SIDE)[0]
                match = verify(query, original)
                one.inliers = match.inliers
                if match.inliers < ENOUGH or match.transform is None:
                    continue
                laid = agreement(query, original, match.transform)
                one.agreement = laid.same
                one.verdict, one.evidence = (COPY, "alignment") if laid.is_copy else (LIKELY, "geometry")
                one.view = "mirrored" if match.mirrored else ""
        except PictureError:
            return

    def _records(self, name: Mapping[str, str], ranked: Sequence[_Found]) -> list[dict[str, Any]]:
        query = {"query_id": name["item_id"], "query": name["file_name"]}
        if not ranked:
            return [{**query, "rank": 0, "verdict": VERDICTS[-1]}]
        told = self.pictures.catalog.records([one.row for one in ranked], ["item_id", "file_name"])
        return [
            {
                **query,
                "rank": rank,
                "verdict": one.verdict,
                "evidence": one.evidence,
                **item,
                "view": one.view,
                "closeness": one.share,
                **{f"distance_{space}": value for space, value in one.distances.items()},
                "inliers": one.inliers,
                "agreement": one.agreement,
            }
            for rank, (one, item) in enumerate(zip(ranked, told, strict=True), 1)
        ]


def _distances(space: Space, query: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """A hash of zeros, which is what pictures of one colour get, is like nothing, not even another one."""
    if space.metric == "hamming" and not query.any():
        return np.full(len(stored), space.dim, np.float32)
    return space.precise(query, stored)


def same_bytes(foreign: Catalog, originals: Catalog) -> dict[int, list[int]]:
    """Ready rows of ``foreign`` -> the ready rows of ``originals`` with the same sha256 or md5, where there are any."""
    found: dict[int, list[int]] = {}
    for name in ("sha256", "md5"):
        there, here = originals.ready(name), foreign.ready(name)
        shared = np.flatnonzero(pc.is_in(there, value_set=here.drop_null().combine_chunks()).to_numpy())
        by_digest: dict[str, list[int]] = {}
        for original, digest in zip(shared, there.take(pa.array(shared, pa.int64())).to_pylist(), strict=True):
            if digest:
                by_digest.setdefault(digest, []).append(int(original))
        for row, digest in enumerate(here.to_pylist() if by_digest else ()):
            if digest in by_digest:
                found.setdefault(row, by_digest[digest])
    return found
