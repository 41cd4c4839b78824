"""Vocabulary: visual words, learned from the local descriptors of a sample of the training pictures."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, MissingExtraError
from nitari.extractor import postprocess
from nitari.extractor.visual_words import DESCRIPTORS, WORDS, Training, save_words
from nitari.images.local import DIM, opencv
from nitari.steps import Progress, silent
from nitari.steps.holdout import training_mask
from nitari.steps.pictures import Pictures
from nitari.steps.shards import Tally, fill, resumable

log = logging.getLogger(__name__)

SHARD = 64
"""Pictures a shard."""
BATCH = 4096
"""Descriptors a step of k-means."""


def vocabulary(
    collection: Collection,
    training: Training,
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> Artifact:
    """Publish a vocabulary of the newest catalog, or return the newest intact one that was made the same way.

    A vocabulary stays as the collection grows, so that its spaces do. Descriptors are reduced by PCA and quantised by
    mini-batch k-means: Sculley, "Web-scale k-means clustering" (WWW 2010). A killed run goes on after its last finished
    shard. Raises ConfigError where the pictures have fewer features than words are wanted.
    """
    config = {**asdict(training), "seed": seed}
    if made := _made(collection, config):
        return made
    opencv()
    with collection.lock("vocabulary"):
        return _make(collection, Catalog(collection.latest("catalog")), training, config, threads, progress)


def _made(collection: Collection, config: dict[str, Any]) -> Artifact | None:
    for artifact_id in reversed(collection.ids("vocabulary")):
        try:
            found = collection.open("vocabulary", artifact_id)
            if found.manifest.config == config:
                found.verify()
                return found
        except ArtifactError as error:
            log.warning("%s. It is not used again", error)
    return None


def _make(
    collection: Collection,
    catalog: Catalog,
    training: Training,
    config: dict[str, Any],
    threads: int | None,
    progress: Progress,
) -> Artifact:
    k_means = _k_means(training.words, config["seed"])
    random = np.random.default_rng(config["seed"])
    rows = np.flatnonzero(training_mask(catalog))
    if len(rows) > training.max_items:
        rows = np.sort(random.choice(rows, training.max_items, replace=False))
    work = collection.work("vocabulary", {"catalog": catalog.artifact.manifest.digest, **config})
    found = _descriptors(work, Pictures(collection, catalog), rows, training, config["seed"], threads, progress)
    if len(found) < max(training.words, 2):
        raise ConfigError(
            f"{len(rows)} training pictures have {len(found)} features, too few for extractor.training.words="
            f"{training.words}. Ask for fewer words, or ingest more pictures"
        )
    out = work / "out"
    out.mkdir(exist_ok=True)
    reduce = postprocess.fit(found, pca=training.dim, normalise=False)
    reduce.save(out / DESCRIPTORS)
    save_words(k_means.fit(reduce(found)).cluster_centers_.astype(np.float32), out / WORDS)
    artifact = publish(
        out,
        collection.folder("vocabulary"),
        "vocabulary",
        parents={"catalog": catalog.artifact},
        counts={"pictures": len(rows), "descriptors": len(found), "words": training.words},
        config=config,
    )
    for path in work.parent.glob("vocabulary-*"):  # and what runs with other settings left unfinished
        collection.discard(path)
    return artifact


def _descriptors(
    work: Path,
    pictures: Pictures,
    rows: np.ndarray,
    training: Training,
    seed: int,
    threads: int | None,
    progress: Progress,
) -> np.ndarray:
    """(n, 128) float32: at most ``training.sample`` of each picture's, drawn at random."""
    if not len(rows):
        return np.empty((0, DIM), np.float32)
    sampled = resumable(work / "descriptors.npy", (len(rows), training.sample, DIM), "float16")

    def store(part: slice) -> None:
        for at, image in enumerate(pictures.read(rows[part], max(training.sides)), start=part.start):
            of_one = training.describe(image)
            chosen = np.random.default_rng([seed, int(rows[at])]).permutation(len(of_one))[: training.sample]
            sampled[at, : len(chosen)] = of_one[chosen]

    fill(
        work / "done.npy",
        len(rows),
        SHARD,
        store,
        sampled.flush,
        threads=threads or os.cpu_count() or 1,
        report=Tally(progress, len(rows)),
    )
    return sampled[(sampled != 0).any(axis=2)].astype(np.float32)  # pictures with fewer left zeros


def _k_means(words: int, seed: int) -> Any:
    try:
        from sklearn.cluster import MiniBatchKMeans
    except ImportError:
        raise MissingExtraError("scikit-learn", "train") from None
    return MiniBatchKMeans(words, batch_size=BATCH, n_init=3, random_state=seed)
