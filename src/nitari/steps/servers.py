"""Servers: those that hold a part of an index follow what is published, switched to and deleted here."""

from __future__ import annotations

import logging
from pathlib import Path

from nitari.artifact import Artifact, open_artifact
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import NitariError
from nitari.index import Served, open_index, served
from nitari.index import forget as discard
from nitari.stamps import pulled_file

log = logging.getLogger(__name__)


def switch(collection: Collection, release: Artifact, by: str = "build") -> None:
    """As ``Collection.switch``, once each server's alias names the collection of this release.

    Raises ArtifactError, and switches nothing, where a server is not there or holds other vectors. nitari itself searches
    the collection that a release pins: the alias is for others.
    """
    for one in _served_of(collection, release):
        one.activate()
    collection.switch(release, by)


def forget(collection: Collection, path: Path) -> None:
    """Have the server delete its part of the index at ``path``, if it is one that was built here: those that were pulled are
    searched from elsewhere, too. Raises ArtifactError, with the name of what is left on the server, where that is not there.
    """
    if path.parent.parent != collection.folder("index") or pulled_file(path).exists():
        return
    try:
        index = open_artifact(path, "index")
        known = served(index)
    except NitariError as error:  # which cannot tell, either
        log.warning("What a server may hold of index '%s' is left there: %s", path.name, error)
        return
    if known:
        discard(index)


def pulled(index: Artifact) -> None:
    """Note that it was built elsewhere."""
    if served(index):
        pulled_file(index.path).touch()


def check(collection: Collection, release: Artifact) -> None:
    """Raise ArtifactError where a server is not there, or holds other vectors than this release's."""
    _served_of(collection, release)


def _served_of(collection: Collection, release: Artifact) -> list[Served]:
    roles = [role for role in release.manifest.parents if role.startswith("index:")]
    indexes = [collection.pinned(release, role) for role in roles]
    return [_opened(collection, index) for index in indexes if served(index)]


def _opened(collection: Collection, index: Artifact) -> Served:
    space = index.manifest.info["space"]["name"]
    opened = open_index(index, Embeddings(collection.parent(index, "embeddings", space)))
    assert isinstance(opened, Served)
    return opened
