"""Companions: fixed descriptors that share the trained encoder's space. What it cannot have learned, they still tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nitari.errors import ConfigError
from nitari.extractor import Extractor, create
from nitari.extractor.postprocess import PostProcess, fit
from nitari.space import unit


@dataclass(frozen=True)
class Companion:
    """``weight`` times the unit vectors of ``extractor`` after ``after``. Beside a unit code, squared weights are shares of
    the cosine: an early fusion of descriptors, as in Jégou and Chum (ECCV 2012).
    """

    name: str
    extractor: Extractor
    after: PostProcess | None
    weight: float

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, dim) float32, of length ``weight``."""
        return self.finish(self.extractor.extract(images))

    def finish(self, raw: np.ndarray) -> np.ndarray:
        """(n, d) of the extractor -> (n, dim) float32, of length ``weight``."""
        raw = raw.astype(np.float32, copy=False)
        return self.weight * (unit(raw) if self.after is None else self.after(raw))

    @property
    def dim(self) -> int:
        return self.extractor.space.dim if self.after is None else self.after.dim

    @property
    def note(self) -> dict[str, Any]:
        """What a manifest says of it; ``load`` brings it back."""
        return {"extractor": self.extractor.spec, "postprocess": self.after is not None, "weight": self.weight}

    @property
    def file(self) -> str:
        return file_of(self.name)

    @classmethod
    def load(cls, name: str, note: Mapping[str, Any], path: Path | None) -> Companion:
        """``path`` is its post-processing's file, where it has one."""
        after = None if path is None else PostProcess.load(path)
        return cls(name, create(note["extractor"]), after, float(note["weight"]))


def file_of(name: str) -> str:
    return f"beside-{name}.safetensors"


def wanted(specs: Mapping[str, Mapping[str, Any]], weights: Mapping[str, float]) -> dict[str, tuple[Extractor, float]]:
    """Extractors and weights by name, those of weight 0 left out. ConfigError where one cannot share a cosine space."""
    if set(specs) != set(weights):
        raise ConfigError(
            f"encode.beside has {sorted(specs)} and encode.weights {sorted(weights)}. Give each one a weight"
        )
    found = {}
    for name, spec in sorted(specs.items()):  # as manifests have them: what reduces the space depends on their order
        weight = float(weights[name])
        if weight < 0:
            raise ConfigError(f"encode.weights.{name} is {weight}. Give a weight from 0 on; the code has 1")
        if weight:
            extractor = create(spec)
            if extractor.space.metric != "cosine":
                raise ConfigError(
                    f"encode.beside.{name} gives vectors for {extractor.space.metric}, and cosine is needed"
                )
            found[name] = (extractor, weight)
    return found


def fitted(name: str, extractor: Extractor, weight: float, raw: np.ndarray) -> Companion:
    """A companion, post-processed as its extractor wishes, fitted on the (n, d) raw vectors of training pictures."""
    wish = extractor.postprocess
    return Companion(name, extractor, fit(raw, **wish) if wish else None, weight)


def fuse(codes: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """(n, d) codes and companions' (n, e) vectors -> (n, d + e + ...), unit norm."""
    return unit(np.concatenate([unit(codes), *others], axis=1))
