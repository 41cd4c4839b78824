"""Ahead: what a release maps is read before queries ask for it."""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nitari.artifact import MANIFEST, Artifact
from nitari.collection import Collection
from nitari.errors import NitariError
from nitari.files import read_ahead
from nitari.memory import memory

log = logging.getLogger(__name__)

_KINDS = ("index", "embeddings", "text")  # those first that a query reads most of
_MAPPED = ".npy"  # what else there is was read as a whole when it was opened


class Ahead:
    """Has what is mapped in memory soon, where half of what is available holds it: after a start of the machine, queries
    would otherwise read it page by page, for seconds. In a thread; one release at a time, and by one process of those that serve it.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()

    def read(self, collection: Collection, release: Artifact) -> threading.Thread:
        """Begin, and leave what was begun before."""
        self._stop.set()
        self._stop = threading.Event()
        arguments = (collection, release, self._stop)
        thread = threading.Thread(target=_read, args=arguments, name="nitari-ahead", daemon=True)
        thread.start()
        return thread


def _read(collection: Collection, release: Artifact, stop: threading.Event) -> None:
    start, room = time.monotonic(), (memory()["available"] or 0) // 2
    try:
        with (release.path / MANIFEST).open() as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # another worker is at it
            read = read_ahead(mapped(collection, release), room, stop.is_set)
    except (OSError, NitariError) as error:  # queries will tell
        log.warning("Not all was read ahead: %s", error)
        return
    log.info("Read ahead %.1f MB in %.1f s", read / 1e6, time.monotonic() - start)


def mapped(collection: Collection, release: Artifact) -> Iterator[Path]:
    """The files that are mapped while a release is served, without its catalog's, which are decoded."""
    for kind in _KINDS:
        for role in release.manifest.parents:
            if role.partition(":")[0] == kind:
                artifact = collection.pinned(release, role)
                yield from (artifact.path / name for name in artifact.manifest.files if name.endswith(_MAPPED))
