"""Turns every picture into a vector of one space: the trained encoder's, or a baseline's.

    nitari extract collection=shoes extractor=encoder
    nitari extract collection=shoes extractor=pixels
    nitari extract collection=shoes extractor=visual_words
    nitari extract collection=shoes extractor=encoder dtype=float16
    nitari extract collection=shoes extractor=encoder extractor.name=whitened extractor.raw=true "extractor.postprocess={pca: 64, whiten: true}"

Pictures that have vectors made the same way keep them. Killed at any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.extractor import Extractor
from nitari.extractor.visual_words import Training
from nitari.space import DType
from nitari.steps import extract as step
from nitari.steps.vocabulary import vocabulary

from .job import instantiate, job, plain
from .progress import Progress


def run(cfg: DictConfig) -> dict[str, Any]:
    return extracted(cfg, plain(cfg.extractor), cfg.dtype)


def extracted(cfg: DictConfig, spec: Mapping[str, Any], dtype: DType | None = None) -> dict[str, Any]:
    """``run`` of one extractor by its configuration; ``cfg`` says of which collection."""
    collection = Collection.existing(cfg.root, cfg.collection)
    start = time.monotonic()
    extractor = make(collection, spec, cfg.seed, cfg.workers)
    artifact = step.extract(
        collection,
        extractor,
        dtype=dtype,
        threads=cfg.workers,
        executor=instantiate(cfg.executor),
        seed=cfg.seed,
        progress=Progress(f"extract {extractor.space.name}"),
    )
    return told(collection, artifact, start)


def told(collection: Collection, artifact: Artifact, start: float) -> dict[str, Any]:
    """The job's result; it began when the monotonic clock showed ``start``."""
    manifest = artifact.manifest
    return {
        "collection": collection.name,
        "space": manifest.info["space"],
        "embeddings": artifact.id,
        "catalog": manifest.parents["catalog"]["id"],
        "counts": manifest.counts,
        "bytes": sum(entry["size"] for entry in manifest.files.values()),
        "seconds": round(time.monotonic() - start, 2),
    }


def make(collection: Collection, settings: Mapping[str, Any], seed: int = 0, threads: int | None = None) -> Extractor:
    """The extractor of a configuration; one that needs an encoder and names none gets the collection's newest, one that
    needs a vocabulary gets the one made by its ``training``, which is made where there is none.
    """
    settings = dict(settings)
    if settings.get("path", "") is None and "training" in settings:
        training = Training(**(settings["training"] or {}))
        made = vocabulary(collection, training, seed=seed, threads=threads, progress=Progress("visual words"))
        settings |= {"path": str(made.path)}
    elif settings.get("path", "") is None:
        settings |= {"path": str(collection.latest("encoder").path), "follow": True}
    extractor: Extractor = instantiate(settings)
    return extractor


def show(result: Mapping[str, Any]) -> str:
    space, counts = result["space"], result["counts"]
    kept = f", {counts['carried_over']:,} of them as they were" if counts["carried_over"] else ""
    return (
        f"embeddings/{space['name']}/{result['embeddings']}: {counts['vectors']:,} vectors{kept}, "
        f"{space['dim']} x {space['dtype']}, {space['metric']}, {result['bytes'] / 1e6:,.1f} MB"
    )


main = job("extract", run, show)
