"""Verify: is all that a release pins there, undamaged, and made from what it is served beside?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from nitari.artifact import Artifact
from nitari.catalog import ANNOTATION, READY
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.command import filled
from nitari.errors import ArtifactError, DamagedArtifactError
from nitari.extractor import FITTED
from nitari.steps import Progress, silent

TRAINED = ("encoder", "vocabulary")
"""Kinds that were made from whatever catalog was the newest then."""
_RENEW = re.compile(r"Renew it with: .*")


class Verified(NamedTuple):
    """``problems`` says of each damaged, missing or unmatched part what is wrong and what renews it; empty: all is well.

    ``artifacts``, ``files`` and ``bytes`` are those of the release and what it pins, and of additions.
    """

    release: str
    artifacts: int
    files: int
    bytes: int
    problems: list[str]

    def check(self) -> None:
        """Raise DamagedArtifactError where there is any problem."""
        if self.problems:
            raise DamagedArtifactError("\n".join(self.problems))


def verify(
    collection: Collection, release_id: str | None = None, *, full: bool = False, progress: Progress = silent
) -> Verified:
    """Check the checksums of a release (the current one), of everything it pins and of the additions that are served with
    it, and that all parts belong together: one catalog, the vectors that each index was built from, the encoder that made
    them, annotations and words.

    A file is read where its size, mtime or inode are not those of when it was last found right, so it takes seconds
    however large the collection is; ``full`` reads them all again. Raises ArtifactError where there is no such release.
    """
    release = collection.release(release_id)
    parts: dict[str, Artifact] = {}
    problems: list[str] = []
    for role in release.manifest.parents:
        try:
            parts[role] = collection.pinned(release, role)
        except ArtifactError as error:
            problems.append(f"{role}: {error}")
    whole = [(part, "") for part in (release, *parts.values())]
    for small in map(Changes(collection).addition, Changes(collection).ids()):
        advice = f"Remove '{small.path}', and append its pictures again"
        try:
            whole += [(small.open(kind, path.name, space), advice) for kind, path, space in _inside(small)]
        except ArtifactError as error:
            problems.append(f"{error}. {advice}")
    total = sum(len(part.manifest.files) for part, _ in whole)
    counted = count(1)

    def files(part: Artifact) -> Iterator[str]:
        for name in part.manifest.files:
            yield name
            progress(next(counted), total)

    for part, advice in whole:
        for damage in part.damages(files(part), full=full):
            told = _RENEW.sub(advice, damage) if advice else damage
            again = "" if advice or "nitari build" in told else ". Then build again: nitari build collection=…"
            problems.append(told + again)  # the release pins the damaged one
    problems += unmatched(release, parts)
    size = sum(entry["size"] for part, _ in whole for entry in part.manifest.files.values())
    named = [filled(text, collection.path) for text in problems]
    return Verified(release.id, len(whole), total, size, named)


def _inside(small: Collection) -> Iterator[tuple[str, Path, str | None]]:
    """Kind, path and space of each artifact of an addition."""
    for kind in ("thumbnails", "catalog", "embeddings"):
        for folder in small.folders(kind):
            space = None if folder == small.folder(kind) else folder.name
            yield from ((kind, folder / one, space) for one in small.ids(kind, space))


def unmatched(release: Artifact, parts: dict[str, Artifact]) -> Iterator[str]:
    """What of a release's parts, by role, was not made from the others, or is not all there."""
    for space in release.manifest.info["spaces"]:
        for role in (f"embeddings:{space}", f"index:{space}"):
            if role not in release.manifest.parents:
                yield f"release '{release.id}' serves space '{space}' and pins no {role}. Run: nitari build collection=…"
    for role, part in parts.items():
        for parent in part.manifest.parents:
            beside = _beside(role, parent)
            if beside in parts:
                try:
                    part.expect_parent(parent, parts[beside])
                except ArtifactError as error:
                    yield f"{role}: {error}"
            elif beside is not None and beside not in release.manifest.parents:
                yield f"release '{release.id}' pins {role} and not its {beside}. Run: nitari build collection=…"
        if (
            "catalog" in parts
            and "vectors" in part.manifest.counts
            and role.partition(":")[0] in ("embeddings", "index")
        ):
            ready, vectors = parts["catalog"].manifest.counts[READY], part.manifest.counts["vectors"]
            if ready != vectors:
                yield f"{role}: '{part.id}' holds {vectors} vectors, the catalog {ready} items. Run: nitari build collection=…"


def _beside(role: str, parent: str) -> str | None:
    """Which part of the release the ``parent`` of its part ``role`` has to be; None: whatever it was made from."""
    kind, _, name = role.partition(":")
    if kind in TRAINED:
        return None
    if parent in ("catalog", "thumbnails"):
        return parent
    if kind == "index" and parent == "embeddings":
        return f"embeddings:{name}"
    if kind == "embeddings" and parent in FITTED:
        return f"{parent}:{name}"
    if kind == "text" and parent.startswith(ANNOTATION):
        return parent
    return None
