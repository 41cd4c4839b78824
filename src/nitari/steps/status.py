"""Status: what a collection holds, what is stale, and the command that renews it. Reads manifests, and ids where there are changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nitari.artifact import Artifact
from nitari.catalog import ANNOTATION
from nitari.collection import Collection
from nitari.extractor.stored import offered, pinned
from nitari.steps.pending import pending
from nitari.steps.rebuild import rebuild


@dataclass(frozen=True)
class Stale:
    """One artifact that newer ones have overtaken. ``renew`` is the command; in the order in which to run them."""

    what: str
    why: str
    renew: str


def status(collection: Collection) -> dict[str, Any]:
    """A JSON-ready description: items by status, newest artifacts with counts, sizes in bytes and parents, what is pending, stale ones."""
    catalog = collection.find("catalog")
    thumbnails = collection.find("thumbnails")
    encoder = collection.find("encoder")
    counts = catalog.manifest.counts if catalog else {}
    spaces: dict[str, Any] = {}
    for name in collection.spaces():
        embeddings = collection.latest("embeddings", name)
        index = collection.find("index", name)
        space = embeddings.manifest.info["space"]
        spaces[name] = {
            **_described(embeddings),
            "metric": space["metric"],
            "dim": space["dim"],
            "dtype": space["dtype"],
            "comparison": not offered(embeddings),
            "index": None if index is None else {**_described(index), "kind": index.manifest.info.get("index")},
        }
    annotations = {name: collection.latest("annotation", name) for name in collection.spaces("annotation")}
    release = collection.release() if collection.current else None
    evaluation = collection.find("evaluation")
    return {
        "collection": collection.name,
        "items": {key: counts.get(key, 0) for key in ("total", "ready", "unreadable", "gone")},
        "catalog": _describe(catalog),
        "thumbnails": _describe(thumbnails),
        "encoder": _describe(encoder),
        "spaces": spaces,
        "annotations": {name: _described(artifact) for name, artifact in annotations.items()},
        "text": _describe(collection.find("text")),
        "release": _describe(release),
        "releases": collection.ids("release"),
        "evaluation": _describe(evaluation),
        "pending": pending(collection)._asdict(),
        "bytes": sum(path.stat().st_size for path in collection.path.rglob("*") if path.is_file()),
        "unfinished": sorted(path.name for path in (collection.path / "work").glob("*/") if any(path.iterdir())),
        "stale": [vars(entry) for entry in stale(collection)],
    }


def stale(collection: Collection) -> list[Stale]:
    """What was made from artifacts that have newer versions, or was never made."""
    run = collection.command
    catalog = collection.find("catalog")
    if catalog is None:
        return [Stale("catalog", "nothing was ingested yet", run("ingest", "source.path=…"))]
    found: list[Stale] = []
    encoder = collection.find("encoder")
    spaces = collection.spaces()
    if encoder is None:
        found.append(Stale("encoder", "none was trained on these pictures yet", run("fit")))
    elif "encoder" not in spaces:
        why = "the encoder was never applied to the collection"
        found.append(Stale("embeddings/encoder", why, run("extract", "extractor=encoder")))
    release = collection.release() if collection.current else None
    served = set() if release is None else set(release.manifest.parents)
    overtaken: set[str] = set()
    for space in spaces:
        embeddings = collection.latest("embeddings", space)
        reason = _older(embeddings, "catalog", catalog)
        if "encoder" in embeddings.manifest.parents and encoder is not None and not pinned(embeddings):
            reason = reason or _older(embeddings, "encoder", encoder)
        if reason:
            overtaken.add(space)
            kept = offered(embeddings) or f"embeddings:{space}" in served
            if kept and not pinned(embeddings):  # what is there to be compared with is renewed when it is
                found.append(Stale(f"embeddings/{space}", reason, run("extract", f"extractor={space}")))
    for annotator in collection.spaces("annotation"):
        annotation = collection.latest("annotation", annotator)
        reasons = [_older(annotation, "catalog", catalog)]
        reasons += [_older(annotation, f"embeddings:{s}", collection.latest("embeddings", s)) for s in spaces]
        reason = next((reason for reason in reasons if reason), None)
        if reason:
            found.append(Stale(f"annotation/{annotator}", reason, run("annotate", f"annotator={annotator}")))
    if release is None and any(offered(collection.latest("embeddings", space)) for space in spaces):
        found.append(Stale("release", "nothing was built yet", run("build")))
    elif release is not None:
        reasons = [_older(release, "catalog", catalog)]
        for space in spaces:
            role = f"embeddings:{space}"
            if space in overtaken:
                reasons.append(f"space '{space}' is stale" if role in release.manifest.parents else None)
            elif role in release.manifest.parents:
                reasons.append(_older(release, role, collection.latest("embeddings", space)))
        for annotator, annotation in collection.annotations(catalog).items():
            role = f"{ANNOTATION}{annotator}"
            missing = None if role in release.manifest.parents else f"it lacks annotation '{annotator}'"
            reasons.append(missing or _older(release, role, annotation))
        first = next((reason for reason in reasons if reason), None)
        if first:
            found.append(Stale("release", first, rebuild(collection, release)))
    return found


def _older(artifact: Artifact, role: str, newest: Artifact) -> str | None:
    """Why ``artifact`` is stale with regard to one parent, or None."""
    pinned = artifact.manifest.parents.get(role)
    if pinned is None or pinned["digest"] == newest.manifest.digest:
        return None
    return f"it was made from {role} {pinned['id']}, the newest is {newest.id}"


def _describe(artifact: Artifact | None) -> dict[str, Any] | None:
    return None if artifact is None else _described(artifact)


def _described(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "id": manifest.id,
        "created": manifest.created,
        "counts": manifest.counts,
        "bytes": sum(entry["size"] for entry in manifest.files.values()),
        "parents": {role: parent["id"] for role, parent in manifest.parents.items()},
        "mlflow_run": manifest.mlflow_run,
    }
