"""What is evaluated: a published space, the extractor that made it, and its index where one was built."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.cells import id_bytes, leading_bits
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError
from nitari.extractor.stored import Finished, restore
from nitari.space import Space
from nitari.steps.holdout import training_mask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """One space under test, row-aligned with the catalog that is evaluated. ``index`` is its newest, if it fits."""

    embeddings: Embeddings
    extractor: Finished
    index: Artifact | None

    @property
    def name(self) -> str:
        return self.space.name

    @property
    def space(self) -> Space:
        return self.embeddings.space

    @property
    def vectors(self) -> np.ndarray:
        return self.embeddings.vectors


def open_subject(collection: Collection, catalog: Catalog, artifact: Artifact) -> Subject:
    """Raises ArtifactError where the embeddings were made from another catalog."""
    artifact.expect_parent("catalog", catalog.artifact)
    embeddings = Embeddings(artifact)
    index = collection.find("index", embeddings.space.name)
    if index is not None and index.manifest.parents["embeddings"]["digest"] != artifact.manifest.digest:
        index = None
    return Subject(embeddings, restore(collection, artifact), index)


def same_picture(catalog: Catalog) -> np.ndarray:
    """(n_ready,) int64, equal for rows whose originals have the same bytes, by the first 64 bits of their sha256."""
    return leading_bits(catalog.ready("sha256")).view(np.int64)


def choose(
    collection: Collection, catalog: Catalog, where: str | None, what: str, subjects: Sequence[Subject] = ()
) -> np.ndarray:
    """Rows that ``where`` admits; without a filter, those that neither the newest encoder nor one that made a subject ever
    saw, or all if there are none, which is said.

    Raises ConfigError, naming the setting ``what``, where the filter admits nothing.
    """
    selection = catalog.select(where)
    if selection is None:
        rows = np.flatnonzero(never_trained(collection, catalog, subjects))
        if not len(rows):
            log.warning("Every picture trained one of the encoders: all of them are %s", what)
        return rows if len(rows) else np.arange(catalog.n_ready)
    if not len(selection.rows):
        raise ConfigError(
            f"{what}={where} admits no picture of the {catalog.n_ready} in the catalog. Choose another filter"
        )
    return selection.rows


def never_trained(collection: Collection, catalog: Catalog, subjects: Sequence[Subject] = ()) -> np.ndarray:
    """(n_ready,) bool: held out by the newest encoder and those of ``subjects``, or ingested later; without any, to be held
    out.
    """
    made = [s.embeddings.artifact for s in subjects if "encoder" in s.embeddings.artifact.manifest.parents]
    encoders = {encoder.id: encoder for encoder in (collection.parent(artifact, "encoder") for artifact in made)}
    newest = collection.find("encoder")
    if newest is not None:
        encoders[newest.id] = newest
    if not encoders:
        return ~training_mask(catalog)
    return np.logical_and.reduce([_unseen(collection, catalog, encoder) for encoder in encoders.values()])


def _unseen(collection: Collection, catalog: Catalog, encoder: Artifact) -> np.ndarray:
    """(n_ready,) bool: held out by ``encoder``, or ingested after it was trained."""
    ids = catalog.item_ids[: catalog.n_ready]
    held_out = pq.read_table(encoder.file("held_out.parquet")).column("item_id")
    mask = np.isin(ids, id_bytes(held_out))
    try:
        known = Catalog(collection.parent(encoder, "catalog"))
    except ArtifactError:  # freed since: what came later cannot be told
        return mask
    return mask | ~np.isin(ids, known.item_ids[: known.n_ready])


def sample(rows: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """At most ``limit`` of the rows, drawn by ``seed``, ascending."""
    if len(rows) <= limit:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
