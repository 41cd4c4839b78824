"""More like this: pinned spaces, indexes and catalog of one release -> ranked items."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import islice

import numpy as np

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, QueryError
from nitari.filters import Filter, to_text
from nitari.index import Index, open_index
from nitari.index.planned import Planned
from nitari.recommend import cursor
from nitari.recommend.calibration import Calibration
from nitari.recommend.live import Live
from nitari.recommend.page import Page, Result
from nitari.recommend.pool import DIGITS, union
from nitari.recommend.question import Fuse, Likes, Question, Unlike, check_choice, decayed, entries, known
from nitari.recommend.ranking import Ranked, Ranking
from nitari.recommend.scoring import check_weights
from nitari.recommend.source import Encode, Picture, Source, SpaceSource
from nitari.recommend.unmatched import unmatched
from nitari.recommend.words import TextSource
from nitari.text.index import TextIndex

_FEW = 256  # hidden rows that are passed over among the results; more of them make a selection of all others


class Recommender:
    """Serves one release. Thread-safe: indexes of spaces are verified and opened by the first query that needs them.

    ``sources`` are what ``weights`` may name: the release's spaces, ``text`` where it has an index of words, and what was
    given to ``add``. What was added to the collection, or removed from it, up to now is taken into account; ``fresh``
    gives a recommender that also knows what changed since.
    """

    def __init__(self, collection: Collection, release: Artifact, encode: Encode | None = None) -> None:
        info = release.manifest.info
        if "calibration" not in info:
            raise ArtifactError(
                f"Release '{release.id}' was built before similarities were calibrated. "
                f"Build one that has them: {collection.command('build')}"
            )
        self.collection = collection
        self.release = release
        self.spaces: list[str] = list(info["spaces"])
        self.weights: dict[str, float] = dict(info["weights"])
        self._encode = encode
        self._stored = {name: self._embeddings(name) for name in self.spaces}
        keys = {name: stored.key for name, stored in self._stored.items()}
        self._live = Live(collection, Catalog.pinned(collection, release), keys)
        self.catalog = self._live.catalog
        self._added: dict[str, Source] = {}
        if "text" in release.manifest.parents:
            words = collection.parent(release, "text")
            words.expect_parent("catalog", self._live.catalog.artifact)
            self.add(TextSource.over(TextIndex.open(words), words.manifest.config["columns"], self.catalog))
        self._indexes: dict[str, Index] = {}
        self._open: dict[str, SpaceSource] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, collection: Collection, release: str | None = None, encode: Encode | None = None) -> Recommender:
        """The named release of a collection, or the current one. ``encode`` is needed for queries by picture."""
        return cls(collection, collection.release(release), encode)

    def fresh(self) -> Recommender:
        """This one while nothing was added or removed, which is quickly seen; otherwise one of the same release that knows.

        What is open stays open, and is shared.
        """
        if Changes(self.collection).stamp == self._live.stamp:
            return self
        newer = copy(self)
        newer._live = self._live.fresh()
        newer.catalog = newer._live.catalog
        if newer.catalog is not self.catalog:
            newer._open = {}
            newer._added = dict(self._added)
            if isinstance(words := self._added.get("text"), TextSource):
                newer.add(TextSource.over(words.index, words.columns, newer.catalog))
        return newer

    @property
    def sources(self) -> list[str]:
        return [*self.spaces, *self._added]

    @property
    def hidden(self) -> np.ndarray:
        """(m,) rows of the catalog, ascending, that were removed or have a newer row."""
        return self._live.hidden

    @property
    def plans(self) -> dict[str, Counter[str]]:
        """How often each plan answered a search, by space, since its index was opened."""
        indexes = dict(self._indexes)
        return {name: Counter(index.plans) for name, index in indexes.items() if isinstance(index, Planned)}

    def add(self, source: Source) -> None:
        """One more source, by its name, for ``weights``. Its rows are those of this release's catalog."""
        self._added[source.name] = source

    def recommend(
        self,
        like: Likes = (),
        *,
        like_weights: Sequence[float] | None = None,
        unlike: Likes = (),
        unlike_weights: Sequence[float] | None = None,
        unlike_by: Unlike = "subtract",
        unlike_strength: float = 0.5,
        history: Sequence[str] | Mapping[str, float] = (),
        half_life: float = 5.0,
        where: str | Filter | None = None,
        k: int = 20,
        weights: Mapping[str, float] | None = None,
        fuse: Fuse = "score",
        diversity: float = 0.0,
        collapse: bool = True,
        exclude: Iterable[str] = (),
        after: str | None = None,
        echo: bool = False,
    ) -> Page:
        """Exactly min(k, matches) items, best first and then by item id.

        ``like`` is one or several items (an item_id, or a file_name that is unique) or pictures; several become one
        query, the mean of their vectors in each space by ``like_weights``. ``history`` are items of a user, the newest
        first, or ages by item; they are liked too, half as much every ``half_life`` items, and passed over when gone.

        ``unlike`` are items or pictures to stay away from, by ``unlike_by``: ``subtract`` moves the query away from
        their mean, by ``unlike_strength`` (Rocchio, 1971); ``penalise`` takes ``unlike_strength`` times the similarity
        to the nearest of them off each score; ``avoid`` drops what is more similar to one of them than to every liked.

        ``weights`` says how much each source counts; None takes the release's defaults. Each of several sources
        proposes candidates, and every candidate is scored in all of them. ``fuse="score"`` takes the weighted mean of
        calibrated similarities; "rank" of reciprocal ranks (Cormack, Clarke and Büttcher, 2009). ``diversity`` from 0
        to 1 trades score for being unlike the results before (Carbonell and Goldstein, 1998).

        ``collapse`` makes near-copies one result that names the others, and takes copies of an item that was asked with
        for that item; a copy of a picture is a result. What was asked with is not among the results unless ``echo``; neither are items in ``exclude``,
        where unknown ones are ignored: what was seen may be gone by now. ``after`` is that of the page before.

        Raises QueryError on an unknown item, a bad k, a cursor of another query and other bad values, FilterError, and
        ConfigError on bad weights.
        """
        if k < 1:
            raise QueryError(f"k is {k}. Ask for at least 1 result")
        asked = Question.of(
            self._entries(like),
            like_weights,
            self._entries(unlike),
            unlike_weights,
            self._shown(decayed(self.catalog, history, half_life)),
            exclude=(row for _, row in known(self.catalog, exclude)),
            unlike_by=check_choice(unlike_by, Unlike, "unlike_by"),
            strength=float(unlike_strength),
            weights=check_weights(self.weights if weights is None else weights, self.sources),
            fuse=check_choice(fuse, Fuse, "fuse"),
            diversity=float(diversity),
            collapse=collapse,
            echo=echo,
        )
        text = where if where is None or isinstance(where, str) else to_text(where)
        fingerprint = cursor.fingerprint(self.release.id, asked.parts(), text)
        start = 0 if after is None else cursor.read(after, fingerprint)
        ranking = self._ranking(asked, where)
        found = list(islice(ranking, start, start + k + 1))
        more = cursor.write(start + k, fingerprint, self.release.id) if len(found) > k else None
        return self.page(found[:k], text, more, ranking.scored)

    def find(self, text: str, *, where: str | Filter | None = None, k: int = 20, after: str | None = None) -> Page:
        """Items by words that somebody typed, in the columns that the release was built to search: those with all of them
        first. At most min(k, matches); paged as ``recommend``.

        Raises ConfigError where the release has no words, QueryError on text without any, and as ``recommend``.
        """
        source = self._added.get("text")
        if not isinstance(source, TextSource):
            raise ConfigError(
                f"Release '{self.release.id}' has no index of words. "
                f"Build one with: {self.collection.command('build', 'text.columns=[file_name]')}"
            )
        if k < 1:
            raise QueryError(f"k is {k}. Ask for at least 1 result")
        shown = where if where is None or isinstance(where, str) else to_text(where)
        fingerprint = cursor.fingerprint(self.release.id, text, shown)
        start = 0 if after is None else cursor.read(after, fingerprint)
        query = source.typed(text)
        selection = self.catalog.select(where, self._live.hidden.tolist())
        rows = source.candidates(query, start + k + 1, selection)[start:]
        measured = source.measure(query, rows).round(DIGITS).tolist()
        found = [
            Ranked(row, value, {"text": value}, {"text": value}, {"text": start + i}, [])
            for i, (row, value) in enumerate(zip(rows.tolist()[:k], measured, strict=False), start=1)
        ]
        more = cursor.write(start + k, fingerprint, self.release.id) if len(rows) > k else None
        return self.page(found, shown, more)

    def page(self, found: Sequence[Ranked], where: str | None, after: str | None, scored: int = 0) -> Page:
        """The answer that has ``found``; one without any says why where it is for the filter."""
        why = unmatched(self.catalog, where, self.hidden) if where and not found else ""
        results = self.results(found)
        return Page(self.collection.name, self.release.id, results, where or None, after, why or None, scored)

    def thumbnail(self, item: str, side: int) -> bytes:
        """The JPEG kept of an item: the smallest of at least ``side`` pixels, or the largest there is. QueryError where it is
        unknown or was removed.
        """
        row = self.catalog.row(item)
        self._check_shown(row)
        return self._live.thumbnail(row, side)

    @property
    def thumbnail_sizes(self) -> list[int]:
        """Longer sides, in pixels, that are kept of every item."""
        return self._live.thumbnail_sizes

    def source(self, name: str) -> Source:
        """The source of that name, opened and verified."""
        return self._added.get(name) or self._space(name)

    def _entries(self, items: Likes) -> tuple[int | Picture, ...]:
        found = entries(self.catalog, items)
        for entry in found:
            if isinstance(entry, int):
                self._check_shown(entry)
        return found

    def hides(self, row: int) -> bool:
        """Whether a row was removed, or has a newer one."""
        return self._live.hides(row)

    def _check_shown(self, row: int) -> None:
        if self.hides(row):
            raise QueryError(f"Item '{self.catalog.ids([row])[0]}' was removed. Ask with another one")

    def _shown(self, history: dict[int, float]) -> dict[int, float]:
        return {row: weight for row, weight in history.items() if not self._live.hides(row)}

    def _ranking(self, asked: Question, where: str | Filter | None) -> Ranking:
        selection = self.catalog.select(where) if where else None
        own, gone = asked.hidden, self._live.hidden
        n = self.catalog.n_ready
        if len(gone) > _FEW:
            selection = self._live.shown if selection is None else selection.without(gone, n)
        elif len(gone):
            own = union([own, gone])
        if len(own) > _FEW:
            selection, own = (selection or self._live.shown).without(own, n), own[:0]
        asked = replace(asked, hidden=own)
        sources = {name: self.source(name) for name in asked.weights}
        rule = self.release.manifest.info["collapse"]
        copies = self._space(rule["space"]) if asked.collapse else None
        return Ranking(asked, sources, selection, n, self.catalog.places, copies, float(rule["distance"]))

    def results(self, found: Sequence[Ranked]) -> list[Result]:
        """Ranked rows with their ids and attributes."""
        names = ["file_name", *self.catalog.attributes]
        records = self.catalog.records([ranked.row for ranked in found], names)
        ids = self.catalog.ids(ranked.row for ranked in found)
        return [
            Result(
                item,
                ranked.score,
                ranked.similarity,
                ranked.measured,
                ranked.rank,
                self.catalog.ids(ranked.copies) if ranked.copies else [],
                record,
            )
            for ranked, item, record in zip(found, ids, records, strict=True)
        ]

    def _space(self, name: str) -> SpaceSource:
        with self._lock:
            if name not in self._open:
                self._open[name] = self._opened(name)
            return self._open[name]

    def _opened(self, name: str) -> SpaceSource:
        stored = self._stored[name]
        if name not in self._indexes:
            self._indexes[name] = open_index(self.collection.parent(self.release, f"index:{name}", name), stored)
        calibration = Calibration.from_dict(self.release.manifest.info["calibration"][name])
        return SpaceSource(stored.space, *self._live.joined(stored, self._indexes[name]), calibration, self._encode)

    def _embeddings(self, name: str) -> Embeddings:
        artifact = self.collection.parent(self.release, f"embeddings:{name}", name)
        artifact.expect_parent("catalog", self.collection.parent(self.release, "catalog"))
        return Embeddings(artifact)
