"""A catalog as it is now: with the items that were added since it was made, and without those that were removed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nitari.catalog import FILE, Catalog
from nitari.cells import ID
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError
from nitari.filters import Selection
from nitari.index import Index
from nitari.index.tailed import Tailed
from nitari.joined import Joined
from nitari.thumbnails import Thumbnails

log = logging.getLogger(__name__)


class Addition(NamedTuple):
    """A small collection, its catalog, and which of its ready rows count; they are rows from ``first`` on, of all."""

    collection: Collection
    catalog: Catalog
    thumbnails: Thumbnails
    rows: np.ndarray
    vectors: Mapping[str, np.ndarray]
    table: pa.Table
    first: int = 0


class Unfit(Enum):
    """Why an addition is in no row."""

    DAMAGED = "damaged"
    OTHER = "of other spaces"


class Live:
    """``catalog`` has the rows of the one that is ``stored``, then those of the additions; ``hidden`` (m,) of them,
    ascending, are removed or have a newer row. ``keys`` are the spaces that are asked, each with its ``Embeddings.key``:
    an addition that lacks one, because that was made anew, is left out.

    What ``before``, an earlier state of the same, has open is used again.
    """

    def __init__(
        self, collection: Collection, stored: Catalog, keys: Mapping[str, str], before: Live | None = None
    ) -> None:
        self._collection = collection
        self._pictures: list[Thumbnails] = [] if before is None else before._pictures
        self._lock: threading.Lock = threading.Lock() if before is None else before._lock
        changes = Changes(collection)
        self.stamp = changes.stamp
        self._stored = stored
        self._keys = keys
        self._opened: dict[str, Addition | Unfit] = _opened(changes, keys, {} if before is None else before._opened)
        if before is not None and list(self._opened) == list(before._opened):
            self.additions: list[Addition] = before.additions
            self.catalog: Catalog = before.catalog
        else:
            self.additions, self.catalog = _counted(self._opened, self._stored), self._stored
            if self.additions:
                tables = [one.table.take(pa.array(one.rows)) for one in self.additions]
                self.catalog = self._stored.extended(pa.concat_tables(tables, promote_options="permissive"))
        self.hidden = self._hidden(changes.removed_ids())

    def fresh(self) -> Live:
        """This as it is by now: noticing a change costs what changed."""
        return Live(self._collection, self._stored, self._keys, self)

    def hides(self, row: int) -> bool:
        at = int(self.hidden.searchsorted(row))
        return at < len(self.hidden) and bool(self.hidden[at] == row)

    @cached_property
    def shown(self) -> Selection:
        """All rows but the hidden ones."""
        mask = np.ones(self.catalog.n_ready, bool)
        mask[self.hidden] = False
        return Selection.of(None, mask)

    def left_out(self) -> int:
        """How many items were added in other spaces, and are in no row, or only as they were before."""
        changes, items = Changes(self._collection), np.empty(0, ID)
        for addition_id in [addition_id for addition_id, one in self._opened.items() if one is Unfit.OTHER]:
            with suppress(ArtifactError), changes.reading(addition_id):  # gone, or damaged, meanwhile
                catalog = Catalog(changes.addition(addition_id).latest("catalog"), mapped=False)
                ids = catalog.item_ids[: catalog.n_ready]
                items = np.union1d(items, ids[newer(addition_id, ids, self._stored)])
        if not len(items):
            return 0
        elsewhere = np.concatenate([self.catalog.added_ids, changes.removed_ids()])
        return int((~np.isin(items, elsewhere)).sum())

    def at(self, row: int) -> tuple[Addition | None, int]:
        """The addition that a row is of, None for a stored one, and which of its rows it is."""
        for one in self.additions[::-1] if row >= self.catalog.n_stored else []:
            if row >= one.first:
                return one, int(one.rows[row - one.first])
        return None, row

    def joined(self, stored: Embeddings, index: Index) -> tuple[np.ndarray | Joined, Index | Tailed]:
        """The vectors of all rows and their search, of a space whose ``index`` has those of the stored ones."""
        if not self.additions:
            return stored.vectors, index
        added = np.concatenate([one.vectors[stored.space.name][one.rows] for one in self.additions])
        return Joined(stored.vectors, added), Tailed(index, len(stored.vectors), added)

    def thumbnail(self, row: int, side: int) -> bytes:
        """The JPEG that is kept of a row: the smallest of at least ``side`` pixels, or the largest there is."""
        addition, at = self.at(row)
        return _read(self._thumbnails if addition is None else addition.thumbnails, at, side)

    @property
    def thumbnail_sizes(self) -> list[int]:
        return list(self._thumbnails.sizes)

    @property
    def _thumbnails(self) -> Thumbnails:
        with self._lock:
            if not self._pictures:
                self._pictures.append(Thumbnails(self._collection.parent(self._stored.artifact, "thumbnails")))
            return self._pictures[0]

    def _hidden(self, gone: np.ndarray) -> np.ndarray:
        added = self.catalog.added_ids
        if not len(added) and not len(gone):
            return np.empty(0, np.int64)
        stored = self._stored.find(np.concatenate([added, gone]))
        late = self._stored.n_ready + np.flatnonzero(np.isin(added, gone))
        return np.unique(np.concatenate([stored[(stored >= 0) & (stored < self._stored.n_ready)], late]))


def newer(addition_id: str, ids: np.ndarray, catalog: Catalog) -> np.ndarray:
    """(m,) bool: which of an addition's items ``ids`` (m,) a catalog does not know, or only as they were before."""
    if addition_id > catalog.artifact.id:
        return np.ones(len(ids), bool)
    return np.asarray(catalog.find(ids) < 0)


