"""A folder tree of pictures, with ``metadata.csv``, ``.jsonl`` or ``.parquet`` in it or without."""

from __future__ import annotations

import logging
import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nitari import storage
from nitari.errors import SourceError
from nitari.source import columns, metadata, objects
from nitari.source.listing import Listing, finish, text

log = logging.getLogger(__name__)

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class FolderSource:
    """Every file under ``path``; what is not a picture is found out when it is read, and then has its row too.

    A metadata file has a column ``file_name``, relative to the folder it lies in (the imagefolder convention); its other
    columns go to the catalog. The column ``folder`` says where in the tree a picture lies. Hidden files are passed over.
    Links are followed to files inside the tree and nowhere else. ``path`` may be the URL of a folder of an object store;
    an item has the same id there.
    """

    def __init__(self, path: str, name: str = "main") -> None:
        self.path = path
        self.name = name

    @property
    def root(self) -> str:
        return self.path.rstrip("/") if storage.is_url(self.path) else str(Path(self.path).expanduser().resolve())

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": "folder", "path": self.root}

    def listing(self) -> pa.Table:
        root = self.root
        walked = objects.walk(root) if storage.is_url(root) else _walk(Path(root))
        listing = Listing(self.name)
        tables = []
        for key, entry in walked:
            if isinstance(entry, OSError):
                listing.add(
                    key,
                    storage.join(root, key),
                    reason="unreadable_file",
                    message=f"This folder cannot be read: {entry.strerror}",
                )
            elif (
                entry.name in _METADATA
                and (table := _metadata(storage.join(root, key), posixpath.dirname(key))) is not None
            ):
                tables.append(table)
            elif isinstance(entry, storage.Entry):
                listing.add(key, entry.url, size=entry.size, fingerprint=entry.fingerprint)
            else:
                _add(listing, key, entry, Path(root))
        rows = listing.table()
        data = pa.table({"file_name": rows.column("file_name")})
        if tables:
            rows, data = self._join(rows, columns.concat(tables), root)
        if "folder" not in data.column_names:
            folders = pc.replace_substring_regex(rows.column("file_name"), r"/?[^/]*$", "")
            data = data.add_column(0, "folder", pc.if_else(pc.equal(folders, ""), None, folders))
        return finish(rows, data.drop_columns("file_name"), f"'{self.path}'")

    def _join(self, rows: pa.Table, data: pa.Table, root: str) -> tuple[pa.Table, pa.Table]:
        """Metadata in the order of its files; rows without a file come at the end, as missing."""
        names = data.column("file_name")
        first = pc.index_in(pc.unique(names), value_set=names)
        if len(first) < len(names):
            log.warning("%d rows of metadata name a file again; the first one counts", len(names) - len(first))
        absent = Listing(self.name)
        unmatched = pc.invert(pc.is_in(pc.unique(names), value_set=rows.column("file_name")))
        for key in pc.unique(names).filter(unmatched).to_pylist():
            if _inside(key):
                absent.add(
                    key, storage.join(root, key), reason="missing", message="Metadata names it, but it is not there"
                )
            else:
                absent.add(key, key, reason="refused", message="Metadata names a path outside of the folder")
        rows = pa.concat_tables([rows, absent.table()])
        return rows, data.take(pc.index_in(rows.column("file_name"), value_set=names))


def _walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str] | OSError]]:
    """Entries below ``root`` with their POSIX path, sorted, a folder's files before its folders; or a folder's error."""
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise SourceError(f"'{root}' {what}. Give the folder that holds the pictures: source.path=PATH")
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            with os.scandir(root / prefix) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield prefix.rstrip("/"), error
            continue
        found = [entry for entry in found if not objects.passed_over(entry.name)]
        yield from ((prefix + entry.name, entry) for entry in found if not entry.is_dir(follow_symlinks=False))
        folders += [f"{prefix}{entry.name}/" for entry in reversed(found) if entry.is_dir(follow_symlinks=False)]


def _add(listing: Listing, key: str, entry: os.DirEntry[str], root: Path) -> None:
    reason = message = None
    size, fingerprint = 0, ""
    try:
        status = entry.stat()
        size, fingerprint = status.st_size, f"{status.st_size}-{status.st_mtime_ns}"
        if not stat.S_ISREG(status.st_mode):
            what = "a link to a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file"
            reason, message = "refused", f"This is {what}, which is not followed"
        elif entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
            reason, message = "refused", "This is a link out of the folder, which is not followed"
    except OSError as error:  # a link to nothing
        reason, message = "missing", f"It cannot be found: {error.strerror}"
    listing.add(key, entry.path, size=size, fingerprint=fingerprint, reason=reason, message=message)


def _metadata(path: str, folder: str) -> pa.Table | None:
    """Its table with ``file_name`` relative to the root, or None where it has no such column."""
    table = metadata.read(path)
    if "file_name" not in table.column_names:
        log.warning("'%s' has no column 'file_name', so it is listed as any other file", path)
        return None
    table = table.filter(pc.is_valid(table.column("file_name")))

    def placed(name: object) -> str:
        return text(posixpath.normpath(posixpath.join(folder, str(name).replace("\\", "/"))))

    names = table.column("file_name")
    chunks = [pa.array([placed(name) for name in chunk.to_pylist()], pa.string()) for chunk in names.chunks]
    return table.set_column(table.column_names.index("file_name"), "file_name", pa.chunked_array(chunks, pa.string()))


def _inside(key: str) -> bool:
    return not key.startswith(("/", "../")) and key != ".."
