"""Text: an index of the words in some of the catalog's columns, for the release that serves them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pyarrow as pa

from nitari.artifact import Artifact, publish
from nitari.catalog import ANNOTATION, Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.guess import unknown
from nitari.text.build import write
from nitari.text.columns import texts

log = logging.getLogger(__name__)


def index_text(collection: Collection, catalog: Catalog, columns: Sequence[str]) -> Artifact:
    """Publish a text index of ``columns``, row-aligned with ``catalog``, or return an intact one of the same texts.

    It pins the catalog and the annotations whose columns it read. Of a ``file_name`` the extension is left out.
    Raises ConfigError where a column is unknown or holds no text.
    """
    columns = list(dict.fromkeys(columns))
    check(columns, catalog.schema)
    parents = {"catalog": catalog.artifact}
    for name, annotation in catalog.annotations.items():
        if set(columns) & set(annotation.manifest.info["columns"]):
            parents[f"{ANNOTATION}{name}"] = annotation
    references = {role: parent.reference for role, parent in parents.items()}
    for artifact_id in reversed(collection.ids("text")):
        try:
            found = collection.open("text", artifact_id)
            if found.manifest.parents == references and found.manifest.config == {"columns": columns}:
                found.verify()
                return found
        except ArtifactError as error:
            log.debug("Text index '%s' is not used again: %s", artifact_id, error)
    work = collection.work("text", {"parents": references, "columns": columns})
    collection.discard(work)  # whatever a killed run left
    work.mkdir(parents=True)
    log.info("Indexing the text of %s items", f"{catalog.n_ready:,}")
    counts = write(work, texts(catalog, columns))
    return publish(work, collection.folder("text"), "text", parents=parents, counts=counts, config={"columns": columns})


def check(columns: Sequence[str], schema: pa.Schema) -> None:
    """ConfigError where one of ``columns`` is unknown or holds no text, or there are none."""
    if not columns:
        raise ConfigError("text.columns is empty. Name at least one column, or give text=null")
    for name in columns:
        if name not in schema.names:
            raise ConfigError(unknown("text.columns names", name, schema.names, "The catalog has"))
        if not _is_text(kind := schema.field(name).type):
            raise ConfigError(f"text.columns names '{name}', which holds {kind}. Name columns that hold text")


def _is_text(kind: pa.DataType) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(values) or pa.types.is_large_string(values)
