"""Garbage collection: what no kept release needs leaves the disk."""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import numpy as np

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError
from nitari.recommend.live import Live
from nitari.steps.servers import forget
from nitari.steps.verify import TRAINED

log = logging.getLogger(__name__)

# In the order in which they go: killed on the way, no release is left without what it pins.
_KINDS = ("release", "index", "text", "annotation", "embeddings", "vocabulary", "encoder", "catalog", "thumbnails")
_HEADS = ("catalog", "encoder", "vocabulary", "embeddings", "annotation")  # the newest of these make the next build
_DAY = 86400.0


class Freed(NamedTuple):
    """``freed`` has ``kind``, ``path`` within the collection and ``bytes`` of each thing; ``releases`` are those kept."""

    freed: list[dict[str, Any]]
    bytes: int
    releases: list[str]


def gc(collection: Collection, *, keep: int = 3, idle: float = 7.0, dry: bool = False) -> Freed:
    """Delete releases beyond the ``keep`` newest, the ``keep`` that were served last and the current one; then artifacts
    that no kept release pins, checks of deleted releases, additions that the newest catalog holds and no kept release
    needs, and unfinished work and cached training pictures that nobody touched for ``idle`` days.

    The newest catalog, encoder, space of each name and annotation of each annotator stay, with what they were made from;
    so do evaluations. ``bytes`` are what the disk gets back: a file that something kept shares counts for nothing.
    Nothing is deleted where ``dry``. Killed, the same call goes on. Raises ArtifactError where a job is at work, and where
    a kept release cannot be read: what it pins is not known.
    """
    if keep < 1:
        raise ConfigError(f"keep is {keep}. Keep at least 1 release")
    if not idle >= 0:
        raise ConfigError(f"idle is {idle}. Give days from 0 on")
    with collection.exclusive():
        kept = kept_releases(collection, keep)
        pinned = _pinned(collection, kept)
        chosen = [("artifact", path) for path in _unpinned(collection, pinned)]
        chosen += [("addition", path) for path in _taken_in(collection, kept)]
        chosen += _given_up(collection, idle)
        sizes = _sizes([path for _, path in chosen])
        for kind, path in () if dry else chosen:
            if kind in ("artifact", "addition"):
                try:
                    forget(collection, path)
                except ArtifactError as error:
                    log.warning("%s Delete it there", error)
                collection.drop(path)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        freed = [
            {"kind": kind, "path": path.relative_to(collection.path).as_posix(), "bytes": size}
            for (kind, path), size in zip(chosen, sizes, strict=True)
        ]
        return Freed(freed, sum(sizes), [release.id for release in kept])


def kept_releases(collection: Collection, keep: int) -> list[Artifact]:
    """The ``keep`` newest, the ``keep`` that were served last, and the current one; oldest first."""
    ids = collection.ids("release")
    last = list(dict.fromkeys(reversed(collection.served())))
    there = [release for release in last if release in ids]
    if collection.current is not None and collection.current not in ids:
        collection.release()  # raises: it is not there
    return [collection.release(one) for one in sorted({*ids[-keep:], *there[:keep]})]


def _pinned(collection: Collection, releases: Sequence[Artifact]) -> set[Path]:
    """Paths of the releases and of all that they, and the next build, are made of."""
    whole = {release.path for release in releases}
    alone: set[Path] = set()  # catalogs that encoders were trained on: which items they saw is asked, no thumbnails are
    for release in releases:
        for role in release.manifest.parents:
            _with_parents(collection, collection.pinned(release, role), whole, alone)
    for kind in _HEADS:
        for folder in collection.folders(kind):
            space = None if folder == collection.folder(kind) else folder.name
            _with_parents(collection, collection.latest(kind, space), whole, alone)
    return whole | alone


def _with_parents(collection: Collection, artifact: Artifact, whole: set[Path], alone: set[Path]) -> None:
    if artifact.path in whole:
        return
    whole.add(artifact.path)
    for role in artifact.manifest.parents:
        try:
            parent = collection.pinned(artifact, role)
        except ArtifactError:  # freed before: an older catalog, say, that an encoder was trained on
            continue
        if artifact.manifest.kind in TRAINED and role == "catalog":
            alone.add(parent.path)
        else:
            _with_parents(collection, parent, whole, alone)


def _unpinned(collection: Collection, pinned: set[Path]) -> Iterator[Path]:
    for kind in _KINDS:
        for folder in collection.folders(kind):
            yield from (path for path in sorted(folder.iterdir()) if path.is_dir() and path not in pinned)


def _taken_in(collection: Collection, releases: Iterable[Artifact]) -> list[Path]:
    """Additions that the newest catalog holds, and no release shows an item of."""
    changes = Changes(collection)
    newest = collection.find("catalog")
    if newest is None or not changes.ids():
        return []
    needed: set[Path] = set()
    for release in releases:
        catalog = Catalog.pinned(collection, release)
        spaces = release.manifest.info["spaces"]
        keys = {name: Embeddings(collection.pinned(release, f"embeddings:{name}")).key for name in spaces}
        needed |= {one.collection.path for one in Live(collection, catalog, keys).additions}
    held = Catalog(newest).item_ids
    found = []
    for addition_id in changes.ids():
        small = changes.addition(addition_id)
        if addition_id < newest.id and small.path not in needed:
            with changes.reading(addition_id):
                added = Catalog(small.latest("catalog"))
            if np.isin(added.item_ids[: added.n_ready], held).all():
                found.append(small.path)
    return found


def _given_up(collection: Collection, days: float) -> list[tuple[str, Path]]:
    """Unfinished work, and cached pictures of trainings, that nobody touched for ``days``."""
    oldest = time.time() - days * _DAY
    found = []
    for kind in ("work", "cache"):
        for path in sorted((collection.path / kind).glob("*")):
            left = path.name.startswith("drop-")  # by a killed deletion
            if left or all(one.stat().st_mtime <= oldest for one in (path, *path.rglob("*"))):
                found.append((kind, path))
    return found


def _sizes(paths: Iterable[Path]) -> list[int]:
    """Bytes that deleting all of ``paths`` gives back, by the one that holds a file's last name."""
    names: Counter[tuple[int, int]] = Counter()
    sizes = []
    for path in paths:
        size = 0
        for file in (path, *path.rglob("*")):
            stat = file.lstat()
            if S_ISREG(stat.st_mode):
                names[stat.st_dev, stat.st_ino] += 1
                if names[stat.st_dev, stat.st_ino] == stat.st_nlink:
                    size += stat.st_size
        sizes.append(size)
    return sizes
