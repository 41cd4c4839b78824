"""The source that a path names by what is there: a folder, a tar or several, a table of paths, one picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from nitari.errors import SourceError
from nitari.source import Source
from nitari.source.folder import FolderSource
from nitari.source.listing import Listing, finish
from nitari.source.table import TableSource
from nitari.source.tar import TarSource

_TABLES = (".csv", ".jsonl", ".parquet")


class FileSource:
    """One picture file."""

    def __init__(self, path: str, name: str = "main") -> None:
        self.path = Path(path).expanduser()
        self.name = name

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": "file", "path": str(self.path.resolve())}

    def listing(self) -> pa.Table:
        status = self.path.stat()
        listing = Listing(self.name)
        fingerprint = f"{status.st_size}-{status.st_mtime_ns}"
        listing.add(self.path.name, str(self.path.resolve()), size=status.st_size, fingerprint=fingerprint)
        table = listing.table()
        return finish(table, table.select([]), f"'{self.path}'")


def named(path: str, name: str = "main") -> Source:
    """A folder (of tars, if it holds nothing else), a .tar or a pattern of them, a .csv, .jsonl or .parquet, or one file.

    Raises SourceError where there is nothing.
    """
    there = Path(path).expanduser()
    if there.is_dir():
        files = [entry.suffix.lower() for entry in there.iterdir() if not entry.name.startswith(".")]
        tars = bool(files) and set(files) == {".tar"}
        return TarSource(path, name) if tars else FolderSource(path, name)
    if there.suffix.lower() == ".tar" or (re.search(r"[*?\[{]", path) and not there.exists()):
        return TarSource(path, name)
    if not there.is_file():
        raise SourceError(f"'{path}' does not exist. Give a folder, a .tar, a .csv, .jsonl or .parquet, or a picture")
    return TableSource(path, name) if there.suffix.lower() in _TABLES else FileSource(path, name)
