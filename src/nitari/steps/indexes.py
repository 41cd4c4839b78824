"""The indexes of a release: which kind each space gets, built and tuned, or found as they were built before."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, NitariError
from nitari.guess import unknown
from nitari.index import Served, Widening, create, open_index, served
from nitari.index.tuning import tune
from nitari.target import resolve

log = logging.getLogger(__name__)

QUERIES = 1000
"""Stored vectors that the recall of an index is measured with, at most."""
EXACT = {"_target_": "nitari.index.exact.Exact"}
_BY_METRIC = {
    "hamming": {"_target_": "nitari.index.multihash.MultiHash"}
}  # where the configured one does not search it


def choose(
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
            chosen[name] = _BY_METRIC.get(metric, EXACT)
            names = [str(one["_target_"]).split(".")[-2] for one in (index, chosen[name])]
            log.info("Space '%s' is %s, which index=%s does not search: it gets index=%s", name, metric, *names)
    few = [name for name, spec in chosen.items() if spec is EXACT and len(embeddings[name]) < exact_below]
    if few and index["_target_"] != EXACT["_target_"]:
        log.info("Fewer than exact_below=%d vectors are scanned, with index=exact: %s", exact_below, ", ".join(few))
    return chosen


def facet_columns(catalog: Catalog, facets: Sequence[str]) -> pa.Table:
    """(n_ready,) values of the columns that searches are filtered by."""
    check_facets(facets, catalog.schema)
    return pa.table({name: catalog.ready(name) for name in facets})


def check_facets(facets: Sequence[str], schema: pa.Schema) -> None:
    """ConfigError where one is unknown."""
    for name in facets:
        if name not in schema.names:
            raise ConfigError(unknown("facets names", name, schema.names, "The catalog has"))


LAYOUT = 2
"""Of what an index is saved with: one of another is built again. 2: with signs."""


def made(
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
    if "collection" in arguments:
        arguments["collection"] = arguments["collection"] or collection.name
    lasting = {key: value for key, value in spec.items() if key != "threads"}  # they change the time it takes
    config = {"index": lasting, "layout": LAYOUT, **settings}
    for artifact_id in reversed(collection.ids("index", space)):
        try:
            found = collection.open("index", artifact_id, space)
            found.expect_parent("embeddings", embeddings.artifact)
            if found.manifest.config == config:
                found.verify()
                if served(found):
                    open_index(found, embeddings)  # the server may have lost it, or be another one
                return found
        except ArtifactError as error:
            log.debug("Index '%s' is not used again: %s", artifact_id, error)
    index = create(arguments, embeddings.space)
    vectors = embeddings.vectors
    log.info("Indexing %s vectors of space '%s'", f"{len(vectors):,}", space)
    start = time.perf_counter()
    index.build(vectors, attributes)
    seconds = time.perf_counter() - start
    try:
        measured = tune(
            index, vectors, k=settings["k"], target=settings["target"], queries=QUERIES, seed=settings["seed"]
        )
        work = collection.work("build", {"space": space, "embeddings": embeddings.artifact.manifest.digest, **config})
        collection.discard(work)  # whatever a killed run left: a graph cannot be taken up half-built
        work.mkdir(parents=True)
        parameters = index.save(work)
        measures: dict[str, Any] = {"build_seconds": round(seconds, 3)}
        if index.sweep:
            measures |= {"effort": index.sweep[0], index.sweep[0]: getattr(index, index.sweep[0])}
        if isinstance(index, Widening):
            measures |= {"wider": index.wider[0], index.wider[0]: getattr(index, index.wider[0])}
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
    except BaseException:
        if isinstance(index, Served):  # which would stay on the server under a name that nobody has
            with suppress(NitariError):
                index.drop()
        raise
    if measured and measured.recall.mean() < settings["target"]:
        log.warning(
            "The index of space '%s' reaches ann_recall_at_%d %.4f, not %s: raise what it is built with, or take index=exact",
            space,
            settings["k"],
            measured.recall.mean(),
            settings["target"],
        )
    return artifact
