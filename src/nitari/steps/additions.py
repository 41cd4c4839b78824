"""Additions: what was appended goes along when a release has other spaces than those it was extracted in."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nitari.artifact import Artifact, new_id
from nitari.catalog import Catalog
from nitari.cells import ID
from nitari.changes import SPACES, Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError
from nitari.extractor.stored import restore
from nitari.files import link_or_copy
from nitari.steps.extract import extract

log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """The spaces of a release, and the keys of vectors that may be compared with theirs."""

    embeddings: Mapping[str, Embeddings]
    keys: Mapping[str, str]

    @classmethod
    def of(cls, collection: Collection, release: Artifact) -> Wanted:
        names = release.manifest.info["spaces"]
        opened = {name: Embeddings(collection.parent(release, f"embeddings:{name}", name)) for name in names}
        return cls(opened, {name: embeddings.key for name, embeddings in opened.items()})


def carry(collection: Collection, release: Artifact, threads: int | None = None) -> int:
    """Extract what was appended, and is in no catalog yet, in the spaces of ``release`` that it lacks; returns how many
    additions that were.

    Each becomes another addition beside the one it is made of, which the releases before this one go on with. One that
    cannot be read is logged, and left out.
    """
    changes, carried = Changes(collection), 0
    with collection.lock("append", wait=True):
        wanted = Wanted.of(collection, release)
        catalog = Catalog.pinned(collection, release)
        there = [_there(changes, one, wanted) for one in changes.ids()]
        gone = changes.removed_ids()
        known = np.concatenate([catalog.item_ids[: catalog.n_ready], gone, *there])
        for addition in reversed(changes.ids()):  # the newest row of an item counts
            try:
                items = _items(changes, addition)
                if np.isin(items, known).all():
                    continue
                _again(collection, changes, addition, wanted, threads)
            except ArtifactError as error:
                log.error("Addition '%s' is not in this release: %s", addition, error)
                continue
            known = np.concatenate([known, items])
            carried += 1
    return carried


def _there(changes: Changes, addition: str, wanted: Wanted) -> np.ndarray:
    """The items that an addition has in every space wanted; none of one that cannot be read."""
    try:
        fits = changes.spaces(addition).items() >= wanted.keys.items()
        return _items(changes, addition) if fits else np.empty(0, ID)
    except ArtifactError:
        return np.empty(0, ID)


def _items(changes: Changes, addition: str) -> np.ndarray:
    with changes.reading(addition):
        catalog = Catalog(changes.addition(addition).latest("catalog"), mapped=False)
        return catalog.item_ids[: catalog.n_ready]


def _again(collection: Collection, changes: Changes, addition: str, wanted: Wanted, threads: int | None) -> None:
    aside = Collection(collection.work("carry", {"addition": addition}), "addition")
    shutil.rmtree(aside.path, ignore_errors=True)
    shutil.copytree(
        changes.addition(addition).path, aside.path, copy_function=lambda a, b: link_or_copy(Path(a), Path(b))
    )
    (aside.path / SPACES).unlink()
    had = changes.spaces(addition)
    for name, embeddings in wanted.embeddings.items():
        if had.get(name) != wanted.keys[name]:
            extract(aside, restore(collection, embeddings.artifact), threads=threads)
    changes.admit(aside.path, addition[:-6] + new_id()[-6:], wanted.keys)  # as old as it was
    collection.discard(aside.path.parent)
