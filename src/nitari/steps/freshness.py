"""Freshness: whether what was extracted goes with a catalog, and what renews it where it does not."""

from __future__ import annotations

import logging

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.recommend.live import Live

log = logging.getLogger(__name__)


def outdated(collection: Collection, space: str, embeddings: Artifact, catalog: Artifact) -> str | None:
    """Why the vectors of ``space`` do not go with ``catalog``, the newest, and the command that makes those that do."""
    made_from = embeddings.manifest.parents["catalog"]
    if made_from["digest"] == catalog.manifest.digest:
        return None
    return (
        f"Space '{space}' was extracted from catalog {made_from['id']}, the newest is {catalog.id}. "
        f"Run: {collection.command('extract', f'extractor={space}')}"
    )


def left_out(collection: Collection, live: Live) -> int:
    """How many pictures were appended in other spaces than ``live`` asks; where there are some, that is warned of."""
    if n := live.left_out():
        log.warning(
            "%d appended picture%s not compared: not extracted in the same spaces. What takes them in: %s",
            *(n, " is" if n == 1 else "s are", collection.command("show")),
        )
    return n
