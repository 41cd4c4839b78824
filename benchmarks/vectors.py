"""Vectors in the place of extracted ones: what follows extraction can be measured where that would take too long."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nitari.artifact import publish
from nitari.collection import Collection
from nitari.embeddings import FILE, Embeddings
from nitari.space import unit

_BLOCK = 65_536


def put(collection: Collection, vectors: Path, like: Collection) -> None:
    """Publish the first of (n, dim) ``vectors`` as those that the encoder, which is also that of ``like``, made of the catalog."""
    catalog, encoder = collection.latest("catalog"), collection.latest("encoder")
    n = catalog.manifest.counts["ready"]
    model = Embeddings(like.latest("embeddings", "encoder"))
    given = np.load(vectors, mmap_mode="r")
    assert len(given) >= n
    assert given.shape[1] == model.space.dim
    work = collection.work("vectors", {})
    out = np.lib.format.open_memmap(work / FILE, "w+", model.vectors.dtype, (n, model.space.dim))
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        out[start:stop] = unit(np.asarray(given[start:stop], np.float32))
    out.flush()
    manifest = model.artifact.manifest
    publish(
        work,
        collection.folder("embeddings", "encoder"),
        "embeddings",
        parents={"catalog": catalog, "encoder": encoder},
        counts=manifest.counts | {"vectors": n},
        config=manifest.config,
        info=manifest.info,
    )
