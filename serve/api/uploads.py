"""Uploads: pictures that clients add to a collection. Their originals are kept beside it, as the source 'uploads'."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection as Collection_
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nitari.collection import Collection
from nitari.files import sync
from nitari.source.folder import FolderSource
from nitari.steps.append import append

SOURCE = "uploads"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 64  # characters of a name, the last ones


class Uploads:
    """``folder`` is ingested as any other source: ``nitari ingest source.path=… source.name=uploads``."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.folder = collection.path / SOURCE

    def keep(self, data: bytes, name: str) -> str:
        """Write a picture's bytes, on disk when this returns, and return the file's name: the client's one, made safe, after
        a digest. The same bytes are kept once.
        """
        digest = hashlib.sha256(data).hexdigest()[:32]
        with self.collection.lock("uploads", wait=True):
            if there := next(self.folder.glob(f"{digest}-*"), None):
                return there.name
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{digest}-{_UNSAFE.sub('_', name)[-_LONGEST:] or 'picture'}"
            aside = self.folder / f".{path.name}.tmp"
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            sync(self.folder)
            return path.name

    def forget(self, items: Collection_[str]) -> int:
        """Delete the originals of items, for good; returns how many there were."""
        if not self.folder.is_dir():
            return 0
        listing = FolderSource(str(self.folder), SOURCE).listing().select(["item_id", "file_name"]).to_pylist()
        gone = [one["file_name"] for one in listing if one["item_id"] in items]
        for name in gone:
            (self.folder / name).unlink(missing_ok=True)
        return len(gone)

    def append(self, names: Sequence[str]) -> dict[str, Any]:
        """Take kept files into the collection: ``added``, ``known`` and ``removed`` counts, ``items`` by name, ``refused``."""
        source = FolderSource(str(self.folder), SOURCE)
        listing = source.listing()
        listing = listing.filter(pc.is_in(listing.column("file_name"), value_set=pa.array(list(names), pa.string())))
        done = append(self.collection, listing, source_name=SOURCE, about=source.about, workers=1)
        items = dict(zip(listing.column("file_name").to_pylist(), listing.column("item_id").to_pylist(), strict=True))
        for one in done.refused:  # nobody will ask for them
            (self.folder / one["file_name"]).unlink(missing_ok=True)
            items.pop(one["file_name"], None)
        refused = [{name: one[name] for name in ("file_name", "reason", "message")} for one in done.refused]
        return {
            "added": done.counts.get("ready", 0),
            "known": done.known,
            "removed": done.removed,
            "items": items,
            "refused": refused,
        }
