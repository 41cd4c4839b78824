"""The shelf: the recommenders that are open. Requests take one and keep it, so that an answer comes from one release."""

from __future__ import annotations

import gc
import logging
import threading
import time
from dataclasses import dataclass

from nitari.collection import Collection
from nitari.errors import ArtifactError, NitariError
from nitari.recommend.recommender import Recommender
from nitari.recommend.words import TextSource

from .ahead import Ahead

log = logging.getLogger(__name__)

_KEPT = 600.0  # seconds that another release stays open after it was last asked for
_PATIENCE = 60.0  # seconds until a release that was refused is tried again


@dataclass
class _Other:
    recommender: Recommender
    asked: float


class Shelf:
    """``current`` is the recommender of the current release as the collection is now, as far as ``refresh`` saw. One other
    may be open beside it: the one before, or one that it is compared with.

    The constructor opens and verifies the current one, and raises the error that names what is wrong. Thread-safe.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._ahead = Ahead()
        self.current = self._opened(None)
        self.swaps = 0
        self.trouble: str | None = None
        self._refused: tuple[str | None, float] | None = None
        self._other: _Other | None = None
        self._refreshing = threading.Lock()
        self._opening = threading.Lock()

    def find(self, release: str | None) -> Recommender | None:
        """The recommender of a release, if it is open. Never waits."""
        current, other = self.current, self._other
        if release is None or release == current.release.id:
            return current
        if other is not None and other.recommender.release.id == release:
            other.asked = time.monotonic()
            return other.recommender
        return None

    def get(self, release: str) -> Recommender:
        """The recommender of a release, opened where it is not; ArtifactError where there is none."""
        with self._opening:
            found = self.find(release)
            if found is None:
                self.collection.release(release)  # ArtifactError: nothing is closed for one that is not there
                self._other = None  # before another one takes its memory
                found = self._opened(release)
                self._other = _Other(found, time.monotonic())
            return found

    def refresh(self) -> bool:
        """Take in what changed: another current release, items that were added or removed. True where anything did.

        A release that cannot be opened is refused by name and tried again later; the one before is kept, and follows the
        collection.
        """
        with self._refreshing:
            try:
                swapped = self._swap()
                followed = self._follow()
                if self._refused is None:
                    self.trouble = None
                return followed or swapped
            except NitariError as error:
                self._trouble(None, str(error))
                return False

    def _swap(self) -> bool:
        chosen = self.collection.current
        before = self.current
        if chosen == before.release.id:
            self._refused = None
            return False
        if self._refused is not None and self._refused[0] == chosen and time.monotonic() < self._refused[1]:
            return False
        try:
            newer = self.find(chosen)
            if newer is None:
                self._other = None
                newer = self._opened(chosen)
        except NitariError as error:
            self._trouble(chosen, str(error))
            return False
        self.current, self._other = newer, _Other(before, time.monotonic())  # pages that are open go on with it
        self.swaps += 1
        self._refused = None
        del before, newer
        gc.collect()  # a release's memory is too much to wait for
        return True

    def _follow(self) -> bool:
        changed = False
        newer = self.current.fresh()
        if newer is not self.current:
            _warm(newer)
            self.current = newer
            changed = True
        other = self._other
        if other is not None and time.monotonic() - other.asked > _KEPT:
            self._other = None
            gc.collect()
        elif other is not None:
            other.recommender = other.recommender.fresh()
        return changed

    def _trouble(self, chosen: str | None, why: str) -> None:
        if self.trouble != why:
            log.error("Release '%s' goes on: %s", self.current.release.id, why)
        self._refused = (chosen, time.monotonic() + _PATIENCE)
        self.trouble = why

    def _opened(self, release: str | None) -> Recommender:
        start = time.monotonic()
        chosen = self.collection.release(release)
        found = Recommender(self.collection, chosen)
        if not found.catalog.n_ready:
            raise ArtifactError(f"Release '{chosen.id}' has no item. Ingest pictures, and build again")
        _warm(found)
        self._ahead.read(self.collection, chosen)
        log.info("Release '%s' is open after %.2f s", chosen.id, time.monotonic() - start)
        return found


def _warm(recommender: Recommender) -> None:
    """Verify and open everything now, and ask once, so that the first request does not wait."""
    for name in recommender.sources:
        source = recommender.source(name)
        if isinstance(source, TextSource):
            source.warm()
    hidden = set(recommender.hidden[: recommender.catalog.n_ready].tolist())
    row = next((row for row in range(recommender.catalog.n_ready) if row not in hidden), None)
    if row is not None:
        recommender.recommend(recommender.catalog.ids([row])[0], k=1)
