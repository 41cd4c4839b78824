"""Rankings: the answer to one question as a sequence without end that is the same however it is cut into pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nitari.filters import Selection
from nitari.recommend.copies import leaders
from nitari.recommend.diversity import maximal_marginal_relevance
from nitari.recommend.question import Question
from nitari.recommend.scoring import ranks, reciprocal, weighted
from nitari.recommend.source import Seeds, Source, SpaceSource

DEPTH = 128
"""Candidates that each of several sources proposes to begin with; of them all, half of ``DEPTH`` is given out."""
_ALONE = 64  # a single source's candidates are its answer, and all are given out
_DEEPER = 4  # times as many, each time they are used up
_TRUSTED = 2  # of several sources' candidates, the best one in so many is given out
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


class _Pool(NamedTuple):
    """Rows (n,), best first, with their scores and what each source says of them."""

    rows: np.ndarray
    scores: np.ndarray
    measured: dict[str, np.ndarray]
    similarity: dict[str, np.ndarray]
    rank: dict[str, np.ndarray]
    proposed: dict[str, np.ndarray]


@dataclass
class Ranking:
    """``order`` (n_ready,) is the order of the item ids, ties are broken by it. ``copy_space`` and ``limit`` say what a
    copy is; None: nothing is.

    Candidates come in layers: each source proposes ``DEPTH`` rows, all are scored in all sources, and the best half
    is given out; then four times as many are proposed, and so on until they are all there are. So the first results
    are the best of what a source has in its first ``DEPTH``, no result comes twice, none is left out, and scores fall
    within a layer.
    """

    question: Question
    sources: Mapping[str, Source]
    selection: Selection | None
    n: int
    order: np.ndarray
    copy_space: SpaceSource | None = None
    limit: float = 0.0

    def __iter__(self) -> Iterator[Ranked]:
        self._queries = {name: source.query(self.question.seeds) for name, source in self.sources.items()}
        self._against = self._unlike_queries()
        self._shown: list[int] = []
        self._asked = self._asked_vectors()
        done = np.empty(0, np.int64)
        matches = self.n if self.selection is None else len(self.selection.rows)
        depth = _ALONE if len(self.sources) == 1 else DEPTH
        while True:
            whole = depth * _DEEPER >= matches
            pool = self._pool(depth, whole, done)
            quota = len(pool.rows) if whole else depth if len(self.sources) == 1 else depth // _TRUSTED
            given = np.zeros(len(pool.rows), bool)
            while not given.all() and (whole or given.sum() + len(done) < quota):
                yield from self._chunk(pool, given)
            if whole:
                return
            done = np.concatenate([done, pool.rows[given]])
            depth *= _DEEPER

    def _pool(self, depth: int, whole: bool, done: np.ndarray) -> _Pool:
        """What the sources propose, less what is hidden, scored and in order; what was given out before is left out."""
        hidden = self.question.hidden
        proposed = {}
        if whole:
            rows = np.arange(self.n) if self.selection is None else self.selection.rows
        else:
            more = len(hidden) if self.selection is None else 0  # cheaper than a selection of all others
            for name, source in self.sources.items():
                proposed[name] = source.candidates(self._queries[name], min(depth + more, self.n), self.selection)
            rows = np.unique(np.concatenate(list(proposed.values())))
        if len(hidden) and (whole or self.selection is None):
            rows = rows[~np.isin(rows, hidden)]
        weights, ids = self.question.weights, self.order[rows]
        measured = {name: source.measure(self._queries[name], rows) for name, source in self.sources.items()}
        similarity = {name: source.similarity(measured[name]) for name, source in self.sources.items()}
        rank = {name: ranks(values, ids) for name, values in similarity.items()}
        scores = weighted(similarity, weights) if self.question.fuse == "score" else reciprocal(rank, weights)
        kept, scores = self._against_unlikes(rows, scores)
        best = np.lexsort((ids, -scores))
        best = best[kept[best] & ~np.isin(rows[best], done)]
        known = {name: np.isin(rows[best], found) for name, found in proposed.items()}
        return _Pool(
            rows[best],
            scores[best],
            {name: values[best] for name, values in measured.items()},
            {name: values[best] for name, values in similarity.items()},
            {name: values[best] for name, values in rank.items()},
            known or {name: np.ones(len(best), bool) for name in self.sources},
        )

    def _chunk(self, pool: _Pool, given: np.ndarray) -> Iterator[Ranked]:
        """The next results, at most ``_CHUNK``; marks what they and their copies take as given."""
        at = np.flatnonzero(~given)[:_LOOK]
        of = self._copies(pool.rows[at])
        alone = np.flatnonzero(of == np.arange(len(at)))
        chosen = alone[:_CHUNK]
        if self.question.diversity and len(alone):
            chosen = alone[self._diverse(pool.rows[at[alone]], pool.scores[at[alone]])]
        taken = np.isin(of, chosen)
        given[at[taken | (of == -1)]] = True
        for i in chosen:
            self._shown.append(int(pool.rows[at[i]]))
            copies = np.flatnonzero(of == i)
            yield self._result(pool, int(at[i]), pool.rows[at[copies[copies != i]]].tolist())

    def _copies(self, rows: np.ndarray) -> np.ndarray:
        """(n,) as ``leaders`` says."""
        if self.copy_space is None:
            return np.arange(len(rows))
        vectors = self.copy_space.stored(rows)
        before = self._asked
        if self._shown:
            before = np.concatenate([before, self.copy_space.stored(np.array(self._shown[-_SHOWN:]))])
        distances = self.copy_space.space.distances
        return leaders(distances(vectors, vectors), distances(before, vectors), self.limit)

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

    def _result(self, pool: _Pool, at: int, copies: list[int]) -> Ranked:
        return Ranked(
            int(pool.rows[at]),
            float(pool.scores[at]),
            {name: float(values[at]) for name, values in pool.measured.items()},
            {name: float(values[at]) for name, values in pool.similarity.items()},
            {name: int(values[at]) if pool.proposed[name][at] else None for name, values in pool.rank.items()},
            copies,
        )
