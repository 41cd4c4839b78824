"""A CSV, JSON-lines or Parquet table of paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from nitari.errors import SourceError
from nitari.source import metadata
from nitari.source.listing import Listing, finish

_USUAL = ("path", "file_name", "filename", "file", "image", "location")


class TableSource:
    """One item a row of the table ``path``; its other columns go to the catalog.

    ``column`` holds the pictures' paths, relative to ``folder``, which is the table's own where it is not given. Where
    the table has a column ``item_id``, ids are made from it and outlive a move of the files; otherwise from the paths.
    """

    def __init__(self, path: str, name: str = "main", column: str | None = None, folder: str | None = None) -> None:
        self.path = Path(path).expanduser()
        self.name = name
        self.column = column
        self.folder = (Path(folder).expanduser() if folder else self.path.parent).resolve()

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": "table", "path": str(self.path.resolve()), "folder": str(self.folder)}

    def listing(self) -> pa.Table:
        table = metadata.read(self.path)
        column = self.column or next((name for name in _USUAL if name in table.column_names), None)
        if column not in table.column_names:
            wanted = f"no column '{column}'" if column else "none of the columns " + ", ".join(_USUAL)
            raise SourceError(
                f"The table '{self.path}' has {wanted}. It has: {', '.join(table.column_names)}. "
                "Name the one that holds the paths: source.column=NAME"
            )
        paths = table.column(column).cast(pa.string()).to_pylist()
        keys = table.column("item_id").cast(pa.string()).to_pylist() if "item_id" in table.column_names else paths
        listing = Listing(self.name)
        for row, (key, path) in enumerate(zip(keys, paths, strict=True)):
            self._add(listing, f"row {row}" if key is None else key, path)
        return finish(listing.table(), table.drop_columns(column), f"'{self.path}'")

    def _add(self, listing: Listing, key: str, path: str | None) -> None:
        if not path:
            listing.add(key, "", file_name="", reason="missing", message="The table names no path")
            return
        location = os.path.join(self.folder, path)
        try:
            status = os.stat(location)
        except (OSError, ValueError) as error:
            what = "It is not there" if isinstance(error, FileNotFoundError) else f"It cannot be found: {error}"
            listing.add(key, location, file_name=path, reason="missing", message=what)
            return
        if not os.path.isfile(location):
            listing.add(key, location, file_name=path, reason="refused", message="This is not an ordinary file")
            return
        fingerprint = f"{status.st_size}-{status.st_mtime_ns}"
        listing.add(key, location, file_name=path, size=status.st_size, fingerprint=fingerprint)
