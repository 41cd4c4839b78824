"""A release as it is now: with the items that were added since it was built, and without those that were removed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nitari.artifact import Artifact
from nitari.catalog import FILE, Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.thumbnails import Thumbnails

log = logging.getLogger(__name__)


class Addition(NamedTuple):
    """A small collection, its catalog, and which of its ready rows count; they are rows from ``first`` on, of all."""

    collection: Collection
    catalog: Catalog
    rows: np.ndarray
    embeddings: Mapping[str, Embeddings]
    first: int = 0


class Live:
    """``catalog`` has the rows of the release's own, then those of the additions; ``hidden`` (m,) of them, ascending, are
    removed or have a newer row. An addition that lacks a space of the release, because that was made anew, is left out.
    """

    def __init__(self, collection: Collection, release: Artifact, keys: dict[str, str]) -> None:
        self._collection = collection
        self._pictures: dict[str, Thumbnails] = {}
        self._lock = threading.Lock()
        changes = Changes(collection)
        self.stamp = changes.stamp
        stored = Catalog.pinned(collection, release)
        self.additions = _additions(changes, stored, keys)
        tables = [pq.read_table(one.catalog.artifact.file(FILE)).take(pa.array(one.rows)) for one in self.additions]
        self.catalog = stored
        if tables:
            added = pa.concat_tables(tables, promote_options="permissive")
            self.catalog = Catalog(stored.artifact, stored.annotations, added)
        self.hidden = self._hidden(changes.removed(), stored.n_ready)

    def added(self, space: str) -> np.ndarray:
        """(m, width) vectors of the added rows."""
        return np.concatenate([one.embeddings[space].vectors[one.rows] for one in self.additions])

    def thumbnail(self, row: int, side: int) -> bytes:
        """The JPEG that is kept of a row: the smallest of at least ``side`` pixels, or the largest there is."""
        for one in self.additions[::-1] if row >= self.catalog.n_stored else []:
            if row >= one.first:
                return _read(self._thumbnails(one.collection, one.catalog), int(one.rows[row - one.first]), side)
        return _read(self._thumbnails(self._collection, self.catalog), row, side)

    @property
    def thumbnail_sizes(self) -> list[int]:
        return list(self._thumbnails(self._collection, self.catalog).sizes)

    def _thumbnails(self, collection: Collection, catalog: Catalog) -> Thumbnails:
        with self._lock:
            if catalog.artifact.id not in self._pictures:
                self._pictures[catalog.artifact.id] = Thumbnails(collection.parent(catalog.artifact, "thumbnails"))
            return self._pictures[catalog.artifact.id]

    def _hidden(self, removed: frozenset[str], stored: int) -> np.ndarray:
        ids = self.catalog.item_ids[: self.catalog.n_ready]
        older = np.isin(ids[:stored], ids[stored:])
        gone = np.isin(ids, np.array(sorted(removed), "S16"))
        gone[:stored] |= older
        return np.flatnonzero(gone)


class Joined:
    """Two arrays of vectors as one, read by row or by rows."""

    def __init__(self, stored: np.ndarray, added: np.ndarray) -> None:
        self._stored = stored
        self._added = added

    def __len__(self) -> int:
        return len(self._stored) + len(self._added)

    def __getitem__(self, rows: int | np.ndarray) -> np.ndarray:
        n = len(self._stored)
        if isinstance(rows, int):
            return np.asarray(self._stored[rows] if rows < n else self._added[rows - n])
        found = np.empty((len(rows), self._added.shape[1]), self._added.dtype)
        late = rows >= n
        found[~late] = self._stored[rows[~late]]
        found[late] = self._added[rows[late] - n]
        return found


def _additions(changes: Changes, stored: Catalog, keys: dict[str, str]) -> list[Addition]:
    """Those that can be searched in every space, each with the rows that nothing newer stands for."""
    seen: set[bytes] = set()
    settled = set(stored.item_ids.tolist())
    found = []
    for addition_id in reversed(changes.ids()):  # the newest row of an item counts
        small = changes.addition(addition_id)
        spaces = changes.spaces(addition_id)
        if any(spaces.get(name) != key for name, key in keys.items()):
            log.warning(
                "Addition '%s' was extracted for other spaces than this release has, and is left out. Ingest its source, "
                "and build",
                addition_id,
            )
            continue
        catalog = Catalog(small.latest("catalog"))
        ids = catalog.item_ids[: catalog.n_ready].tolist()
        older = addition_id < stored.artifact.id  # the catalog was made later, and knows
        rows = [i for i, item in enumerate(ids) if item not in seen and not (older and item in settled)]
        seen.update(ids)
        if rows:
            embeddings = {name: _embeddings(small, name, catalog) for name in keys}
            found.append(Addition(small, catalog, np.array(rows, np.int64), embeddings))
    found.reverse()
    first = stored.n_ready + np.cumsum([0, *(len(one.rows) for one in found)])
    return [one._replace(first=int(at)) for one, at in zip(found, first, strict=False)]


def _embeddings(small: Collection, name: str, catalog: Catalog) -> Embeddings:
    artifact = small.latest("embeddings", name)
    artifact.expect_parent("catalog", catalog.artifact)
    found = Embeddings(artifact)
    found.vectors  # noqa: B018  # mapped now: what is open stays, whatever is purged meanwhile
    return found


def _read(pictures: Thumbnails, row: int, side: int) -> bytes:
    return pictures.read_bytes([row], pictures.size_for(side) or pictures.sizes[-1])[0]
