"""Annotate: an annotator over every ready picture -> columns beside the catalog's own, in resumable shards."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nitari.annotator import Annotator, CollectionAnnotator, create
from nitari.artifact import Artifact, publish
from nitari.catalog import COLUMNS, Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.executor import Executor
from nitari.steps import Progress, annotate_shard, silent
from nitari.steps.extract import same_pictures
from nitari.steps.pictures import Pictures
from nitari.steps.shards import Tally, fill, parts, spread
from nitari.steps.survey import survey, sweep

log = logging.getLogger(__name__)

DONE = "annotated.npy"
"""(n_ready,) bool: which pictures were looked at; the columns of the others are null."""
_BLOCK = 65536  # rows written at once


def annotate(
    collection: Collection,
    annotator: Annotator | CollectionAnnotator,
    *,
    where: str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    shard: int | None = None,
    progress: Progress = silent,
) -> Artifact:
    """Publish an annotator's columns for the newest catalog, or return them where they already are.

    What was found of a picture is carried over from the newest annotation made the same way, if its id and bytes are as
    they were. ``where`` says which pictures are looked at now, by the columns of other annotators as well: what was found
    of others before stays. ``executor`` does the work where it has other machines; on this one, ``threads`` do. Null is what nobody looked at. A killed run goes on after its last finished shard; a
    CollectionAnnotator, which takes no ``where``, begins again.
    Raises ConfigError where a column of that name is there already.
    """
    if (shard is not None and shard < 1) or (threads is not None and threads < 1):
        raise ConfigError(f"shard is {shard} and threads {threads}. Both are counts from 1")
    newest = collection.latest("catalog")
    others = {name: made for name, made in collection.annotations(newest).items() if name != annotator.name}
    catalog = Catalog(newest, others)
    if not catalog.n_ready:
        raise ConfigError(
            f"Collection '{collection.name}' has no readable picture. See why with: {collection.command('show')}"
        )
    _check_columns(catalog, annotator)
    with collection.lock(f"annotate-{annotator.name}"):
        if isinstance(annotator, CollectionAnnotator):
            if where:
                raise ConfigError(
                    f"where is '{where}', and annotator '{annotator.name}' compares all pictures. Leave it out"
                )
            return survey(collection, Catalog(catalog.artifact), annotator, progress)
        step = annotator.shard if shard is None else shard
        return _Task(
            collection, catalog, annotator, where, threads or os.cpu_count() or 1, executor, step, progress
        ).run()


def renew(collection: Collection, name: str, **how: Any) -> Artifact:
    """An up-to-date annotation by the annotator ``name``, made as its newest one was. ``how`` is passed to ``annotate``."""
    newest = collection.latest("annotation", name)
    return annotate(collection, create(newest.manifest.info["annotator"]), **how)


def _check_columns(catalog: Catalog, annotator: Annotator | CollectionAnnotator) -> None:
    """Raise ConfigError where another annotator, or the catalog itself, has a column of the same name."""
    for name, annotation in catalog.annotations.items():
        taken = set(annotation.manifest.info["columns"]) & set(annotator.columns)
        if taken:
            raise ConfigError(
                f"The column '{min(taken)}' is annotator '{name}''s already. Let '{annotator.name}' call it otherwise, "
                f"or remove '{annotation.path.parent}'"
            )
    own = set(Catalog(catalog.artifact).schema.names) & set(annotator.columns)
    if own:
        raise ConfigError(
            f"The catalog has a column '{min(own)}' already, so annotator '{annotator.name}' cannot add it. Let it be "
            "called otherwise, there or in the source"
        )


@dataclass
class _Task:
    collection: Collection
    catalog: Catalog
    annotator: Annotator
    where: str | None
    threads: int
    executor: Executor | None
    shard: int
    progress: Progress

    def __post_init__(self) -> None:
        self.schema = pa.schema(list(self.annotator.columns.items()))
        self.pictures = Pictures(self.collection, self.catalog)
        side, thumbnails = self.annotator.side, self.pictures.thumbnails
        # Everything that the columns follow from, apart from the pictures themselves.
        self.identity = json.loads(
            json.dumps(
                {
                    "annotator": self.annotator.spec,
                    "columns": {name: str(kind) for name, kind in self.annotator.columns.items()},
                    "input": {
                        "size": thumbnails.size_for(side) or f"original at {side}",
                        "quality": self.pictures.quality,
                        "background": self.pictures.background,
                    },
                }
            )
        )

    def run(self) -> Artifact:
        name, n = self.annotator.name, self.catalog.n_ready
        old, source = self._older()  # source: (n,) the row of ``old`` that has each picture's columns, or -1
        selection = self.catalog.select(self.where)
        wanted = np.arange(n) if selection is None else selection.rows
        todo = wanted[source[wanted] < 0]
        if old is not None and not len(todo) and self._is_newest(old):
            sweep(self.collection, name)
            return old
        rows = hashlib.sha256(todo.tobytes()).hexdigest()
        digest = self.catalog.artifact.manifest.digest
        key = {"catalog": digest, "rows": rows, "shard": self.shard, **self.identity}
        work = self.collection.work(f"annotate-{name}", key)
        sweep(self.collection, name, keep=work)
        found = work / "parts"
        found.mkdir(exist_ok=True)
        self._each(work / "done.npy", todo, found)
        out = work / "out"
        out.mkdir(exist_ok=True)
        self._assemble(out / COLUMNS, old, source, todo, found)
        done = source >= 0
        carried = int(done.sum())
        done[todo] = True
        np.save(out / DONE, done)
        artifact = publish(
            out,
            self.collection.folder("annotation", name),
            "annotation",
            parents={"catalog": self.catalog.artifact},
            counts={"pictures": n, "annotated": int(done.sum()), "carried_over": carried},
            config={"where": self.where, "shard": self.shard},
            info={"annotator": self.annotator.spec, "columns": self.schema.names, "identity": self.identity},
        )
        self.collection.discard(work)
        return artifact

    def _each(self, marks: Path, todo: np.ndarray, found: Path) -> None:
        """Leave the columns of ``todo`` under ``found``, part by part."""
        report = Tally(self.progress, len(todo))

        def file(part: slice) -> Path:
            return found / f"{part.start:012d}.parquet"

        def store(part: slice) -> None:
            annotate_shard.write(file(part), self.annotator, self.pictures, todo[part])

        def nothing(part: slice | None = None) -> None:
            """Parts are on disk and in place as they come."""

        if self.executor is None or self.executor.here:
            fill(marks, len(todo), self.shard, store, nothing, threads=self.threads, report=report)
            return
        chosen = marks.with_name("rows.npy")
        np.save(chosen, todo)
        common = annotate_shard.told(self.catalog, self.annotator, chosen)
        task, executor = annotate_shard.TASK, self.executor
        spread(marks, len(todo), self.shard, executor, task, common, file, nothing, nothing, report=report, keep=True)

    def _is_newest(self, old: Artifact) -> bool:
        made_from = old.manifest.parents["catalog"]["digest"]
        newest = self.collection.ids("annotation", self.annotator.name)[-1]
        return old.id == newest and made_from == self.catalog.artifact.manifest.digest

    def _assemble(self, file: Path, old: Artifact | None, source: np.ndarray, todo: np.ndarray, found: Path) -> None:
        """The columns of all pictures, from ``old`` and from the parts under ``found``; null for what was not looked at."""
        tables = [self.schema.empty_table()]
        if old is not None:
            tables.append(pq.read_table(old.file(COLUMNS), memory_map=True).cast(self.schema))
        at = source.copy()
        at[todo] = sum(len(table) for table in tables) + np.arange(len(todo))
        tables += [pq.read_table(part) for part in sorted(found.glob("*.parquet"))]
        table = pa.concat_tables(tables).combine_chunks()
        with pq.ParquetWriter(file, self.schema) as writer:
            for part in parts(len(at), _BLOCK):
                writer.write_table(table.take(pa.array(at[part], mask=at[part] < 0)))

    def _older(self) -> tuple[Artifact | None, np.ndarray]:
        """The newest intact annotation made the same way, and the row there of each picture that it looked at as it is."""
        for artifact_id in reversed(self.collection.ids("annotation", self.annotator.name)):
            try:
                old = self.collection.open("annotation", artifact_id, self.annotator.name)
                if old.manifest.info.get("identity") == self.identity:
                    old.verify()
                    done = np.load(old.file(DONE), allow_pickle=False)
                    rows = same_pictures(self.catalog, Catalog(self.collection.parent(old, "catalog")))
                    return old, np.where((rows >= 0) & done[rows], rows, -1)
            except DamagedArtifactError as error:
                log.warning("%s It is annotated again", error)
            except ArtifactError as error:  # a catalog that is gone, or of an older format
                log.info("Nothing is carried over from annotation '%s': %s", artifact_id, error)
        return None, np.full(self.catalog.n_ready, -1)
