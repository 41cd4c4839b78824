"""Columns: what a catalog says of each row, as one text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from nitari.catalog import Catalog
from nitari.text.build import BATCH

_EXTENSION = r"\.\w{1,5}$"


def texts(catalog: Catalog, columns: Sequence[str], first: int = 0) -> Iterator[str]:
    """What the columns of each ready row from ``first`` on say; of a ``file_name`` the extension is left out."""
    read = [(name, catalog.ready(name)) for name in columns]
    for start in range(first, catalog.n_ready, BATCH):
        values = []
        for name, column in read:
            block = column[start : start + BATCH].cast(pa.large_string())
            if name == "file_name":
                block = pc.replace_substring_regex(block, _EXTENSION, "")
            values.append(block.to_pylist())
        for row in zip(*values, strict=True):
            yield "\n".join(value for value in row if value)
