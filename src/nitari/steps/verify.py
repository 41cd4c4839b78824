"""Verify: is all that a release pins there, undamaged, and made from what it is served beside?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nitari.artifact import Artifact
from nitari.catalog import ANNOTATION, READY
from nitari.collection import Collection
from nitari.errors import ArtifactError, DamagedArtifactError
from nitari.extractor import FITTED
from nitari.steps import Progress, silent

TRAINED = ("encoder", "vocabulary")
"""Kinds that were made from whatever catalog was the newest then."""


class Verified(NamedTuple):
    """``problems`` says of each damaged, missing or unmatched part what is wrong and what renews it; empty: all is well."""

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
    """Check the checksums of a release (the current one) and of everything it pins, and that all parts belong together:
    one catalog, the vectors that each index was built from, the encoder that made them, annotations and words.

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
    whole = {"release": release, **parts}
    total = sum(len(part.manifest.files) for part in whole.values())
    done = 0
    for part in whole.values():
        for name in part.manifest.files if full else [None]:
            problems += part.damages(None if name is None else [name], full=full)
            done += 1 if full else len(part.manifest.files)
            progress(done, total)
    problems += unmatched(release, parts)
    size = sum(entry["size"] for part in whole.values() for entry in part.manifest.files.values())
    named = [text.replace("collection=…", f"collection={collection.name}") for text in problems]
    return Verified(release.id, len(whole), total, size, named)


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
