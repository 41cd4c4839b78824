"""Turns every picture into a vector of one space: the trained encoder's, or a baseline's.

    nitari extract collection=shoes extractor=encoder
    nitari extract collection=shoes extractor=pixels
    nitari extract collection=shoes extractor=encoder dtype=float16
    nitari extract collection=shoes extractor=encoder extractor.name=whitened extractor.raw=true "extractor.postprocess={pca: 64, whiten: true}"

Pictures that have vectors made the same way keep them. Killed at any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from nitari.collection import Collection
from nitari.extractor import Extractor
from nitari.steps import extract as step

from .job import instantiate, job, plain
from .progress import Progress


def run(cfg: DictConfig) -> dict[str, Any]:
    collection = Collection.existing(cfg.root, cfg.collection)
    extractor = make(collection, plain(cfg.extractor))
    start = time.monotonic()
    artifact = step.extract(
        collection,
        extractor,
        dtype=cfg.dtype,
        threads=cfg.workers,
        seed=cfg.seed,
        progress=Progress(f"extract {extractor.space.name}"),
    )
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


def make(collection: Collection, settings: Mapping[str, Any]) -> Extractor:
    """The extractor of a configuration; one that needs an encoder and names none gets the collection's newest."""
    settings = dict(settings)
    if settings.get("path", "") is None:
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
