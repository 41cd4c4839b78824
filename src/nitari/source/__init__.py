"""Sources: where pictures come from. One module a kind; each lists its items without reading the pictures."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import pyarrow as pa


@runtime_checkable
class Source(Protocol):
    """``name`` enters every item's id: within one collection each source has its own, and keeps it."""

    name: str

    @property
    def about(self) -> dict[str, Any]:
        """What the catalog's manifest says of this source, as plain JSON values."""
        ...

    def listing(self) -> pa.Table:
        """One row an item, in a stable order: ``nitari.source.listing.SCHEMA``, then the user's columns.

        Everything is accounted for: what can be seen not to be readable (a file that a table names and that is not
        there, a link out of the tree) has a row with its ``reason``. Raises SourceError when nothing can be listed.
        """
        ...
