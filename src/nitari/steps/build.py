"""Build: an index for each space, tuned to the recall asked for, and a release that pins everything to be served."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from nitari.artifact import Artifact, publish
from nitari.catalog import ANNOTATION, Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.extractor import FITTED
from nitari.extractor.stored import comparison, offered
from nitari.recommend.calibration import learn
from nitari.recommend.copies import copy_distance
from nitari.recommend.scoring import check_weights
from nitari.steps import Progress, servers, silent
from nitari.steps.additions import carry
from nitari.steps.freshness import outdated
from nitari.steps.indexes import choose, facet_columns, made
from nitari.steps.rebuild import rebuild
from nitari.steps.text import index_text

log = logging.getLogger(__name__)


def build(
    collection: Collection,
    index: Mapping[str, Any],
    *,
    indexes: Mapping[str, Mapping[str, Any]] | None = None,
    facets: Sequence[str] | None = None,
    exact_below: int = 0,
    spaces: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    text: Sequence[str] | None = None,
    collapse: Mapping[str, Any] | None = None,
    target: float = 0.99,
    k: int = 10,
    seed: int = 0,
    threads: int | None = None,
    switch: bool = True,
    progress: Progress = silent,
) -> Artifact:
    """Publish an index a space and a release of them all, and make it the current one unless ``switch`` is False.

    The newest annotation of each annotator that was made from the newest catalog is pinned as well.

    ``index`` is ``{"_target_": "nitari.index.<module>.<Class>", **arguments}``. Spaces whose metric it does not search, or
    of fewer than ``exact_below`` vectors, are scanned; ``indexes`` names another index for some spaces. ``facets`` are
    catalog columns whose large values are laid out by themselves, for filtered searches. ``spaces`` None takes all that were
    extracted from the newest catalog, but for those made only to compare with, and warns of those that were not; a named
    one that was not raises ArtifactError.
    ``target`` is the ``ann_recall_at_k`` that the search effort is set for. ``weights`` are the release's defaults for
    scoring: None counts the space 'encoder' alone, or all alike where there is none. ``collapse`` is
    ``{"space": name, "distance": number}``, what makes a near-copy: None in either place takes the space of the greatest
    weight, and a twentieth of the distance of its median random pair. ``text`` names the catalog columns whose words are
    searched; None searches none. All of this is the release's ``info["asked"]``. An index of the same vectors, or words, and settings is used again, and so is a release
    of the same parts.
    """
    asked = {
        "index": {name: value for name, value in index.items() if name != "threads"},  # they change the time it takes
        "indexes": indexes,
        "facets": facets,
        "exact_below": exact_below,
        "spaces": spaces,
        "weights": weights,
        "text": text,
        "collapse": collapse,
        "target": target,
        "k": k,
        "seed": seed,
    }
    if not 0 < target <= 1:
        raise ConfigError(f"target is {target}. Give a recall above 0 and up to 1")
    if k < 1:
        raise ConfigError(f"k is {k}. Measure at least 1 result")
    with collection.lock("build"):
        catalog = collection.latest("catalog")
        embeddings = _fresh(collection, catalog, spaces)
        scoring = _weights(list(embeddings), weights)
        rule = {"space": None, "distance": None} | dict(collapse or {})
        _check_rule(rule, list(embeddings))
        chosen = choose(embeddings, index, indexes or {}, exact_below)
        whole = Catalog(catalog, collection.annotations(catalog))
        columns = facet_columns(whole, facets or ())
        settings = {"target": target, "k": k, "seed": seed, "facets": columns.column_names}
        parents = {"catalog": catalog, "thumbnails": collection.parent(catalog, "thumbnails")}
        parents |= _annotations(collection, whole)
        if text is not None:
            parents["text"] = index_text(collection, whole, text)
        for done, (space, vectors) in enumerate(embeddings.items()):
            progress(done, len(embeddings))
            parents[f"embeddings:{space}"] = vectors.artifact
            parents[f"index:{space}"] = made(collection, vectors, chosen[space], settings, columns, threads)
            for kind in FITTED:
                if kind in vectors.artifact.manifest.parents:
                    parents[f"{kind}:{space}"] = collection.parent(vectors.artifact, kind)
        progress(len(embeddings), len(embeddings))
        scales = {space: learn(vectors.space, vectors.vectors, seed) for space, vectors in embeddings.items()}
        if rule["space"] is None:
            rule["space"] = max(scoring, key=lambda space: scoring[space])
        if rule["distance"] is None:
            rule["distance"] = float(f"{copy_distance(scales[rule['space']]):.4g}")
        calibration = {space: scale.to_dict() for space, scale in scales.items()}
        info = {
            "spaces": list(embeddings),
            "weights": scoring,
            "collapse": rule,
            "calibration": calibration,
            "asked": asked,
        }
        release = _release(collection, parents, info)
        carry(collection, release, threads)
        _warn_of_less(collection, asked, [] if switch else ["switch=false"])
        if switch:
            servers.switch(collection, release)
        return release


def _fresh(collection: Collection, catalog: Artifact, spaces: Sequence[str] | None) -> dict[str, Embeddings]:
    """The newest embeddings of each space, made from ``catalog``; unless named, none that is there to be compared with."""
    names = list(dict.fromkeys(collection.spaces() if spaces is None else spaces))
    fresh, left, compared = {}, [], []
    for name in names:
        artifact = collection.latest("embeddings", name)
        if spaces is None and not offered(artifact):
            compared.append(name)
            continue
        if why := outdated(collection, name, artifact, catalog):
            left.append(why)
            continue
        fresh[name] = Embeddings(artifact)
        if len(fresh[name].vectors) != catalog.manifest.counts["ready"]:
            raise DamagedArtifactError(
                f"embeddings '{name}/{artifact.id}' holds {len(fresh[name].vectors)} vectors, its catalog "
                f"{catalog.manifest.counts['ready']} ready items. Run: {_renew(collection, name)}"
            )
    if left and (spaces is not None or not fresh):
        raise ArtifactError("\n".join(left))
    for message in left:
        log.warning("%s. It is left out of this release", message)
    if not fresh and compared:
        raise ArtifactError(
            f"Collection '{collection.name}' has only spaces made to compare with: {', '.join(compared)}. Extract one to be "
            f"served: {_renew(collection, 'encoder')}, or name some: release.spaces=[{compared[0]}]"
        )
    if not fresh:
        raise ArtifactError(f"Collection '{collection.name}' has no space yet. Run: {_renew(collection, 'encoder')}")
    return fresh


def _annotations(collection: Collection, catalog: Catalog) -> dict[str, Artifact]:
    """Each annotator's newest annotation of ``catalog``, by its role; annotators that have none are warned of."""
    found = catalog.annotations
    for name in collection.spaces("annotation"):
        if name not in found:
            log.warning(
                "Annotator '%s' has not seen the newest catalog %s. Its columns are left out of this release. Run: %s",
                *(name, catalog.artifact.id, collection.command("annotate", f"annotator={name}")),
            )
    return {f"{ANNOTATION}{name}": annotation for name, annotation in found.items()}


