"""Survey: an annotator that compares all pictures with each other -> columns beside the catalog's own."""

from __future__ import annotations

import json
import logging
import re
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nitari.annotator import Annotator, CollectionAnnotator, Neighbours, Whole
from nitari.artifact import Artifact, publish
from nitari.catalog import COLUMNS, Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, DamagedArtifactError, NitariError
from nitari.files import sha256_of
from nitari.index import Index, open_index
from nitari.index.exact import Exact
from nitari.steps import Progress
from nitari.steps.extract import same_pictures
from nitari.steps.freshness import outdated
from nitari.steps.pictures import Pictures

log = logging.getLogger(__name__)


def survey(collection: Collection, catalog: Catalog, annotator: CollectionAnnotator, progress: Progress) -> Artifact:
    """Publish an annotator's columns for ``catalog``, or return its newest annotation where nothing would be different.

    Raises ArtifactError where a space that it compares was not extracted from ``catalog``.
    """
    name = annotator.name
    embeddings = {space: _embeddings(collection, catalog, space) for space in annotator.spaces}
    parents = {"catalog": catalog.artifact}
    parents |= {f"embeddings:{space}": made.artifact for space, made in embeddings.items()}
    identity = json.loads(json.dumps({"annotator": annotator.spec}))
    before = _intact(collection.find("annotation", name))
    same = before is not None and before.manifest.parents == {role: made.reference for role, made in parents.items()}
    if before is not None and same and before.manifest.info["identity"] == identity:
        return before
    sweep(collection, name)
    work = collection.work(f"annotate-{name}", {"identity": identity, "catalog": catalog.artifact.manifest.digest})

    @cache
    def index(space: str) -> Index:
        return _index(collection, embeddings[space])

    was = np.full(catalog.n_ready, -1)
    if before is not None:
        try:
            was = same_pictures(catalog, Catalog(collection.parent(before, "catalog")))
        except ArtifactError as error:  # a catalog that is gone, or of an older format
            log.info("The pictures of annotation '%s' are not known any more: %s", before.id, error)
    whole = Whole(
        catalog,
        embeddings,
        lambda space, queries, k: Neighbours(*index(space).search(queries, k)),
        Pictures(collection, catalog).read,
        before,
        was,
        work,
        progress,
    )
    table = checked(annotator.survey(whole), annotator, catalog.n_ready)
    pq.write_table(table, work / COLUMNS)
    if before is not None and same and _equal(work, before):
        collection.discard(work)
        return before
    return publish(
        work,
        collection.folder("annotation", name),
        "annotation",
        parents=parents,
        counts={"pictures": catalog.n_ready, "annotated": catalog.n_ready, "carried_over": 0},
        info={"annotator": annotator.spec, "columns": table.schema.names, "identity": identity},
    )


def checked(table: pa.Table, annotator: Annotator | CollectionAnnotator, n: int) -> pa.Table:
    """``table``, if it is what the annotator's ``columns`` say."""
    schema = pa.schema(list(annotator.columns.items()))
    if len(table) != n or not table.schema.equals(schema):
        found, wanted = (", ".join(f"{f.name} {f.type}" for f in kind) for kind in (table.schema, schema))
        raise NitariError(
            f"Annotator '{annotator.name}' gave {len(table)} rows of ({found}) for {n} pictures, not of ({wanted}). "
            "Please report this"
        )
    return table


def sweep(collection: Collection, name: str, keep: Path | None = None) -> None:
    """Remove what runs of this annotator with other settings, or on other catalogs, left unfinished."""
    for path in (collection.path / "work").glob(f"annotate-{name}-*"):
        if path != keep and re.fullmatch(rf"annotate-{re.escape(name)}-[0-9a-f]{{16}}", path.name):
            collection.discard(path)


def _embeddings(collection: Collection, catalog: Catalog, space: str) -> Embeddings:
    artifact = collection.latest("embeddings", space)
    if why := outdated(collection, space, artifact, catalog.artifact):
        raise ArtifactError(why)
    return Embeddings(artifact)


def _index(collection: Collection, embeddings: Embeddings) -> Index:
    """The newest published index of these vectors; an exact one where none was built."""
    space = embeddings.space
    for artifact_id in reversed(collection.ids("index", space.name)):
        artifact = collection.open("index", artifact_id, space.name)
        if artifact.manifest.parents["embeddings"]["digest"] == embeddings.artifact.manifest.digest:
            return open_index(artifact, embeddings)
    log.info(
        "Space '%s' has no index yet: all its vectors are compared. With many, first run: %s",
        space.name,
        collection.command("build"),
    )
    exact = Exact(space)
    exact.build(embeddings.vectors)
    return exact


def _intact(artifact: Artifact | None) -> Artifact | None:
    try:
        if artifact is not None:
            artifact.verify()
    except DamagedArtifactError as error:
        log.warning("%s It is annotated again", error)
        return None
    return artifact


def _equal(work: Path, before: Artifact) -> bool:
    """Whether the files under ``work`` are those of ``before``."""
    found = {p.relative_to(work).as_posix(): sha256_of(p) for p in work.rglob("*") if p.is_file()}
    return found == {name: entry["sha256"] for name, entry in before.manifest.files.items()}
