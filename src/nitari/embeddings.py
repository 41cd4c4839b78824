"""Embeddings: one space's vectors, row-aligned with the ready rows of one catalog version, memory-mapped."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any

import numpy as np

from nitari.artifact import Artifact
from nitari.errors import DamagedArtifactError
from nitari.space import Space

FILE = "vectors.npy"


class Embeddings:
    """A published space. ``extractor`` is the specification that makes the same vectors from new pictures."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.space = Space.from_dict(artifact.manifest.info["space"])
        self.extractor: dict[str, Any] = artifact.manifest.info["extractor"]

    @property
    def key(self) -> str:
        """The same for vectors that may be compared with these: of one extractor, encoder and post-processing."""
        info = self.artifact.manifest.info
        made = [info["space"], info.get("identity"), info.get("postprocess_digest")]
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def made(self) -> dict[str, str | None]:
        """What an annotation made from these vectors remembers them by."""
        info = self.artifact.manifest.info
        return {"space": info.get("identity"), "postprocess": info.get("postprocess_digest")}

    @cached_property
    def vectors(self) -> np.ndarray:
        """(n_ready, width), read-only, memory-mapped; a plain array, whose rows are picked with less ado than a ``memmap``'s."""
        vectors = np.load(self.artifact.file(FILE), mmap_mode="r", allow_pickle=False)
        if vectors.ndim != 2 or vectors.shape[1] != self.space.width or vectors.dtype != self.space.dtype:
            raise DamagedArtifactError(
                f"embeddings '{self.space.name}/{self.artifact.id}' holds {vectors.dtype} {vectors.shape}, "
                f"its space says {self.space.dtype} with {self.space.width} numbers a row"
            )
        return vectors.view(np.ndarray)

    def __len__(self) -> int:
        return int(self.artifact.manifest.counts["vectors"])