def _renew(collection: Collection, space: str) -> str:
    return collection.command("extract", f"extractor={space}")


def _weights(spaces: Sequence[str], weights: Mapping[str, float] | None) -> dict[str, float]:
    if weights is None:
        return {space: 1.0 if space == "encoder" or "encoder" not in spaces else 0.0 for space in spaces}
    counted = check_weights(weights, spaces)
    return {space: counted.get(space, 0.0) for space in spaces}


def _check_rule(rule: Mapping[str, Any], spaces: Sequence[str]) -> None:
    if set(rule) != {"space", "distance"}:
        raise ConfigError(f"release.collapse has {', '.join(sorted(rule))}. Give space and distance, or null for both")
    if rule["space"] is not None and rule["space"] not in spaces:
        raise ConfigError(f"release.collapse.space is '{rule['space']}'. This release has: {', '.join(spaces)}")
    if rule["distance"] is not None and not 0 <= rule["distance"] < float("inf"):
        raise ConfigError(f"release.collapse.distance is {rule['distance']}. Give a distance from 0 on")


def _warn_of_less(collection: Collection, asked: Mapping[str, Any], more: Sequence[str]) -> None:
    """Words, facets and spaces made to compare with are what each build is asked for: say it where the current release has
    some, and this one none.
    """
    served = collection.release().manifest.info if collection.current else {}
    for space in served.get("spaces", ()) if asked["spaces"] is None else ():
        newest = collection.find("embeddings", space)
        if newest is not None and comparison(newest):
            log.warning(
                "The current release has space '%s', which was made only to compare with, and this one has not. "
                "Have it in each build with: %s",
                *(space, _renew(collection, space)),
            )
    before, settings = served.get("asked", {}), {"text": "text.columns", "facets": "facets"}
    lost = {name: before[name] for name in settings if before.get(name) and not asked[name]}
    if lost:
        said = (f"{settings[name]}=[{','.join(names)}]" for name, names in lost.items())
        log.warning(
            "The current release was built with %s, this one without. Keep them with: %s",
            *(" and ".join(said), rebuild(collection, {**asked, **lost}, *more)),
        )


def _release(collection: Collection, parents: Mapping[str, Artifact], info: Mapping[str, Any]) -> Artifact:
    """A new release, or the published one of the same parts."""
    references = {role: parent.reference for role, parent in parents.items()}
    for release_id in reversed(collection.ids("release")):
        try:
            found = collection.open("release", release_id)
        except ArtifactError:
            continue
        if found.manifest.parents == references and found.manifest.info == json.loads(json.dumps(info)):
            return found
    work = collection.work("release", references)
    items = parents["catalog"].manifest.counts["ready"]
    return publish(work, collection.folder("release"), "release", parents=parents, counts={"items": items}, info=info)
