"""Which pictures are there more than once: equal bytes, and those that a space cannot tell apart."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from nitari.annotator import Whole
from nitari.annotator.groups import Near, owners
from nitari.errors import ConfigError
from nitari.images.verifier import Verifier


class DuplicatesAnnotator:
    """Columns ``duplicate_group``, ``duplicate_count`` and ``is_duplicate``.

    A group is named by the item_id of its largest picture, the first of those; all its pictures but that one are
    duplicates, so that ``is_duplicate=false`` shows one of each. A picture that is there once has no group, and count 1.

    Pictures of equal bytes are one group. With ``space``, so are those within ``threshold`` of the picture that stands
    for them, in that space's own distance: some bits in a hamming space, 0.01 in a cosine one. With ``verify``, by default
    where the space is a hash, they have to be the same by their pixels as well.
    """

    def __init__(
        self,
        name: str = "duplicates",
        space: str | None = None,
        threshold: float | None = None,
        verify: bool | None = None,
    ) -> None:
        if (space is None) != (threshold is None):
            raise ConfigError(
                f"annotator.space is {space} and annotator.threshold {threshold}. Give both, or neither: equal bytes only"
            )
        if threshold is not None and threshold < 0:
            raise ConfigError(f"annotator.threshold is {threshold}. Give a distance from 0")
        self.name = name
        self.space = space
        self.threshold = threshold
        self.verify = verify
        self.spaces = [] if space is None else [space]
        self.columns = {
            "duplicate_group": pa.string(),
            "duplicate_count": pa.int32(),
            "is_duplicate": pa.bool_(),
        }

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.annotator.duplicates.DuplicatesAnnotator",
            "name": self.name,
            "space": self.space,
            "threshold": self.threshold,
            "verify": self.verify,
        }

    def survey(self, whole: Whole) -> pa.Table:
        n = whole.catalog.n_ready
        near = None
        if self.space is not None and self.threshold is not None:
            embeddings, search = whole.embeddings[self.space], partial(whole.search, self.space)
            verify = embeddings.space.metric == "hamming" if self.verify is None else self.verify
            alike = Verifier(whole.read) if verify else None
            near = Near(embeddings.space, embeddings.vectors, search, self.threshold, alike)
        best = owners(whole.catalog, near, whole.progress)
        count = np.bincount(best, minlength=n)[best].astype(np.int32)
        names = whole.catalog.ready("item_id").take(pa.array(best, mask=count == 1))
        values = [names.cast(pa.string()), count, best != np.arange(n)]
        return pa.table(values, schema=pa.schema(list(self.columns.items())))
