"""The shelf: the recommenders that are open. Requests take one and keep it, so that an answer comes from one release."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict

from nitari.collection import Collection
from nitari.errors import ArtifactError, NitariError
from nitari.recommend.recommender import Recommender

log = logging.getLogger(__name__)

_OTHERS = 1  # releases that are open beside the current one, to be compared with it


class Shelf:
    """``current`` is the recommender of the current release as the collection is now, as far as ``refresh`` saw.

    The constructor opens and verifies it, and raises the error that names what is wrong. Thread-safe.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.current = self._opened(None)
        self.swaps = 0
        self.trouble: str | None = None
        self._refused: tuple[str | None, str] | None = None
        self._others: OrderedDict[str, Recommender] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, release: str | None) -> Recommender:
        """The recommender of a release, opened when it is first asked for; ArtifactError where there is none."""
        current = self.current
        if release is None or release == current.release.id:
            return current
        with self._lock:
            if release not in self._others:
                self._others[release] = self._opened(release)
                while len(self._others) > _OTHERS:
                    self._others.popitem(last=False)
            found = self._others[release] = self._others[release].fresh()
            return found

    def is_open(self, release: str | None) -> bool:
        return release is None or release == self.current.release.id or release in self._others

    def refresh(self) -> bool:
        """Take in what changed: another current release, items that were added or removed. True where anything did.

        A release that cannot be opened is refused by name, once, and the one before is kept.
        """
        with self._lock:
            try:
                chosen = self.collection.current
                if chosen == self.current.release.id:
                    newer = self.current.fresh()
                    self._refused = self.trouble = None
                elif self._refused is not None and chosen == self._refused[0]:
                    return False
                else:
                    newer = self._opened(chosen)
                if newer is self.current:
                    return False
                _warm(newer)
            except NitariError as error:
                return self._refuse(str(error))
            self.swaps += newer.release.id != self.current.release.id
            self.current = newer
            self._others.pop(newer.release.id, None)
            self._refused = self.trouble = None
            return True

    def _refuse(self, why: str) -> bool:
        try:
            chosen = self.collection.current
        except NitariError:
            chosen = None
        if self._refused != (chosen, why):
            log.error("Release '%s' goes on: %s", self.current.release.id, why)
        self._refused = (chosen, why)
        self.trouble = why
        return False

    def _opened(self, release: str | None) -> Recommender:
        start = time.monotonic()
        chosen = self.collection.release(release)
        found = Recommender(self.collection, chosen)
        if not found.catalog.n_ready:
            raise ArtifactError(f"Release '{chosen.id}' has no item. Ingest pictures, and build again")
        _warm(found)
        log.info("Release '%s' is open after %.2f s", chosen.id, time.monotonic() - start)
        return found


def _warm(recommender: Recommender) -> None:
    """Verify and open everything now, and ask once, so that the first request does not wait."""
    for name in recommender.sources:
        recommender.source(name)
    hidden = set(recommender.hidden[: recommender.catalog.n_ready].tolist())
    row = next((row for row in range(recommender.catalog.n_ready) if row not in hidden), None)
    if row is not None:
        recommender.recommend(recommender.catalog.item_ids[row].decode(), k=1)
