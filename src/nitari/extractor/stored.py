"""The extractor of a published space, brought back: the same final vectors from pictures that were never ingested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.extractor import FITTED, Extractor, create
from nitari.extractor.postprocess import PostProcess
from nitari.space import DType, Space, unit

POSTPROCESS = "postprocess.safetensors"


def pinned(embeddings: Artifact) -> bool:
    """Whether a space stays with the encoder that made it, to be compared: it is neither renewed with a newer one nor
    served unless named.
    """
    return "encoder" in embeddings.manifest.parents and not embeddings.manifest.info["extractor"].get("follow", True)


def baseline(embeddings: Artifact) -> bool:
    """Whether a space is there only to measure others by: vectors drawn at random are not served unless named."""
    return str(embeddings.manifest.info["extractor"].get("_target_")).endswith(".RandomExtractor")


def comparison(embeddings: Artifact) -> bool:
    """Whether a space was made only to be compared with others, and nobody extracted it for itself since."""
    return bool(embeddings.manifest.info.get("comparison"))


def offered(embeddings: Artifact) -> bool:
    """Whether a release takes a space that is not named: one that is there to be used, not only to measure others by."""
    return not (pinned(embeddings) or baseline(embeddings) or comparison(embeddings))


class Finished:
    """An extractor and what is done to its vectors afterwards: gives the final vectors of a space."""

    postprocess: Mapping[str, Any] | None = None  # its vectors are final

    def __init__(self, extractor: Extractor, fitted: PostProcess | None = None, dtype: DType = "float32") -> None:
        raw = extractor.space
        self.extractor = extractor
        self.fitted = fitted
        self.side = extractor.side
        if raw.metric == "hamming":
            self.space = raw
        elif fitted is None:
            self.space = Space(raw.name, raw.metric, raw.dim, dtype)
        else:
            self.space = Space(raw.name, "cosine" if fitted.normalise else raw.metric, fitted.dim, dtype)

    @property
    def spec(self) -> dict[str, Any]:
        return self.extractor.spec

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, space.width) of space.dtype."""
        return self.finish(self.extractor.extract(images))

    def finish(self, raw: np.ndarray) -> np.ndarray:
        """(n, raw width) -> (n, space.width) of space.dtype."""
        vectors = raw if self.fitted is None else self.fitted(raw)
        if self.fitted is None and self.space.metric == "cosine":
            vectors = unit(vectors.astype(np.float32, copy=False))
        return vectors.astype(self.space.dtype, copy=False)


def restore(collection: Collection, embeddings: Artifact) -> Finished:
    """The extractor that made ``embeddings``, post-processing included; what it was made from is its pinned parent."""
    info = embeddings.manifest.info
    spec = dict(info["extractor"])
    for kind in spec.keys() & set(FITTED):
        del spec[kind]
        spec["path"] = collection.parent(embeddings, kind).path
    fitted = PostProcess.load(embeddings.file(POSTPROCESS, full=True)) if info["postprocess"] else None
    return Finished(create(spec), fitted, Embeddings(embeddings).space.dtype)
