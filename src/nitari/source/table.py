"""A CSV, JSON-lines or Parquet table of paths."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from nitari import storage
from nitari.errors import ConfigError, SourceError
from nitari.source import metadata
from nitari.source.listing import Listing, finish
from nitari.storage import Entry

_AT_ONCE = 32  # requests to a store
_TOGETHER = 16_384  # rows that are looked up before the next
_USUAL = ("path", "file_name", "filename", "file", "image", "location")


class TableSource:
    """One item a row of the table ``path``; its other columns go to the catalog.

    ``column`` holds the pictures' paths, relative to ``folder``, which is the table's own where it is not given. Where
    Tables, folders and paths may be URLs of an object store. Where the table has a column ``item_id``, ids are made from it and outlive a move of the files; otherwise from the paths.
    """

    def __init__(self, path: str, name: str = "main", column: str | None = None, folder: str | None = None) -> None:
        self.path = path if storage.is_url(path) else str(Path(path).expanduser().resolve())
        self.name = name
        self.column = column
        start = folder or (storage.parent(path) if storage.is_url(path) else str(Path(self.path).parent))
        self.folder = start.rstrip("/") if storage.is_url(start) else str(Path(start).expanduser().resolve())

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": "table", "path": self.path, "folder": self.folder}

    def listing(self) -> pa.Table:
        table = metadata.read(self.path)
        column = self.column or next((name for name in _USUAL if name in table.column_names), None)
        if column not in table.column_names:
            wanted = f"no column '{column}'" if column else "none of the columns " + ", ".join(_USUAL)
            raise SourceError(
                f"The table '{self.path}' has {wanted}. It has: {', '.join(table.column_names)}. "
                "Name the one that holds the paths: source.column=NAME"
            )
        known = table.column("item_id" if "item_id" in table.column_names else column).cast(pa.string())
        named, listing = table.column(column).cast(pa.string()), Listing(self.name)
        for start in range(0, table.num_rows, _TOGETHER):
            paths = named.slice(start, _TOGETHER).to_pylist()
            places = [self._place(path) if path else "" for path in paths]
            stored = _entries(place for place in places if storage.is_url(place))
            keys = known.slice(start, _TOGETHER).to_pylist()
            for row, (key, path, place) in enumerate(zip(keys, paths, places, strict=True), start):
                self._add(listing, f"row {row}" if key is None else key, path, place, stored)
        return finish(listing.table(), table.drop_columns(column), f"'{self.path}'")

    def _place(self, path: str) -> str:
        if storage.is_url(path):
            return path
        return storage.join(self.folder, path) if storage.is_url(self.folder) else os.path.join(self.folder, path)

    def _add(
        self, listing: Listing, key: str, path: str | None, location: str, stored: Mapping[str, Entry | OSError]
    ) -> None:
        if not path:
            listing.add(key, "", file_name="", reason="missing", message="The table names no path")
            return
        if found := stored.get(location):
            if isinstance(found, Entry) and not found.is_folder:
                listing.add(key, location, file_name=path, size=found.size, fingerprint=found.fingerprint)
                return
            reason = "missing" if isinstance(found, OSError) else "refused"
            what = f"It cannot be found: {found.strerror}" if isinstance(found, OSError) else "This is a folder"
            listing.add(key, location, file_name=path, reason=reason, message=what)
            return
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


def _entries(urls: Iterable[str]) -> dict[str, Entry | OSError]:
    """What a store says of each object, by a request each."""
    chosen = list(dict.fromkeys(urls))
    if not chosen:
        return {}

    def look(url: str) -> Entry | OSError:
        try:
            return storage.entry(url)
        except OSError as error:
            if error.errno == errno.EIO:  # the store fails, and says nothing of the object
                raise SourceError(f"'{url}' cannot be looked up: {error.strerror}. Run again") from None
            return error
        except ConfigError as error:  # no store that is known
            return OSError(errno.EINVAL, str(error))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(chosen, pool.map(look, chosen), strict=True))
