"""Release: a build that was not switched to is checked, compared with what is served, and only then served."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.files import write_atomic
from nitari.steps import Progress, servers, silent
from nitari.steps.smoke import smoke
from nitari.steps.verify import Verified, verify

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Thresholds:
    """What a release has to reach: ``recall`` of every index, share of queries ``answered``, ``overlap`` with what is served."""

    recall: float = 0.95
    answered: float = 0.99
    overlap: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}. Give a share from 0 to 1")


def promote(
    collection: Collection,
    release_id: str | None = None,
    *,
    thresholds: Thresholds = Thresholds(),
    queries: int = 200,
    k: int = 10,
    seed: int = 0,
    full: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Verify the newest release (or the one named) and all it pins, ask it what the current one is asked, and make it the
    current one, by one rename, unless it misses a threshold. ``force`` switches even then; to nothing that is damaged.

    Returns what was checked, JSON-ready: ``verified``, ``smoke``, ``refused`` (which threshold was missed, and by how much)
    and ``switched``. It is left under ``checks/<release>.json`` whatever came of it. Raises DamagedArtifactError naming
    what is damaged, missing or does not match.
    """
    if queries < 1 or k < 1:
        raise ConfigError(f"queries is {queries} and k {k}. Both are counts from 1")
    with collection.lock("release"):
        served, against = _served(collection)
        release = _chosen(collection, release_id)
        verified = verify(collection, release.id, full=full)
        verified.check()
        against = against if served != release.id else None
        asked = smoke(collection, release, against, queries=queries, k=k, seed=seed, progress=progress)
        refused = missed(asked, thresholds)
        switch = release.id != served and (force or not refused)
        if switch:
            if _served(collection)[0] != served:
                raise ArtifactError(
                    f"Release {collection.current} became the current one while '{release.id}' was compared with {served}. "
                    "Run the same command again"
                )
            servers.switch(collection, release, "release")
        report = {
            "collection": collection.name,
            "release": release.id,
            "against": None if against is None else against.id,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "verified": _counts(verified),
            "smoke": asked,
            "thresholds": asdict(thresholds),
            "refused": refused,
            "switched": switch,
            "current": collection.current,
        }
        file = collection.check_file(release.id)
        file.parent.mkdir(exist_ok=True)
        write_atomic(file, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
        return report


def rollback(
    collection: Collection, release_id: str | None = None, *, full: bool = False, progress: Progress = silent
) -> dict[str, Any]:
    """Serve the release that was current before (or the one named), once it and all it pins are verified."""
    with collection.lock("release"):
        served = collection.current
        chosen = previous(collection) if release_id is None else release_id
        if chosen is None:
            raise ArtifactError(
                f"Collection '{collection.name}' has no release to go back to. "
                f"See which there are: {collection.command('release list')}"
            )
        verified = verify(collection, chosen, full=full, progress=progress)
        verified.check()
        servers.switch(collection, collection.release(chosen), "rollback")
        switched = served != chosen
        return {
            "collection": collection.name,
            "release": chosen,
            "before": served,
            "verified": _counts(verified),
            "switched": switched,
        }


def previous(collection: Collection) -> str | None:
    """The release that was served before the current one, of those that are still there."""
    there = set(collection.ids("release"))
    trail = [release for release in collection.served()[:-1] if release in there and release != collection.current]
    return trail[-1] if trail else None


def releases(collection: Collection) -> list[dict[str, Any]]:
    """Every release, newest first: ``id``, ``created``, ``items``, ``spaces``, ``bytes`` of all it pins, ``current``,
    ``previous`` (rollback goes there), ``switched`` (when it last became the current one), and its last ``check``.

    One that cannot be read has an ``error`` instead.
    """
    current, before = collection.current, previous(collection)
    switched = {entry.get("release"): entry.get("when") for entry in collection.switches()}
    found = []
    for release_id in reversed(collection.ids("release")):
        about: dict[str, Any] = {"id": release_id, "current": release_id == current, "previous": release_id == before}
        about["switched"] = switched.get(release_id)
        try:
            release = collection.release(release_id)
            parts = [collection.pinned(release, role).manifest for role in release.manifest.parents]
            about |= {
                "created": release.manifest.created,
                "items": release.manifest.counts["items"],
                "spaces": release.manifest.info["spaces"],
                "bytes": sum(entry["size"] for part in parts for entry in part.files.values()),
                "check": _check(collection, release_id),
            }
        except ArtifactError as error:
            about["error"] = str(error)
        found.append(about)
    return found


def missed(asked: Mapping[str, Any], thresholds: Thresholds) -> list[str]:
    """Which thresholds a smoke evaluation misses, in words."""
    found = []
    k = asked["k"]
    for space, recall in asked[f"ann_recall_at_{k}"].items():
        if recall is not None and recall["value"] < thresholds.recall:
            why = f": {recall['error']}" if "error" in recall else ""
            found.append(
                f"ann_recall_at_{k} of space '{space}' is {recall['value']:.4f}, below recall={thresholds.recall:g}{why}"
            )
    now = asked["release"]
    if now["answered"] < thresholds.answered:
        why = f", first: {now['error']}" if now["error"] else ""
        found.append(f"{now['answered']:.2%} of the queries were answered, below answered={thresholds.answered:g}{why}")
    if asked["overlap"] is not None and asked["overlap"] < thresholds.overlap:
        found.append(f"overlap at {k} is {asked['overlap']:.4f}, below overlap={thresholds.overlap:g}")
    return found


def _check(collection: Collection, release_id: str) -> dict[str, Any] | None:
    try:
        report = json.loads(collection.check_file(release_id).read_bytes())
        return {name: report[name] for name in ("when", "against", "refused", "switched")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _served(collection: Collection) -> tuple[str | None, Artifact | None]:
    """The current release's id, and the release unless it cannot be read: then there is nothing to compare with."""
    served = None
    try:
        served = collection.current
        return served, None if served is None else collection.release(served)
    except ArtifactError as error:
        log.warning("%s", error)
        return served, None


def _chosen(collection: Collection, release_id: str | None) -> Artifact:
    ids = collection.ids("release")
    return collection.release(release_id or (ids[-1] if ids else None))


def _counts(verified: Verified) -> dict[str, int]:
    return {"artifacts": verified.artifacts, "files": verified.files, "bytes": verified.bytes}
