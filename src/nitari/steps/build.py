"""Build: an index for each space, tuned to the recall asked for, and a release that pins everything to be served."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.extractor.stored import pinned
from nitari.index import create
from nitari.index.tuning import tune
from nitari.recommend.scoring import check_weights
from nitari.steps import Progress, silent
from nitari.target import resolve

log = logging.getLogger(__name__)

EXACT = {"_target_": "nitari.index.exact.Exact"}
BY_METRIC: dict[str, Mapping[str, Any]] = {}
"""The index of spaces whose metric the configured one does not search, where it is not an exact search."""
QUERIES = 1000
"""Stored vectors that the recall of an index is measured with, at most."""


def build(
    collection: Collection,
    index: Mapping[str, Any],
    *,
    indexes: Mapping[str, Mapping[str, Any]] | None = None,
    facets: Sequence[str] | None = None,
    exact_below: int = 0,
    spaces: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    target: float = 0.99,
    k: int = 10,
    seed: int = 0,
    threads: int | None = None,
    switch: bool = True,
    progress: Progress = silent,
) -> Artifact:
    """Publish an index a space and a release of them all, and make it the current one unless ``switch`` is False.

    ``index`` is ``{"_target_": "nitari.index.<module>.<Class>", **arguments}``. Spaces whose metric it does not search, or
    of fewer than ``exact_below`` vectors, are scanned; ``indexes`` names another index for some spaces. ``facets`` are
    catalog columns whose large values are laid out by themselves, for filtered searches. ``spaces`` None takes all that were
    extracted from the newest catalog, and warns of those that were not; a named one that was not raises ArtifactError.
    ``target`` is the ``ann_recall_at_k`` that the search effort is set for. ``weights`` are the release's defaults for
    scoring: None counts the space 'encoder' alone, or all alike where there is none. An index of the same vectors and
    settings is used again, and so is a release of the same parts.
    """
    if not 0 < target <= 1:
        raise ConfigError(f"target is {target}. Give a recall above 0 and up to 1")
    if k < 1:
        raise ConfigError(f"k is {k}. Measure at least 1 result")
    with collection.lock("build"):
        catalog = collection.latest("catalog")
        embeddings = _fresh(collection, catalog, spaces)
        scoring = _weights(list(embeddings), weights)
        chosen = _indexes(embeddings, index, indexes or {}, exact_below)
        columns = _columns(catalog, facets or ())
        settings = {"target": target, "k": k, "seed": seed, "facets": columns.column_names}
        parents = {"catalog": catalog, "thumbnails": collection.parent(catalog, "thumbnails")}
        for done, (space, vectors) in enumerate(embeddings.items()):
            progress(done, len(embeddings))
            parents[f"embeddings:{space}"] = vectors.artifact
            parents[f"index:{space}"] = _index(collection, vectors, chosen[space], settings, columns, threads)
            if "encoder" in vectors.artifact.manifest.parents:
                parents[f"encoder:{space}"] = collection.parent(vectors.artifact, "encoder")
        progress(len(embeddings), len(embeddings))
        release = _release(collection, parents, {"spaces": list(embeddings), "weights": scoring})
        if switch:
            collection.switch(release)
        return release


def _fresh(collection: Collection, catalog: Artifact, spaces: Sequence[str] | None) -> dict[str, Embeddings]:
    """The newest embeddings of each space, made from ``catalog``; unless named, none that is pinned to an encoder."""
    names = list(dict.fromkeys(collection.spaces() if spaces is None else spaces))
    fresh, left = {}, []
    for name in names:
        artifact = collection.latest("embeddings", name)
        if spaces is None and pinned(artifact):
            continue
        made_from = artifact.manifest.parents["catalog"]
        if made_from["digest"] == catalog.manifest.digest:
            fresh[name] = Embeddings(artifact)
            if len(fresh[name].vectors) != catalog.manifest.counts["ready"]:
                raise DamagedArtifactError(
                    f"embeddings '{name}/{artifact.id}' holds {len(fresh[name].vectors)} vectors, its catalog "
                    f"{catalog.manifest.counts['ready']} ready items. Run: {_renew(collection, name)}"
                )
            continue
        left.append(
            f"Space '{name}' was extracted from catalog {made_from['id']}, the newest is {catalog.id}. "
            f"Run: {_renew(collection, name)}"
        )
    if left and (spaces is not None or not fresh):
        raise ArtifactError("\n".join(left))
    for message in left:
        log.warning("%s. It is left out of this release", message)
    if not fresh:
        raise ArtifactError(f"Collection '{collection.name}' has no space yet. Run: {_renew(collection, 'encoder')}")
    return fresh


def _renew(collection: Collection, space: str) -> str:
    return f"nitari extract collection={collection.name} extractor={space}"


def _weights(spaces: Sequence[str], weights: Mapping[str, float] | None) -> dict[str, float]:
    if weights is None:
        return {space: 1.0 if space == "encoder" or "encoder" not in spaces else 0.0 for space in spaces}
    counted = check_weights(weights, spaces)
    return {space: counted.get(space, 0.0) for space in spaces}


def _indexes(
    embeddings: Mapping[str, Embeddings],
    index: Mapping[str, Any],
    indexes: Mapping[str, Mapping[str, Any]],
    exact_below: int,
) -> dict[str, Mapping[str, Any]]:
    """The specification of each space's index: its own, the one for all, or an exact search."""
    unknown = [name for name in indexes if name not in embeddings]
    if unknown:
        raise ConfigError(f"indexes names the space '{unknown[0]}'. This release has: {', '.join(embeddings)}")
    chosen: dict[str, Mapping[str, Any]] = {}
    for name, vectors in embeddings.items():
        metric = vectors.space.metric
        if name in indexes:
            chosen[name] = indexes[name]
        elif len(vectors) < exact_below:
            chosen[name] = EXACT
        elif metric in resolve(str(index.get("_target_", "")), "index").metrics:
            chosen[name] = index
        else:
            chosen[name] = BY_METRIC.get(metric, EXACT)
            log.info("Space '%s' is %s, which %s does not search", name, metric, index["_target_"])
    return chosen


