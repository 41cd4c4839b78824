"""Changes: what came to a collection and what was taken from it since its catalog was made; they apply to every release.

``additions/<id>/`` are small collections of their own, each published by one rename. ``removed.jsonl`` has one line an
item that was removed, or restored. The next ingest and build take both in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from nitari import lines
from nitari.artifact import sync, write_atomic
from nitari.collection import Collection
from nitari.errors import DamagedArtifactError, QueryError

SPACES = "spaces.json"
_LONGEST = 16
_MEND = "Mend it, so that what was removed stays so"


class Stamp(NamedTuple):
    """Two of these are equal as long as nothing changed."""

    additions: tuple[str, ...]
    removed: tuple[int, int]


class Changes:
    """Reads without a lock; one process at a time writes, and others wait for it."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._folder = collection.path / "additions"
        self._removed = collection.path / "removed.jsonl"

    @property
    def stamp(self) -> Stamp:
        try:
            stat = self._removed.stat()
            removed = stat.st_size, stat.st_mtime_ns
        except FileNotFoundError:
            removed = 0, 0
        return Stamp(tuple(self.ids()), removed)

    def ids(self) -> list[str]:
        """Of the additions, oldest first."""
        try:
            return sorted(entry.name for entry in os.scandir(self._folder))
        except FileNotFoundError:
            return []

    def addition(self, addition_id: str) -> Collection:
        """An addition, as the collection that it is."""
        return Collection(self._folder, addition_id)

    def spaces(self, addition_id: str) -> dict[str, str]:
        """``Embeddings.key`` of each space whose vectors an addition's may be compared with."""
        file = self._folder / addition_id / SPACES
        try:
            return {str(name): str(key) for name, key in json.loads(file.read_bytes()).items()}
        except (OSError, ValueError, AttributeError) as error:
            raise DamagedArtifactError(
                f"Addition '{addition_id}' cannot be read: '{SPACES}' {error}. Remove '{file.parent}', and append again"
            ) from None

    def admit(self, work: Path, addition_id: str, spaces: Mapping[str, str]) -> Collection:
        """Publish the collection that was prepared in ``work``, by one rename."""
        write_atomic(work / SPACES, json.dumps(spaces))
        self._folder.mkdir(parents=True, exist_ok=True)
        sync(work)
        work.rename(self._folder / addition_id)
        sync(self._folder)
        return self.addition(addition_id)

    def removed(self) -> frozenset[str]:
        """Ids of the items that are removed now. Raises DamagedArtifactError naming the line that cannot be read."""
        found: set[str] = set()
        for number, entry in lines.read(self._removed, _MEND):
            try:
                (found.add if entry["removed"] else found.discard)(str(entry["item_id"]))
            except KeyError:
                raise DamagedArtifactError(f"Line {number} of '{self._removed}' cannot be read. {_MEND}") from None
        return frozenset(found)

    def remove(self, items: Iterable[str]) -> int:
        """Hide items at once and for good; returns how many were not removed before. On disk when this returns."""
        return self._write(items, True)

    def restore(self, items: Iterable[str]) -> int:
        """Take a removal back, as far as the item is still there; returns how many had been removed."""
        return self._write(items, False)

    def _write(self, items: Iterable[str], removed: bool) -> int:
        with self.collection.lock("removals", wait=True):
            known = self.removed()
            chosen = [item for item in dict.fromkeys(items) if (item in known) != removed]
            for item in chosen:
                if not item.isascii() or not 0 < len(item) <= _LONGEST:
                    raise QueryError(
                        f"'{item}' is no item id. Give ids of at most {_LONGEST} letters and digits, as results have"
                    )
            if not chosen:
                return 0
            when = datetime.now(UTC).isoformat(timespec="seconds")
            lines.append(self._removed, [{"item_id": item, "removed": removed, "when": when} for item in chosen])
            return len(chosen)
