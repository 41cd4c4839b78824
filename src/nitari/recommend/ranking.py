"""Rankings: the answer to one question as a sequence without end that is the same however it is cut into pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from nitari.filters import Selection
from nitari.joined import Joined
from nitari.recommend.calibration import DOUBLED
from nitari.recommend.copies import leaders
from nitari.recommend.diversity import maximal_marginal_relevance
from nitari.recommend.pool import Pool, among, union
from nitari.recommend.question import Question
from nitari.recommend.scoring import ranks, reciprocal, weighted
from nitari.recommend.source import Seeds, Source, SpaceSource

DEPTH = 576
"""Candidates that several sources propose together to begin with, each as it counts: benchmarks/fusion.py."""
_SHALLOW = 128  # of each, at least, where there are many of them
_LEAST = 0.25  # of a source's even part: what one that hardly counts proposes
_FIRST = 24  # results of which it is made sure, within ...
_SLACK = 0.015  # ... this much of a score, that none better is farther down in every source
_MARGIN = 1.2  # times as many as seem to be needed for that
_ALONE = 48  # a single source's candidates are its answer, and all are given out
_DEEPER = 4  # times as many, each time they are used up
_TRUSTED = 2  # of several sources' candidates, the best one in so many is given out
_FLOODED = (8, 32, 128)  # times as many from a source that has hardly anything but copies of what was asked with
_CHUNK = 32  # given out together
_LOOK = 128  # ranked ones among which a chunk's copies are looked for, and diverse results chosen
_SHOWN = 256  # results before a chunk that it is compared with


class Ranked(NamedTuple):
    """One result: its row, score, and by source what was measured, its similarity and rank; rows it stands for."""

    row: int
    score: float
    measured: dict[str, float]
    similarity: dict[str, float]
    rank: dict[str, int | None]
    copies: list[int]


@dataclass
class Ranking:
    """``order`` (n_ready,) is the order of the item ids, ties are broken by it. ``copy_space`` and ``limit`` say what a
    copy is; None: nothing is.

    Candidates come in layers: the sources propose ``DEPTH`` rows, all are scored in all sources, and the best of them
    are given out; then four times as many are proposed, and so on until they are all there are. So the first results
    are the best of what the sources have in their first ones, no result comes twice, none is left out, and scores fall
    within a layer. Copies count with the result that names them, and those of what was asked with not at all.
    """

    question: Question
    sources: Mapping[str, Source]
    selection: Selection | None
    n: int
    order: np.ndarray | Joined
    copy_space: SpaceSource | None = None
    limit: float = 0.0
    scored: int = field(default=0, init=False)  # rows, so far

    def __iter__(self) -> Iterator[Ranked]:
        self._queries = {name: source.query(self.question.seeds) for name, source in self.sources.items()}
        self._against = self._unlike_queries()
        self._shown: list[int] = []
        self._spent: set[str] = set()  # sources that proposed all that they can
        self._flooded = False
        self._asked = self._asked_vectors()
        likes = self.question.seeds.entries
        self._asked_alone = len(self._asked) == 1 == len(likes) and isinstance(likes[0], int) and not self.question.echo
        done = np.empty(0, np.int64)
        matches = self.n if self.selection is None else self.selection.count
        alone = len(self.sources) == 1
        depth = _ALONE if alone else max(_SHALLOW, DEPTH // len(self.sources))
        while True:
            whole = depth * _DEEPER >= matches
            pool = self._pool(depth, whole, done)
            if not (whole or alone or len(done)) and (needed := self._needed(pool, depth)) > depth:
                depth, whole = needed, needed * _DEEPER >= matches
                pool = self._pool(depth, whole, done)
            quota = len(pool.rows) if whole or alone else depth // _TRUSTED
            given, results = np.zeros(len(pool.rows), bool), 0
            while results < quota and not given.all():
                for result in self._chunk(pool, given):
                    results += 1
                    yield result
            if whole:
                return
            done = union([done, pool.rows[given]])
            depth *= _DEEPER

    def _pool(self, depth: int, whole: bool, done: np.ndarray) -> Pool:
        """What the sources propose, less what is hidden, scored and in order; what was given out before is left out."""
        proposed: dict[str, np.ndarray] = {}
        if whole:
            rows = np.arange(self.n) if self.selection is None else self.selection.rows
        else:
            proposed = {name: self._proposed(name, depth) for name in self.sources}
            rows = union(list(proposed.values()))
        rows = rows[~among(rows, self.question.hidden)]
        rows = rows[np.argsort(self.order[rows], kind="stable")]  # so that equal ones stay in the order of their ids
        others, measured = self._others(rows)
        rows, weights = rows[others], self.question.weights
        self.scored += len(rows)
        for name, source in self.sources.items():
            if name not in measured:
                measured[name] = source.measure(self._queries[name], rows)
        similarity = {name: source.similarity(measured[name]) for name, source in self.sources.items()}
        rank = {name: ranks(values) for name, values in similarity.items()}
        scores = weighted(similarity, weights) if self.question.fuse == "score" else reciprocal(rank, weights)
        kept, scores = self._against_unlikes(rows, scores)
        if len(done):
            kept &= ~among(rows, done)
        best = np.argsort(-scores, kind="stable")
        best = best[kept[best]]
        rows = rows[best]
        return Pool(
            rows,
            scores[best],
            {name: values[best] for name, values in measured.items()},
            {name: values[best] for name, values in similarity.items()},
            {name: values[best] for name, values in rank.items()},
            {name: among(rows, np.sort(found)) for name, found in proposed.items()}
            or {name: np.ones(len(best), bool) for name in self.sources},
        )

    def _needed(self, pool: Pool, depth: int) -> int:
        """How many candidates a source has to propose, on average, so that the first results are the best there are.

        What no source proposes is no more similar in any of them than the last that it did propose, and so has no better
        score than those together: Fagin, Lotem and Naor, "Optimal aggregation algorithms for middleware" (2003). How
        fast that falls with more candidates is known of calibrated similarities.
        """
        if self.question.fuse != "score" or self._against or self._flooded or not len(pool.rows):
            return depth
        last = {
            name: pool.similarity[name][slice(None) if name in self._spent else pool.proposed[name]].min(initial=1.0)
            for name in self.sources
        }
        better = float(weighted(last, self.question.weights)) - pool.scores[min(_FIRST, len(pool.rows)) - 1]
        if better <= _SLACK:
            return depth
        return round(depth * min(_DEEPER, _MARGIN * 2 ** (better / DOUBLED)))

    def _proposed(self, name: str, depth: int) -> np.ndarray:
        """Candidates of one source; where nearly all are copies of what was asked with, it is asked for more."""
        source, query, weights = self.sources[name], self._queries[name], self.question.weights
        care = max(_LEAST, weights[name] / sum(weights.values()) * len(self.sources))
        own = round(care * depth)
        first = k = min(own + len(self.question.hidden), self.n)
        if isinstance(source, SpaceSource) and len(self.sources) > 1:
            rows = source.propose(query, k, care, self.selection)
        else:
            rows = source.candidates(query, k, self.selection)
        if len(rows) < k:
            self._spent.add(name)
        if source is not self.copy_space or not len(self._asked):
            return rows
        for deeper in _FLOODED:
            if len(rows) < k or self._others(rows[-(own // _DEEPER) :])[0].any():  # the farthest ones
                break
            k = min(own + deeper * depth, self.n)
            rows = self.copy_space.propose(query, k, care, self.selection)
        if k > first:
            self._flooded, most = True, _DEEPER if len(self.sources) == 1 else 2
            rows = rows[self._others(rows)[0]]  # copies are not measured elsewhere
            rows = rows[np.argsort(source.measure(query, rows), kind="stable")[: most * own]]
        return rows

    def _others(self, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(n,) bool: which are no copies of the items that were asked with; what was measured of those on the way."""
        if self.copy_space is None or not len(self._asked):
            return np.ones(len(rows), bool), {}
        name = self.copy_space.name
        if name in self.sources and self._asked_alone:  # the query is the item
            apart = self.copy_space.measure(self._queries[name], rows)
            others = apart > self.limit
            return others, {name: apart[others]}
        return self.copy_space.apart(self._asked, rows) > self.limit, {}

    def _chunk(self, pool: Pool, given: np.ndarray) -> Iterator[Ranked]:
        """The next results, at most ``_CHUNK``; marks what they and their copies take as given."""
        at = np.flatnonzero(~given)[:_LOOK]
        chosen, of = at[:_CHUNK], None
        if self.copy_space is not None or self.question.diversity:
            of = self._copies(pool.rows[at])
            alone = np.flatnonzero(of == np.arange(len(at)))
            if self.question.diversity and len(alone):
                alone = alone[self._diverse(pool.rows[at[alone]], pool.scores[at[alone]])]
            alone = alone[:_CHUNK]
            taken = np.zeros(len(at) + 1, bool)  # the last one is for -1: copies of what was shown
            taken[alone] = taken[-1] = True
            given[at[taken[of]]] = True
            chosen = at[alone]
        given[chosen] = True
        copies: dict[int, list[int]] = {}
        if of is not None:
            for i in np.flatnonzero((of >= 0) & (of != np.arange(len(at)))).tolist():
                copies.setdefault(int(at[of[i]]), []).append(int(pool.rows[at[i]]))
        self._shown += pool.rows[chosen].tolist()
        for place, result in zip(chosen.tolist(), pool.told(chosen), strict=True):
            yield Ranked(*result, copies.get(place, []))

    def _copies(self, rows: np.ndarray) -> np.ndarray:
        """(n,) as ``leaders`` says."""
        if self.copy_space is None:
            return np.arange(len(rows))
        vectors = self.copy_space.stored(rows)
        distances = self.copy_space.space.distances
        known = np.empty((0, len(rows)), np.float32)
        if self._shown:
            known = distances(self.copy_space.stored(np.array(self._shown[-_SHOWN:], np.int64)), vectors)
        return leaders(distances(vectors, vectors), known, self.limit)

    def _diverse(self, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Positions of the next results, compared with each other in the spaces that count."""
        spaces = {name: source for name, source in self.sources.items() if isinstance(source, SpaceSource)}
        shown = np.array(self._shown[-_SHOWN:], np.int64)
        each, before = {}, {}
        for name, source in spaces.items():
            vectors = source.stored(rows)
            each[name] = source.similarity(source.space.distances(vectors, vectors))
            before[name] = source.similarity(source.space.distances(vectors, source.stored(shown)))
        if not spaces:
            return np.arange(min(_CHUNK, len(rows)))
        weights = {name: self.question.weights[name] for name in spaces}
        nearest = weighted(before, weights).max(axis=1, initial=-np.inf)
        return maximal_marginal_relevance(scores, weighted(each, weights), nearest, self.question.diversity, _CHUNK)

    def _against_unlikes(self, rows: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which rows stay, and their scores."""
        everything = np.ones(len(rows), bool)
        if not self._against:
            return everything, scores
        near = [self._similarity(queries, rows) for queries in self._against["unlike"]]
        if self.question.unlike_by == "penalise":
            return everything, scores - self.question.strength * np.max(near, axis=0)
        liked = [self._similarity(queries, rows) for queries in self._against["like"]]
        return np.max(near, axis=0) <= np.max(liked, axis=0), scores

    def _similarity(self, queries: Mapping[str, Any], rows: np.ndarray) -> np.ndarray:
        found = {name: s.similarity(s.measure(queries[name], rows)) for name, s in self.sources.items()}
        return weighted(found, self.question.weights)

    def _unlike_queries(self) -> dict[str, list[dict[str, Any]]]:
        """A query for each disliked entry and each liked one by itself, where they are compared one by one."""
        question = self.question
        if not question.unlikes.entries or question.unlike_by == "subtract":
            return {}
        parts = {"unlike": question.unlikes, "like": question.likes}
        return {
            side: [
                {name: source.query(Seeds((entry,), np.ones(1))) for name, source in self.sources.items()}
                for entry in seeds.entries
            ]
            for side, seeds in parts.items()
        }

    def _asked_vectors(self) -> np.ndarray:
        """(m, width) of the items that were asked with, in the space of copies: copies of them are not shown.

        Pictures are none of the collection: that it has a copy of one is an answer.
        """
        if self.copy_space is None:
            return np.empty((0, 0))
        asked = (() if self.question.echo else self.question.likes.entries) + self.question.unlikes.entries
        return self.copy_space.stored(np.array([entry for entry in asked if isinstance(entry, int)], np.int64))
