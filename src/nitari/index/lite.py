"""A milvus-lite of an index's own: a folder that is written with the artifact, and copied before it is opened."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from nitari.files import sha256_of
from nitari.index.remote import Table

FILE = "milvus.db"


class Lite:
    """milvus-lite writes to its files, and lets one process in: an artifact's are copied to a temporary folder.

    ``files`` are name -> sha256 of what is published at ``origin``; both are empty until ``save``.
    """

    def __init__(self, origin: Path | None = None, files: dict[str, str] | None = None) -> None:
        self.origin = origin
        self.files = files or {}

    def file(self) -> str:
        """A place for it to be opened at, with a copy of ``origin`` where there is one. It goes when this object does."""
        folder = Path(tempfile.mkdtemp(prefix="nitari-milvus-"))
        weakref.finalize(self, _end, folder)
        if self.origin is not None:
            shutil.copytree(self.origin, folder / FILE)
        return str(folder / FILE)

    def save(self, path: Path, table: Table | None) -> None:
        """Copy it under ``path``. The first time, ``table`` is what was built: it is closed, and no longer to be used."""
        if self.origin is None:
            assert table is not None
            table.close()  # what it holds is on disk after that
            kept = Path(table.uri).with_name("kept.db")  # milvus-lite is started once a name
            Path(table.uri).rename(kept)
            (kept / "LOCK").unlink(missing_ok=True)
            self.origin = kept
        shutil.copytree(self.origin, path / FILE)
        files = sorted(file for file in (path / FILE).rglob("*") if file.is_file())
        self.files = self.files or {file.relative_to(path).as_posix(): sha256_of(file) for file in files}


def _end(folder: Path) -> None:
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(str(folder / FILE))
    shutil.rmtree(folder, ignore_errors=True)