def _columns(catalog: Artifact, facets: Sequence[str]) -> pa.Table:
    """(n_ready,) values of the columns that searches are filtered by."""
    table = Catalog(catalog)
    unknown = [name for name in facets if name not in table.schema.names]
    if unknown:
        raise ConfigError(
            f"facets names the column '{unknown[0]}'. The catalog has: {', '.join(table.attributes) or 'none of your own'}"
        )
    return pa.table({name: table.ready(name) for name in facets})


def _index(
    collection: Collection,
    embeddings: Embeddings,
    spec: Mapping[str, Any],
    settings: Mapping[str, Any],
    attributes: pa.Table,
    threads: int | None,
) -> Artifact:
    """A new index artifact, or an intact published one of the same vectors and settings."""
    space = embeddings.space.name
    arguments = dict(spec)
    if "threads" in arguments:
        arguments["threads"] = arguments["threads"] or threads
    lasting = {key: value for key, value in spec.items() if key != "threads"}  # they change the time it takes
    config = {"index": lasting, **settings}
    for artifact_id in reversed(collection.ids("index", space)):
        try:
            found = collection.open("index", artifact_id, space)
            found.expect_parent("embeddings", embeddings.artifact)
            if found.manifest.config == config:
                found.verify()
                return found
        except ArtifactError as error:
            log.debug("Index '%s' is not used again: %s", artifact_id, error)
    index = create(arguments, embeddings.space)
    vectors = embeddings.vectors
    log.info("Indexing %s vectors of space '%s'", f"{len(vectors):,}", space)
    start = time.perf_counter()
    index.build(vectors, attributes)
    seconds = time.perf_counter() - start
    measured = tune(index, vectors, k=settings["k"], target=settings["target"], queries=QUERIES, seed=settings["seed"])
    work = collection.work("build", {"space": space, "embeddings": embeddings.artifact.manifest.digest, **config})
    collection.discard(work)  # whatever a killed run left: a graph cannot be taken up half-built
    work.mkdir(parents=True)
    parameters = index.save(work)
    measures: dict[str, Any] = {"build_seconds": round(seconds, 3)}
    if index.sweep:
        measures |= {"effort": index.sweep[0], index.sweep[0]: getattr(index, index.sweep[0])}
    if measured:
        measures |= measured.summary(settings["k"], settings["seed"])
    artifact = publish(
        work,
        collection.folder("index", space),
        "index",
        parents={"embeddings": embeddings.artifact},
        counts={"vectors": len(vectors)},
        config=config,
        info={
            "space": embeddings.space.to_dict(),
            "index": spec["_target_"],
            "parameters": parameters,
            "measured": measures,
        },
    )
    if measured and measured.recall.mean() < settings["target"]:
        log.warning(
            "The index of space '%s' reaches ann_recall_at_%d %.4f, not %s: raise M or ef_construction, or take index=exact",
            space,
            settings["k"],
            measured.recall.mean(),
            settings["target"],
        )
    return artifact


def _release(collection: Collection, parents: Mapping[str, Artifact], info: Mapping[str, Any]) -> Artifact:
    """A new release, or the published one of the same parts."""
    references = {role: parent.reference for role, parent in parents.items()}
    for release_id in reversed(collection.ids("release")):
        try:
            found = collection.open("release", release_id)
        except ArtifactError:
            continue
        if found.manifest.parents == references and found.manifest.info == info:
            return found
    work = collection.work("release", references)
    items = parents["catalog"].manifest.counts["ready"]
    return publish(work, collection.folder("release"), "release", parents=parents, counts={"items": items}, info=info)
