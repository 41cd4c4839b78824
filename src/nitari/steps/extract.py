"""Extract: an extractor over every ready picture -> a space's vectors, in resumable shards."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import FILE, Embeddings
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.executor import Executor
from nitari.extractor import FITTED, Extractor, create
from nitari.extractor.postprocess import PostProcess, fit
from nitari.extractor.stored import POSTPROCESS, Finished, comparison, pinned
from nitari.space import DType
from nitari.steps import Progress, silent
from nitari.steps.extract_shard import Shards
from nitari.steps.holdout import training_mask
from nitari.steps.pictures import Pictures
from nitari.steps.shards import Tally, parts, resumable

log = logging.getLogger(__name__)

SHARD = 256
"""Pictures a shard."""
SAMPLE = 50_000
"""Training pictures that post-processing is fitted on, at most."""
CARRY = 0.5
"""Post-processing is fitted anew once fewer of the pictures than this were there when it was fitted."""


def extract(
    collection: Collection,
    extractor: Extractor,
    *,
    postprocess: Mapping[str, Any] | None = None,
    dtype: DType | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    shard: int = SHARD,
    seed: int = 0,
    compare: bool = False,
    progress: Progress = silent,
) -> Artifact:
    """Publish the vectors of the newest catalog in the extractor's space, or return them where they already are.

    ``postprocess`` holds the keyword arguments of ``postprocess.fit``, fitted here on training pictures; None takes the
    extractor's own wish. Vectors are carried over from the newest embeddings made the same way for pictures whose id and
    bytes are as they were, under the same post-processing. A killed run goes on after its last finished shard.
    ``executor`` does the work where it has other machines; on this one, ``threads`` do. ``compare`` marks a space that is
    new as there only to be compared with: no release takes it unless it is named, until it is extracted without.
    Raises DamagedArtifactError where a thumbnail fails its checksum.
    """
    if shard < 1 or (threads is not None and threads < 1):
        raise ConfigError(f"shard is {shard} and threads {threads}. Both are counts from 1")
    catalog = Catalog.newest(collection)
    if not catalog.n_ready:
        raise ConfigError(
            f"Collection '{collection.name}' has no readable picture. See why with: {collection.command('show')}"
        )
    newest = collection.find("embeddings", extractor.space.name)
    task = _Task(
        collection,
        catalog,
        Pictures(collection, catalog),
        extractor,
        dict(wish) if (wish := extractor.postprocess if postprocess is None else postprocess) else None,
        dtype or extractor.space.dtype,
        threads or os.cpu_count() or 1,
        executor,
        shard,
        seed,
        compare and (newest is None or comparison(newest)),
        progress,
    )
    if newest is not None and task.made(newest):
        task.sweep()
        return newest
    with collection.lock(f"extract-{extractor.space.name}"):
        return task.run()


def renew(collection: Collection, space: str, otherwise: Callable[[], Extractor], **how: Any) -> Artifact:
    """Up-to-date embeddings of ``space``, made as its newest ones were; by the extractor of ``otherwise`` at first.

    A space that follows the encoder is renewed by the newest one, one of visual words by its vocabulary. ``how`` is passed to ``extract``.
    """
    newest = collection.find("embeddings", space)
    if newest is None:
        return extract(collection, otherwise(), **how)
    identity = newest.manifest.info["identity"]
    spec = dict(identity["extractor"])
    for kind in spec.keys() & set(FITTED):
        del spec[kind]
        follows = kind == "encoder" and not pinned(newest)
        spec["path"] = (collection.latest(kind) if follows else collection.parent(newest, kind)).path
    try:
        extractor = create(spec)
    except ConfigError as error:
        log.warning("Space '%s' is extracted anew, as its settings cannot be used any more: %s", space, error)
        return extract(collection, otherwise(), dtype=identity["dtype"], **how)
    return extract(collection, extractor, postprocess=identity["postprocess"], dtype=identity["dtype"], **how)


@dataclass
class _Task:
    collection: Collection
    catalog: Catalog
    pictures: Pictures
    extractor: Extractor
    wish: dict[str, Any] | None
    dtype: DType
    threads: int
    executor: Executor | None
    shard: int
    seed: int
    compare: bool
    progress: Progress

    def __post_init__(self) -> None:
        self.space = self.extractor.space.name
        made_from: Artifact | None = getattr(self.extractor, "artifact", None)
        self.made_from = {} if made_from is None else {made_from.manifest.kind: made_from}
        side, thumbnails = self.extractor.side, self.pictures.thumbnails
        where = None if made_from is None else made_from.manifest.info.get("where")
        # Everything that makes vectors comparable with older ones, apart from the pictures themselves.
        self.identity: dict[str, Any] = {
            "extractor": self.extractor.spec,
            "encoder": None,
            **{kind: artifact.reference for kind, artifact in self.made_from.items()},
            "postprocess": self.wish,
            "fitted_where": where if self.wish else None,
            "seed": self.seed if self.wish else None,
            "dtype": self.dtype,
            "input": {
                "size": thumbnails.size_for(side) or f"original at {side}",
                "quality": self.pictures.quality,
                "background": self.pictures.background,
            },
        }
        self.identity = json.loads(json.dumps(self.identity))
        self.where = where
        self.shards = Shards(self.pictures, self.extractor, self.made_from, self.shard, self.threads, self.executor)

    def made(self, artifact: Artifact) -> bool:
        """Whether ``artifact`` is what this task would make, intact."""
        pinned = artifact.manifest.parents["catalog"]["digest"]
        same = pinned == self.catalog.artifact.manifest.digest and comparison(artifact) == self.compare
        return same and self._usable(artifact)

    def _usable(self, artifact: Artifact) -> bool:
        if artifact.manifest.info.get("identity") != self.identity:
            return False
        try:
            artifact.verify()
        except DamagedArtifactError as error:
            log.warning("%s It is extracted again", error)
            return False
        return True

    def run(self) -> Artifact:
        n = self.catalog.n_ready
        old, source = self._older()  # source: (n,) the row of ``old`` that has each picture's vector, or -1
        if old is not None and self.wish and (source >= 0).mean() < CARRY:
            old, source = None, np.full(n, -1)
        digest = self.catalog.artifact.manifest.digest
        key = {"catalog": digest, "from": old and old.id, "shard": self.shard, **self.identity}
        work = self.collection.work(f"extract-{self.space}", key)
        self.sweep(keep=work)
        out = work / "out"
        out.mkdir(exist_ok=True)
        todo = np.flatnonzero(source < 0)
        sample = self._sample() if self.wish and old is None else np.empty(0, np.int64)
        rest = np.setdiff1d(todo, sample, assume_unique=True)
        report = Tally(self.progress, len(todo))

        fitted = self._fitted(out / POSTPROCESS, old, work, sample, report) if self.wish else None
        finished = Finished(self.extractor, fitted, self.dtype)
        vectors = resumable(out / FILE, (n, finished.space.width), finished.space.dtype)
        if old is not None:
            self._copy(Embeddings(old).vectors, source, vectors)
        if len(sample):
            raw = np.load(work / "raw.npy", mmap_mode="r", allow_pickle=False)
            for part in parts(len(sample), self.shard):
                vectors[sample[part]] = finished.finish(raw[part])

        fitted_file = out / POSTPROCESS if fitted else None
        self.shards.run(work, "done", rest, vectors, rest, finished, fitted_file, report)
        zero = sum(int((vectors[part] == 0).all(axis=1).sum()) for part in parts(n, 65536))
        vectors.flush()
        artifact = publish(
            out,
            self.collection.folder("embeddings", self.space),
            "embeddings",
            parents={"catalog": self.catalog.artifact, **self.made_from},
            counts={"vectors": n, "carried_over": n - len(todo), "zero": zero},
            config={"postprocess": self.wish, "dtype": self.dtype, "shard": self.shard, "seed": self.seed},
            info={
                "space": finished.space.to_dict(),
                "extractor": self.extractor.spec,
                "postprocess": fitted is not None,
                "postprocess_digest": fitted.digest if fitted else None,
                "mirror": bool(getattr(self.extractor, "mirror", False)),
                "identity": self.identity,
                "comparison": self.compare,
            },
        )
        self.collection.discard(work)
        return artifact

    def sweep(self, keep: Path | None = None) -> None:
        """Remove what runs of this space with other settings, or on other catalogs, left unfinished."""
        for path in (self.collection.path / "work").glob(f"extract-{self.space}-*"):
            if path != keep and re.fullmatch(rf"extract-{re.escape(self.space)}-[0-9a-f]{{16}}", path.name):
                self.collection.discard(path)

    def _older(self) -> tuple[Artifact | None, np.ndarray]:
        """The newest usable embeddings made the same way, and the row there of each picture that is as it was."""
        none = np.full(self.catalog.n_ready, -1)
        for artifact_id in reversed(self.collection.ids("embeddings", self.space)):
            try:
                old = self.collection.open("embeddings", artifact_id, self.space)
                if self._usable(old):
                    return old, same_pictures(self.catalog, Catalog(self.collection.parent(old, "catalog")))
            except ArtifactError as error:  # a catalog that is gone, or of an older format
                log.info("Nothing is carried over from embeddings '%s': %s", artifact_id, error)
        return None, none

    def _copy(self, old: np.ndarray, source: np.ndarray, vectors: np.ndarray) -> None:
        for part in parts(len(source), 65536):
            rows = np.flatnonzero(source[part] >= 0) + part.start
            vectors[rows] = old[source[rows]]

    def _sample(self) -> np.ndarray:
        rows = np.flatnonzero(training_mask(self.catalog, self.where))
        if len(rows) > SAMPLE:
            rows = np.sort(np.random.default_rng(self.seed).choice(rows, SAMPLE, replace=False))
        return rows

    def _fitted(self, file: Path, old: Artifact | None, work: Path, sample: np.ndarray, report: Tally) -> PostProcess:
        """The post-processing of ``old``, or one fitted on the raw vectors of ``sample``, left in ``work``/raw.npy."""
        if not file.exists():
            fitted = PostProcess.load(old.file(POSTPROCESS)) if old else self._fit(work, sample, report)
            fitted.save(file.with_suffix(".tmp"))
            file.with_suffix(".tmp").replace(file)
        else:
            report(len(sample))
        return PostProcess.load(file)

    def _fit(self, work: Path, sample: np.ndarray, report: Tally) -> PostProcess:
        if not len(sample):
            raise ConfigError(
                "Post-processing is fitted on training pictures, and there are none. Ingest more pictures"
            )
        space = self.extractor.space
        raw = resumable(work / "raw.npy", (len(sample), space.width), space.dtype)

        self.shards.run(work, "sampled", sample, raw, np.arange(len(sample)), None, None, report)
        return fit(raw, **(self.wish or {}))


def same_pictures(catalog: Catalog, old: Catalog) -> np.ndarray:
    """(n_ready,) the ready row of ``old`` with the same item id and sha256, or -1."""
    ids, old_ids = catalog.item_ids[: catalog.n_ready], old.item_ids[: old.n_ready]
    if not old.n_ready:
        return np.full(len(ids), -1)
    order = np.argsort(old_ids, kind="stable")
    rows = order[np.minimum(np.searchsorted(old_ids, ids, sorter=order), old.n_ready - 1)]
    same = pc.equal(catalog.ready("sha256"), old.ready("sha256").take(pa.array(rows)))
    return np.where((old_ids[rows] == ids) & same.to_numpy(zero_copy_only=False).astype(bool), rows, -1)
