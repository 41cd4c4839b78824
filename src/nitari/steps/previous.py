"""What a collection had before an ingest: its newest catalog, and which of its rows need no second reading."""

from __future__ import annotations

import logging
import shutil
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nitari import catalog
from nitari.artifact import Artifact
from nitari.catalog import GONE, READY, UNREADABLE
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError
from nitari.images.decode import Limits
from nitari.reasons import MISSING, PASSING
from nitari.steps.ingest_shard import FOUND_SCHEMA, part_schema
from nitari.thumbnails import INDEX_SCHEMA, index_file

log = logging.getLogger(__name__)


class Previous:
    """``table`` is the whole newest catalog, empty before the first ingest; ``settings`` are the thumbnails' wanted now."""

    def __init__(self, collection: Collection, settings: dict[str, Any], limits: Limits) -> None:
        self.artifact = collection.find("catalog")
        self.removed = pa.array(sorted(Changes(collection).removed()), pa.string())
        self.thumbnails: Artifact | None = None
        self.damaged: set[str] = set()  # files of thumbnails: what they had is read once more
        self.table = catalog.SCHEMA.empty_table()
        self.sources: dict[str, dict[str, Any]] = {}
        self.same_settings = self.same_limits = False
        self._settings, self._limits = settings, limits
        if self.artifact is not None:
            self.thumbnails, self.damaged = _thumbnails(collection, self.artifact)
            self.table = pq.read_table(self.artifact.file(catalog.FILE))
            self.sources = self.artifact.manifest.info["sources"]
            self.same_settings = self.thumbnails is not None and self.thumbnails.manifest.config == settings
            self.same_limits = self.artifact.manifest.config["limits"] == limits.__dict__
        _remove_unpinned(collection, self.artifact)

    @property
    def attributes(self) -> list[str]:
        return [name for name in self.table.column_names if name not in catalog.SCHEMA.names]

    def pool(self, source_name: str) -> pa.Table:
        """The rows that stand as they are, as a part (see ``part_schema``).

        Of the source being ingested, refusals that may have passed are left out, and what other limits may change; of
        other sources, only ready rows whose thumbnails are to be of another kind.
        """
        table, sizes = self.table, self._settings["sizes"]
        columns = {name: table.column(name) for name in ("item_id", "fingerprint", *FOUND_SCHEMA.names)}
        ready, unreadable = (pc.equal(table.column("status"), status) for status in (READY, UNREADABLE))
        other = pc.not_equal(table.column("source"), source_name)
        settled = pc.invert(pc.is_in(table.column("reason"), value_set=pa.array(PASSING)))
        if not self.same_limits:
            ready = pc.and_(ready, pc.or_(other, self._within_limits()))
            settled = pc.and_(
                settled, pc.invert(pc.fill_null(pc.starts_with(table.column("reason"), "too_many"), False))
            )
        keep = pc.and_(unreadable, pc.or_(other, settled))
        schema = part_schema(sizes)
        if self.same_settings and self.thumbnails is not None:
            for size in sizes:
                if index_file(size) in self.damaged:
                    ready = pc.and_(ready, False)
                    continue
                index = pq.read_table(self.thumbnails.file(index_file(size)), schema=INDEX_SCHEMA)
                missing = table.num_rows - index.num_rows
                for name in INDEX_SCHEMA.names:
                    field = schema.field(f"{name}_{size}")
                    columns[field.name] = pa.chunked_array(
                        [*index.column(name).cast(field.type).chunks, pa.nulls(missing, field.type)], field.type
                    )
                if self.damaged:
                    bad = pa.array([*self.damaged], pa.string())
                    ready = pc.and_(ready, pc.invert(pc.is_in(columns[f"shard_{size}"], value_set=bad)))
            keep = pc.or_(keep, ready)
        for field in schema:
            columns.setdefault(field.name, pa.nulls(table.num_rows, field.type))
        found = pa.table(columns, schema)
        return found if pc.all(keep).as_py() else found.filter(keep)  # which is a copy

    def departed(self, source_name: str, listed: pa.ChunkedArray) -> pa.Table:
        """The rows that are gone: before and still, or only now that ``source_name`` lists other ids, or removed."""
        table = self.table
        if not table.num_rows:
            return table
        back = pc.is_in(table.column("item_id"), value_set=listed)
        gone = pc.or_(pc.equal(table.column("status"), GONE), pc.equal(table.column("source"), source_name))
        gone = pc.or_(gone, pc.is_in(table.column("item_id"), value_set=self.removed))
        table = table.filter(pc.and_(gone, pc.invert(back)))
        for name, value in (("status", GONE), ("reason", None), ("message", None)):
            column = pa.array([value] * table.num_rows, pa.string())
            table = table.set_column(table.column_names.index(name), name, column)
        return table

    def missed(self, source_name: str, listing: pa.Table) -> tuple[int, int, int]:
        """How many ready pictures a source had that nobody removed, how many of them are not there by its ``listing``, and how
        many are of another size in bytes.
        """
        if not self.table.num_rows:
            return 0, 0, 0
        ready = pc.equal(self.table.column("status"), READY)
        mine = self.table.filter(pc.and_(ready, pc.equal(self.table.column("source"), source_name)))
        mine = mine.select(["item_id", "size_bytes"])
        mine = mine.filter(pc.invert(pc.is_in(mine.column("item_id"), value_set=self.removed)))
        there = listing.filter(pc.not_equal(pc.fill_null(listing.column("reason"), ""), MISSING))
        at = pc.index_in(mine.column("item_id"), value_set=there.column("item_id"))
        other = pc.not_equal(there.column("size_bytes").take(at), mine.column("size_bytes"))
        return mine.num_rows, at.null_count, pc.sum(other).as_py() or 0

    def others(self, source_name: str) -> pa.Table:
        """The rows of other sources that are not gone."""
        status, source = self.table.column("status"), self.table.column("source")
        kept = pc.invert(pc.is_in(self.table.column("item_id"), value_set=self.removed))
        return self.table.filter(pc.and_(kept, pc.and_(pc.not_equal(status, GONE), pc.not_equal(source, source_name))))

    def next_part(self) -> int:
        """The first free number for a thumbnail shard."""
        files = self.thumbnails.manifest.files if self.thumbnails is not None else {}
        return 1 + max((int(name.split("part-")[1][:5]) for name in files if "part-" in name), default=-1)

    def _within_limits(self) -> pa.ChunkedArray:
        width, height, frames, size = (
            self.table.column(name).to_numpy() for name in ("width", "height", "frames", "size_bytes")
        )
        limits = self._limits
        fine = (width * height <= limits.max_pixels) & (frames <= limits.max_frames) & (size <= limits.max_bytes)
        return pa.chunked_array([pa.array(np.asarray(fine))])


def _remove_unpinned(collection: Collection, newest: Artifact | None) -> None:
    """Remove thumbnails younger than the newest catalog's: an ingest was killed before the catalog that pins them."""
    pinned = newest.manifest.parents["thumbnails"]["id"] if newest is not None else ""
    for thumbnails_id in collection.ids("thumbnails"):
        if thumbnails_id > pinned:
            shutil.rmtree(collection.folder("thumbnails") / thumbnails_id, ignore_errors=True)


def _thumbnails(collection: Collection, catalog: Artifact) -> tuple[Artifact | None, set[str]]:
    """A catalog's, if they are there, and those of their files that are damaged: what those had is read once more."""
    try:
        found = collection.parent(catalog, "thumbnails")
    except ArtifactError as error:
        log.warning("%s. All pictures are read again", str(error).partition(". ")[0])
        return None, set()
    damaged = dict(found.damaged())
    for what in damaged.values():
        log.warning("%s. Its pictures are read again", what.partition(". ")[0])
    return found, set(damaged)