def _opened(
    changes: Changes, keys: Mapping[str, str], before: Mapping[str, Addition | Unfit]
) -> dict[str, Addition | Unfit]:
    """The additions there are, by id, the oldest first, with all their rows."""
    found: dict[str, Addition | Unfit] = {}
    for addition_id in changes.ids():
        if addition_id in before:
            found[addition_id] = before[addition_id]
            continue
        try:
            found[addition_id] = _addition(changes, addition_id, keys)
        except ArtifactError as error:
            log.error("Left out: %s", error)
            found[addition_id] = Unfit.DAMAGED
    return found


def _addition(changes: Changes, addition_id: str, keys: Mapping[str, str]) -> Addition | Unfit:
    """With all its rows, unless it is of other spaces. ArtifactError where it is damaged."""
    small = changes.addition(addition_id)
    spaces = changes.spaces(addition_id)
    if any(spaces.get(name) != key for name, key in keys.items()):
        log.info("Addition '%s' is of other spaces than this release has. The next build takes it along", addition_id)
        return Unfit.OTHER
    with changes.reading(addition_id):
        catalog = Catalog(small.latest("catalog"), mapped=False)
        thumbnails = Thumbnails(small.parent(catalog.artifact, "thumbnails"))
        vectors = {name: _vectors(small, name, catalog) for name in keys}
        table = pq.read_table(catalog.artifact.file(FILE))
    return Addition(small, catalog, thumbnails, np.arange(catalog.n_ready), vectors, table)


def _counted(opened: dict[str, Addition | Unfit], stored: Catalog) -> list[Addition]:
    """Those that can be searched in every space, each with the rows that nothing newer stands for."""
    seen: set[bytes] = set()
    found = []
    for addition_id, addition in reversed(opened.items()):  # the newest row of an item counts
        if isinstance(addition, Unfit):
            continue
        ids = addition.catalog.item_ids[: addition.catalog.n_ready]
        unknown = newer(addition_id, ids, stored).tolist()
        rows = [i for i, item in enumerate(ids.tolist()) if item not in seen and unknown[i]]
        seen.update(ids.tolist())
        if rows:
            found.append(addition._replace(rows=np.array(rows, np.int64)))
    found.reverse()
    first = stored.n_ready + np.cumsum([0, *(len(one.rows) for one in found)])
    return [one._replace(first=int(at)) for one, at in zip(found, first, strict=False)]


def _vectors(small: Collection, name: str, catalog: Catalog) -> np.ndarray:
    """In memory: what is open stays, whatever is purged meanwhile, and holds no file."""
    artifact = small.latest("embeddings", name)
    artifact.expect_parent("catalog", catalog.artifact)
    return np.array(Embeddings(artifact).vectors)


def _read(pictures: Thumbnails, row: int, side: int) -> bytes:
    return pictures.read_bytes([row], pictures.size_for(side) or pictures.sizes[-1])[0]
