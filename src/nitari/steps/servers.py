"""Servers: those that hold a part of an index follow what is published, switched to and deleted here."""

from __future__ import annotations

import logging
from pathlib import Path

from nitari.artifact import Artifact, open_artifact
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import NitariError
from nitari.index import Served, open_index, served

log = logging.getLogger(__name__)


def switch(collection: Collection, release: Artifact, by: str = "build") -> None:
    """As ``Collection.switch``, once each server's alias names the collection of this release.

    Raises ArtifactError, and switches nothing, where a server is not there or holds other vectors. nitari itself searches
    the collection that a release pins: the alias is for others.
    """
    opened = []
    for role in release.manifest.parents:
        if role.startswith("index:"):
            index = collection.pinned(release, role)
            if served(index):
                opened.append(_opened(collection, index))
    for one in opened:
        one.activate()
    collection.switch(release, by)


def forget(collection: Collection, path: Path) -> None:
    """Have the server delete its part of the index at ``path``, if it is one. Where it is not there, a warning names it."""
    if path.parent.parent != collection.folder("index"):
        return
    try:
        index = open_artifact(path, "index")
        if served(index):
            _opened(collection, index).drop()
    except NitariError as error:
        log.warning("What a server may hold of index '%s' is left there: %s", path.name, error)


def _opened(collection: Collection, index: Artifact) -> Served:
    space = index.manifest.info["space"]["name"]
    opened = open_index(index, Embeddings(collection.parent(index, "embeddings", space)))
    assert isinstance(opened, Served)
    return opened
