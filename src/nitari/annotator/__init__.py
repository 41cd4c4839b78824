"""Annotators: pictures -> catalog columns that nobody typed in. One module a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import pyarrow as pa

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.embeddings import Embeddings
from nitari.errors import ConfigError
from nitari.target import resolve


@runtime_checkable
class Annotator(Protocol):
    """One picture at a time -> columns. Thread-safe: ``annotate`` is called from several threads at once.

    ``name`` is the folder of its annotations. ``side`` is the longer side, in pixels, below which a picture has too
    little for this annotator: thumbnails of at least this size are read, or originals where none reaches it. ``columns``
    are the names and types of what it adds, and ``spec`` recreates the annotator with ``create``. ``shard`` is how many
    pictures a killed run may lose: seconds of work, or a minute.
    """

    name: str
    side: int
    shard: int
    columns: Mapping[str, pa.DataType]

    @property
    def spec(self) -> dict[str, Any]: ...

    def annotate(self, images: Sequence[np.ndarray]) -> pa.Table:
        """n pictures, each (H, W, 3) uint8 upright RGB of any size -> n rows of exactly ``columns``."""
        ...


@runtime_checkable
class CollectionAnnotator(Protocol):
    """All pictures at once -> columns: what can only be said by comparing them, or is in the catalog already.

    ``spaces`` names the spaces whose vectors it compares.
    """

    name: str
    spaces: Sequence[str]
    columns: Mapping[str, pa.DataType]

    @property
    def spec(self) -> dict[str, Any]: ...

    def survey(self, whole: Whole) -> pa.Table:
        """All ready rows of a catalog -> as many rows of exactly ``columns``."""
        ...


class Neighbours(NamedTuple):
    """As ``nitari.index.SearchResult``."""

    rows: np.ndarray  # (q, k) int64, -1 beyond what was found
    distances: np.ndarray  # (q, k) float32, ascending, inf beyond


@dataclass(frozen=True)
class Whole:
    """What a CollectionAnnotator looks at. Rows are ready rows of ``catalog``, which has no annotator's columns here."""

    catalog: Catalog
    embeddings: Mapping[str, Embeddings]
    """Of each space that it named."""
    search: Callable[[str, np.ndarray, int], Neighbours]
    """(space name, (q, width) vectors, k) -> the nearest rows; by the space's published index where it has one."""
    read: Callable[[Sequence[int], int], list[np.ndarray]]
    """(rows, side) -> pictures, each (H, W, 3) uint8 upright RGB."""
    before: Artifact | None
    """The newest annotation of this name, whatever its settings."""
    was: np.ndarray
    """(n_ready,) the row of ``before`` that is of the same picture, or -1."""
    out: Path
    """A folder: files left there are published with the columns."""
    progress: Callable[[int, int], None]


def create(spec: Mapping[str, Any]) -> Annotator | CollectionAnnotator:
    """Build an annotator from ``{"_target_": "nitari.annotator.<module>.<Class>", **arguments}``.

    Only classes of this package are instantiated, whatever a manifest says.
    """
    values = dict(spec)
    target = str(values.pop("_target_", ""))
    kind = resolve(target, "annotator")
    try:
        return cast(Annotator | CollectionAnnotator, kind(**values))
    except TypeError as error:
        raise ConfigError(
            f"'{target}' does not take these settings: {error}. Another version of nitari may have"
        ) from None
