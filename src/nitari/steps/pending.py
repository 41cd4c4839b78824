"""Pending: what was appended to a collection, and removed from it, since its release was built, and what takes that in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nitari.catalog import Catalog
from nitari.cells import ID
from nitari.changes import Changes, Told
from nitari.collection import Collection
from nitari.errors import ArtifactError
from nitari.recommend.live import newer


class Pending(NamedTuple):
    """``pictures`` were appended and are not in the release; once what ``move`` says was done, the commands ``ingest``
    take those into the catalog that it lacks, and the release is stale. ``damaged`` additions say what mends them.

    ``removed`` items, of which ``held`` are still in the release or an addition; ``purge`` takes those off the disk.
    """

    pictures: int
    move: list[str]
    ingest: list[str]
    damaged: list[str]
    removed: int
    held: int
    purge: str | None


def pending(collection: Collection) -> Pending:
    """Reads the ids of catalogs where something was appended or removed, and nothing otherwise."""
    changes = Changes(collection)
    gone, additions = changes.removed_ids(), changes.ids()
    if not additions and not len(gone):
        return Pending(0, [], [], [], 0, 0, None)
    newest = collection.find("catalog")
    built = collection.parent(collection.release(), "catalog") if collection.current else newest
    served, known = (None if one is None else Catalog(one) for one in (built, newest))
    late, there = np.empty(0, ID), np.empty(0, ID) if served is None else served.item_ids[: served.n_ready]
    lacking: list[Told] = []
    damaged: list[str] = []
    for addition in additions:
        try:
            with changes.reading(addition):
                catalog = Catalog(changes.addition(addition).latest("catalog"))
                ids = catalog.item_ids[: catalog.n_ready]
        except ArtifactError as error:
            if addition in changes.ids():  # nobody built it in, or purged it, meanwhile
                damaged.append(str(error))
            continue
        there = np.union1d(there, ids)
        ids = np.setdiff1d(ids, gone)
        late = np.union1d(late, ids if served is None else ids[newer(addition, ids, served)])
        if known is None or newer(addition, ids, known).any():
            lacking.append(changes.told(addition) or Told("SOURCE", "folder", "PATH", 0))
    move, ingest = _way_in(collection, lacking, {} if newest is None else newest.manifest.info["sources"])
    held = int(np.isin(gone, there).sum())
    purge = collection.command("purge") if held else None
    return Pending(len(late), move, ingest, damaged, len(gone), held, purge)


def _way_in(
    collection: Collection, lacking: list[Told], sources: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """What to put where, and the commands that ingest it. A source that is there is ingested from where it was: from
    anywhere else, all it had would be gone.
    """
    move: list[str] = []
    ingest: list[str] = []
    homes = {
        name: (str(about["kind"]), str(about["path"]))
        for name, about in sources.items()
        if {"kind", "path"} <= about.keys()
    }
    for told in lacking:
        if told.kind != "file":  # a new source is where the first of it was
            homes.setdefault(told.source, (told.kind, told.path))
    for told in dict.fromkeys(told._replace(pictures=0) for told in lacking):
        alone = told.kind == "file"
        kind, path = homes.get(told.source, ("folder", "PATH"))
        inside = path == (str(Path(told.path).parent) if alone else told.path)
        if not inside:
            what = f"'{told.path}'" if alone else f"the pictures of '{told.path}'"
            move.append(f"Put {what} into " + ("a folder PATH" if path == "PATH" else f"'{path}'"))
        name = [] if told.source == "main" else [f"source.name={shlex.quote(told.source)}"]
        ingest.append(collection.command("ingest", f"source={kind}", f"source.path={shlex.quote(path)}", *name))
    return move, list(dict.fromkeys(ingest))
