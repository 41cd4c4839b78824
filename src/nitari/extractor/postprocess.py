"""After the network: centring, PCA(-whitening) and scaling, fitted once on training items and part of the space."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nitari.errors import ConfigError, QueryError
from nitari.space import unit

_CHUNK = 4096  # vectors at a time in float64


@dataclass(frozen=True)
class PostProcess:
    """``(raw - mean) @ projection``, then unit length if ``normalise``; ``mean`` (d,) and ``projection`` (d, dim) float32."""

    mean: np.ndarray
    projection: np.ndarray | None
    normalise: bool = True

    @property
    def dim(self) -> int:
        return len(self.mean) if self.projection is None else self.projection.shape[1]

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """(n, d) -> (n, dim) float32."""
        if raw.ndim != 2 or raw.shape[1] != len(self.mean):
            raise QueryError(
                f"This post-processing was fitted on {len(self.mean)} numbers a vector, not on shape {raw.shape}"
            )
        vectors = raw.astype(np.float32) - self.mean
        if self.projection is not None:
            vectors = vectors @ self.projection
        return unit(vectors) if self.normalise else vectors

    @property
    def digest(self) -> str:
        """12 hexadecimal digits over the fitted numbers: another fit is another space."""
        state = hashlib.sha256(self.mean.tobytes())
        if self.projection is not None:
            state.update(np.ascontiguousarray(self.projection).tobytes())
        return state.hexdigest()[:12]

    def save(self, path: Path) -> None:
        from safetensors.numpy import save_file

        tensors = {"mean": self.mean, "normalise": np.array([self.normalise])}
        if self.projection is not None:
            tensors["projection"] = np.ascontiguousarray(self.projection)
        save_file(tensors, path)

    @classmethod
    def load(cls, path: Path) -> PostProcess:
        from safetensors.numpy import load_file

        tensors = load_file(path)
        return cls(tensors["mean"], tensors.get("projection"), bool(tensors["normalise"][0]))


def fit(
    raw: np.ndarray, *, center: bool = True, pca: int | None = None, whiten: float = 0.0, normalise: bool = True
) -> PostProcess:
    """Fit on (n, d) raw vectors of training items. ``pca`` is capped at what n and d allow.

    ``whiten`` from 0 to 1 divides each component by that power of its standard deviation, with a variance floor of 1e-4
    of the first: 1 is Jégou and Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and
    whitening" (ECCV 2012); halfway keeps more of what the strong components tell.
    """
    n, d = raw.shape
    if n < 2:
        raise ConfigError(f"Post-processing is fitted on training items, and there are {n}. Ingest more pictures")
    if pca is not None and pca < 1:
        raise ConfigError(f"postprocess.pca is {pca}. Give the number of dimensions to keep, or null for all")
    if not 0 <= whiten <= 1:
        raise ConfigError(f"postprocess.whiten is {whiten}. Give 0 (not at all) to 1 (fully); true is 1")
    mean = raw.mean(axis=0, dtype=np.float64) if center else np.zeros(d)
    if pca is None and not whiten:
        return PostProcess(mean.astype(np.float32), None, normalise)
    dim = min(pca or d, d, n - 1)
    covariance = np.zeros((d, d))
    for start in range(0, n, _CHUNK):
        centred = raw[start : start + _CHUNK] - mean
        covariance += centred.T @ centred
    variances, axes = np.linalg.eigh(covariance / (n - 1))
    variances, axes = variances[::-1][:dim], axes[:, ::-1][:, :dim]
    # Eigenvectors have no sign of their own: fix it, so that the same data gives the same numbers.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dim)])
    if whiten:
        axes = axes / np.maximum(variances, variances[0] * 1e-4 + 1e-12) ** (whiten / 2)
    return PostProcess(mean.astype(np.float32), axes.astype(np.float32), normalise)
