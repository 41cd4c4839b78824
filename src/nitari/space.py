"""A space is one extractor's output: its name, metric, dimension and storage. The only definition of distance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, cast, get_args

import numpy as np

from nitari.errors import ConfigError, QueryError

Metric = Literal["cosine", "l2", "normalized_l2", "hamming"]
DType = Literal["float32", "float16", "int8", "uint8"]


class Vectors(Protocol):
    """(n, width) vectors of which some are read at a time: an array, or rows of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Space:
    """Vectors that may be compared with each other. In ``hamming``, ``dim`` counts bits, stored (n, dim / 8) uint8."""

    name: str
    metric: Metric
    dim: int
    dtype: DType = "float32"

    def __post_init__(self) -> None:
        if self.metric not in get_args(Metric):
            raise ConfigError(
                f"Space '{self.name}' has metric '{self.metric}'. Choose one of: {', '.join(get_args(Metric))}"
            )
        if self.dtype not in get_args(DType):
            raise ConfigError(
                f"Space '{self.name}' has dtype '{self.dtype}'. Choose one of: {', '.join(get_args(DType))}"
            )
        if self.dim < 1 or (self.metric == "hamming" and (self.dim % 8 or self.dtype != "uint8")):
            raise ConfigError(
                f"Space '{self.name}' has dim {self.dim} as {self.dtype}; hamming needs a multiple of 8 bits, stored as uint8"
            )

    @property
    def width(self) -> int:
        """Stored numbers a vector: ``dim``, or dim / 8 bytes in a hamming space."""
        return self.dim // 8 if self.metric == "hamming" else self.dim

    @property
    def farthest(self) -> float:
        """The greatest distance that two vectors may have; infinite in l2."""
        return {"cosine": 2.0, "l2": math.inf, "normalized_l2": 1.0, "hamming": float(self.dim)}[self.metric]

    def check(self, vectors: np.ndarray) -> np.ndarray:
        """Return ``vectors`` as (n, width) ready to compare: float32 (uint8 in hamming), unit norm in cosine.

        Raises QueryError on another shape and on NaN or infinity.
        """
        vectors = np.atleast_2d(np.asarray(vectors))
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise QueryError(
                f"Space '{self.name}' has {self.width} numbers a vector, this query has shape {tuple(vectors.shape)}: "
                "it was extracted by another extractor. Extract it with the one of this space"
            )
        if self.metric == "hamming":
            if vectors.dtype != np.uint8:
                raise QueryError(f"Space '{self.name}' compares bits: give uint8, not {vectors.dtype}")
            return np.ascontiguousarray(vectors)
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        finite = np.isfinite(vectors)
        if not finite.all():
            bad = ~finite.all(axis=1)
            raise QueryError(f"Vector {int(bad.argmax())} of {len(vectors)} for space '{self.name}' is not finite")
        return unit(vectors) if self.metric == "cosine" else vectors

    def distances(self, queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """(q, width) and (n, width), both as ``check`` returns them -> (q, n) float32; smaller is nearer, always.

        cosine: 1 - cos. l2: Euclidean. normalized_l2: ||a - b|| / (||a|| + ||b||), as in Wong, Bern and Goldberg,
        "An image signature for any kind of image" (ICIP 2002). hamming: the number of bits that differ.
        """
        if self.metric == "hamming":
            return np.stack([hamming(q, vectors) for q in queries]).astype(np.float32)
        vectors = vectors.astype(np.float32, copy=False)
        dots = queries @ vectors.T
        if self.metric == "cosine":
            np.subtract(1.0, dots, out=dots)
            return np.minimum(np.maximum(dots, 0.0, out=dots), 2.0, out=dots)
        q2 = np.einsum("ij,ij->i", queries, queries)[:, None]
        v2 = np.einsum("ij,ij->i", vectors, vectors)[None]
        l2 = np.sqrt(np.maximum(q2 + v2 - 2.0 * dots, 0.0))
        if self.metric == "l2":
            return l2
        return l2 / np.maximum(np.sqrt(q2) + np.sqrt(v2), 1e-12)

    def precise(self, query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """(width,) and (n, width) of any norm -> (n,) float32, as ``distances`` but accumulated in float64.

        Slower, and the same whatever stands beside a vector: what a search reports, so that every backend agrees and
        equal vectors are exactly equal in distance.
        """
        if self.metric == "hamming":
            return hamming(query, vectors).astype(np.float32)
        query, vectors = query.astype(np.float64), vectors.astype(np.float64)
        if self.metric == "cosine":
            norms = np.sqrt(np.vecdot(vectors, vectors) * (query @ query))
            cosines = np.vecdot(vectors, query) / np.maximum(norms, 1e-24)
            return np.minimum(np.maximum(np.float32(1.0) - cosines.astype(np.float32), 0.0), 2.0)
        apart = vectors - query
        l2 = np.sqrt(np.vecdot(apart, apart))
        if self.metric == "normalized_l2":
            l2 /= np.maximum(np.sqrt(np.vecdot(vectors, vectors)) + np.sqrt(query @ query), 1e-12)
        return l2.astype(np.float32)

    def similarity(self, distances: np.ndarray) -> np.ndarray:
        """Distances -> similarities, 1 for the same vector: 1 - d (share of equal bits in hamming), 1 / (1 + d) in l2."""
        if self.metric == "hamming":
            return 1.0 - distances / self.dim
        return 1.0 / (1.0 + distances) if self.metric == "l2" else 1.0 - distances

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Space:
        return cls(
            name=str(values["name"]),
            metric=cast(Metric, values["metric"]),
            dim=int(values["dim"]),
            dtype=cast(DType, values["dtype"]),
        )


def hamming(query: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(width,) and (n, width) uint8 -> (n,) int32: the bits that differ, counted in numbers as wide as the width allows."""
    wide = f"u{math.gcd(len(query), 8)}"
    apart = np.zeros(len(codes), np.int32)
    for value, column in zip(query.view(wide), np.ascontiguousarray(codes).view(wide).T, strict=True):
        apart += np.bitwise_count(column ^ value)
    return apart


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to unit Euclidean norm; a zero row stays zero, and so is at cosine distance 1 from everything.

    A row of unit norm stays as it is, to the bit: ``unit(unit(x)) == unit(x)``.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = np.abs(norms - 1.0) < 1e-6
    if scaled.all():
        return vectors
    norms[scaled] = 1.0
    return vectors / np.maximum(norms, 1e-12)
