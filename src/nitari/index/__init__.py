"""Indexes: vectors -> nearest rows. One module a backend; ``exact`` is every other one's oracle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, cast, runtime_checkable

import numpy as np

from nitari.artifact import Artifact
from nitari.command import filled
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, NitariError, QueryError
from nitari.filters import Selection
from nitari.space import Space
from nitari.target import resolve

if TYPE_CHECKING:
    import pyarrow as pa


class SearchResult(NamedTuple):
    """``rows`` (q, k) int64 and ``distances`` (q, k) float32, ascending; padded with -1 and inf beyond min(k, matches)."""

    rows: np.ndarray
    distances: np.ndarray


@runtime_checkable
class Index(Protocol):
    """Rows are positions in the vectors given to ``build``: int64, and never ids.

    ``metrics`` are those of the spaces it searches; others are refused by ConfigError.
    ``vectors`` stay with their embeddings: an index keeps only what it adds, and is loaded beside them. ``sweep`` names
    the attribute that trades latency for recall at query time, with the values to try, ascending; None: nothing to trade.
    """

    metrics: ClassVar[tuple[str, ...]]
    space: Space
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None]

    def build(self, vectors: np.ndarray, attributes: pa.Table | None = None) -> None:
        """``attributes`` are columns, row-aligned with the vectors, by whose values searches will be filtered."""
        ...

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        """(q, width) -> exactly min(k, rows that ``where`` admits) results a query; QueryError on bad queries."""
        ...

    def save(self, path: Path) -> dict[str, Any]:
        """Write files under ``path``; returns what ``load`` wants back as ``parameters``."""
        ...

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> Self:
        """``vectors`` are the ones ``build`` was given; raises DamagedArtifactError before any damaged byte is used."""
        ...


@runtime_checkable
class MutableIndex(Index, Protocol):
    """An index that takes rows after it was built, and gives rows up; it does so for every process that has it open."""

    def upsert(self, rows: np.ndarray, vectors: np.ndarray, attributes: pa.Table | None = None) -> None:
        """Append (m,) rows with their (m, width) vectors and columns, or replace appended ones."""
        ...

    def delete(self, rows: np.ndarray) -> None:
        """No search gives these rows any more."""
        ...


@runtime_checkable
class Widening(Protocol):
    """An index that finds candidates by something coarse, so that its ``sweep`` alone may not reach a recall. ``wider`` names
    the attribute that has more of them compared by their vectors, with the values to try, ascending.
    """

    wider: ClassVar[tuple[str, tuple[int, ...]]]


@runtime_checkable
class Served(Protocol):
    """What an index on a server can do besides: ``activate`` it there for other clients, and ``drop`` what is kept of it;
    ``forget`` does that unopened, with what ``save`` returned.
    """

    def activate(self) -> None: ...

    def drop(self) -> None: ...

    @classmethod
    def forget(cls, space: Space, parameters: Mapping[str, Any]) -> None: ...


def create(spec: Mapping[str, Any], space: Space) -> Index:
    """An empty index for ``space`` from ``{"_target_": "nitari.index.<module>.<Class>", **arguments}``."""
    arguments = dict(spec)
    return cast(Index, resolve(str(arguments.pop("_target_", "")), "index")(space, **arguments))


def open_index(artifact: Artifact, embeddings: Embeddings) -> Index:
    """Load a published index beside the embeddings it was built from; damaged files are refused by name."""
    artifact.expect_parent("embeddings", embeddings.artifact)
    artifact.verify()
    info = artifact.manifest.info
    kind = cast(type[Index], resolve(info["index"], "index"))
    try:
        return kind.load(artifact.path, embeddings.space, embeddings.vectors, info["parameters"])
    except ArtifactError as error:
        raise type(error)(filled(str(error), artifact.home)) from None


def served(artifact: Artifact) -> bool:
    """Whether a published index is one that a server may hold a part of: its files are not all of it."""
    return issubclass(resolve(artifact.manifest.info["index"], "index"), Served)


def forget(artifact: Artifact) -> None:
    """Have its server delete what it holds of a published index; ArtifactError, which names it, where it does not."""
    info = artifact.manifest.info
    try:
        cast(Served, resolve(info["index"], "index")).forget(Space(**info["space"]), info["parameters"])
    except NitariError as error:
        raise ArtifactError(
            f"The collection '{info['parameters']['name']}' of index '{artifact.id}' is left on its server: {error}"
        ) from None


def padded(found: list[tuple[np.ndarray, np.ndarray]], k: int) -> SearchResult:
    """(rows, distances) of each query, nearest first -> one result of k columns."""
    rows = np.full((len(found), k), -1, np.int64)
    distances = np.full((len(found), k), np.inf, np.float32)
    for i, (near, apart) in enumerate(found):
        rows[i, : len(near)] = near[:k]
        distances[i, : len(apart)] = apart[:k]
    return SearchResult(rows, distances)


def check_request(space: Space, n: int, k: int, where: Selection | None) -> None:
    """Raise QueryError unless k is at least 1 and ``where`` selects rows among the n that are indexed."""
    if k < 1:
        raise QueryError(f"k is {k}. Ask for at least 1 result")
    first, last = (0, -1) if where is None else where.bounds
    if first < 0 or last >= n:
        raise QueryError(
            f"A selection holds row {last}, the index of space '{space.name}' has {n} vectors: it was "
            "made from another catalog version. Select again from the catalog of the release"
        )
