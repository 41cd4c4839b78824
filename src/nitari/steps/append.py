"""Append: pictures -> an addition, searchable beside the releases that are there, without building anything again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from nitari.artifact import new_id
from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.extractor.stored import restore
from nitari.images.decode import Limits
from nitari.steps import Progress, silent
from nitari.steps.additions import Wanted
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest

log = logging.getLogger(__name__)


class Appended(NamedTuple):
    """``addition`` is None where nothing came of it. ``known`` items were there already, ``removed`` ones stay removed."""

    addition: str | None
    counts: dict[str, int]
    refused: list[dict[str, Any]]
    known: int
    removed: int


def append(
    collection: Collection,
    listing: pa.Table,
    *,
    source_name: str,
    release: str | None = None,
    about: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Appended:
    """Read the pictures of a source's ``listing`` that are not there yet, extract them in every space of the release,
    and publish them by one rename: from then on every query sees them.

    They are read with the limits and thumbnails of the release's catalog. A picture that cannot be read is among
    ``refused``, with its reason, and stops nothing. Killed before the rename, nothing was added, and the same call goes
    on where it stopped. The next ingest of the same source and build take the items into the catalog.
    """
    changes = Changes(collection)
    with collection.lock("append", wait=True):
        pinned = collection.release(release)
        catalog = Catalog.pinned(collection, pinned)
        removed = pc.is_in(listing.column("item_id"), value_set=pa.array(sorted(changes.removed()), pa.string()))
        listing = listing.filter(pc.invert(removed))
        opened, keys = Wanted.of(collection, pinned)
        fresh = _typed(listing.filter(pc.invert(_known(listing, catalog, changes, keys))), catalog)
        counts = {"removed": pc.sum(removed).as_py() or 0, "known": listing.num_rows - fresh.num_rows}
        if not fresh.num_rows:
            return Appended(None, {}, [], **counts)
        work = collection.work("append", {"release": pinned.id, "items": _digest(fresh)})
        small = Collection(work, "addition")
        settings = catalog.artifact.manifest.config
        made = ingest(
            small,
            fresh,
            source_name=source_name,
            sizes=settings["sizes"],
            limits=Limits(**settings["limits"]),
            background=settings["background"],
            quality=settings["quality"],
            workers=workers,
            about=about,
            progress=progress,
        )
        found = Catalog(made)
        refused = found.records(range(found.n_ready, found.n_items), ["item_id", "file_name", "reason", "message"])
        if not found.n_ready:
            collection.discard(work)
            return Appended(None, made.manifest.counts, refused, **counts)
        for embeddings in opened.values():
            extract(small, restore(collection, embeddings.artifact), threads=workers)
        addition = changes.admit(small.path, new_id(), keys)
        collection.discard(work)
        return Appended(addition.name, made.manifest.counts, refused, **counts)


def _digest(listing: pa.Table) -> str:
    """Of which pictures they are, and how they were when they were listed."""
    digest = hashlib.sha256()
    for batch in listing.select(["item_id", "fingerprint"]).to_batches(16_384):
        digest.update(json.dumps(batch.to_pydict()).encode())
    return digest.hexdigest()


def _typed(listing: pa.Table, catalog: Catalog) -> pa.Table:
    """Columns as the catalog has them. ConfigError where a value is of another kind."""
    for name in listing.column_names:
        if name in catalog.attributes:
            kind = catalog.schema.field(name).type
            try:
                column = listing.column(name).cast(kind)
            except pa.ArrowException as error:
                raise ConfigError(
                    f"Column '{name}' holds {kind} in the catalog, and {listing.column(name).type} here: {error}. "
                    "Mend the values, or ingest them and build, so that the column becomes wider"
                ) from None
            listing = listing.set_column(listing.column_names.index(name), name, column)
    return listing


def _known(listing: pa.Table, catalog: Catalog, changes: Changes, keys: Mapping[str, str]) -> pa.Array:
    """Which listed items are there already, as they are listed, in every space of the release."""
    tables = [catalog]
    for one in changes.ids():
        try:
            if changes.spaces(one).items() >= keys.items():
                with changes.reading(one):
                    tables.append(Catalog(changes.addition(one).latest("catalog")))
        except ArtifactError as error:  # what no search finds of it may come again
            log.error("Left out: %s", error)
    there = pa.array([False] * listing.num_rows)
    for known in tables:
        at = pc.index_in(listing.column("item_id"), value_set=known.ready("item_id"))
        same = pc.equal(known.ready("fingerprint").take(at), listing.column("fingerprint"))
        there = pc.or_(there, pc.fill_null(same, False))
    return there
