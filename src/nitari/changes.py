"""Changes: what came to a collection and what was taken from it since its catalog was made; they apply to every release.

``additions/<id>/`` are small collections of their own, each published by one rename. ``removed.jsonl`` has one line an
item that was removed, or restored. The next ingest and build take both in.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nitari import lines
from nitari.artifact import MANIFEST
from nitari.cells import ID
from nitari.collection import Collection
from nitari.command import ADDITIONS
from nitari.errors import ArtifactError, DamagedArtifactError, QueryError
from nitari.files import sync, write_atomic

SPACES = "spaces.json"
_LONGEST = 16
_MEND = "Mend it, so that what was removed stays so"


class Stamp(NamedTuple):
    """Two of these are equal as long as nothing changed."""

    additions: tuple[str, ...]
    removed: tuple[int, int]


class Told(NamedTuple):
    """The name, kind and path of the source that an addition's pictures came from, and how many they are."""

    source: str
    kind: str
    path: str
    pictures: int


class Changes:
    """Reads without a lock; one process at a time writes, and others wait for it."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._folder = collection.path / ADDITIONS
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
        with self.reading(addition_id):
            try:
                spaces = json.loads((self._folder / addition_id / SPACES).read_bytes())
                return {str(name): str(key) for name, key in spaces.items()}
            except (OSError, ValueError, AttributeError) as error:
                raise DamagedArtifactError(f"'{SPACES}' is damaged: {error}") from None

    @contextmanager
    def reading(self, addition_id: str) -> Iterator[None]:
        """Errors of an addition's artifacts become one DamagedArtifactError: what is damaged, what was lost, what mends it.

        Their own remedy would renew an artifact of the collection, which is none of an addition.
        """
        try:
            yield
        except ArtifactError as error:
            fact = str(error).partition(". ")[0]
            name, _, path, count = self.told(addition_id) or ("SOURCE", "", "PATH", None)
            lost = (
                "its pictures, and it does not say which" if count is None else f"its {count:,} pictures from '{path}'"
            )
            folder = shlex.quote(str(self._folder / addition_id))
            again = self.collection.command("append", f"path={shlex.quote(path)}", f"source={shlex.quote(name)}")
            raise DamagedArtifactError(
                f"Addition '{addition_id}' cannot be read: {fact}. No search finds {lost}. "
                f"Bring them back with: rm -r {folder} && {again}"
            ) from None

    def told(self, addition_id: str) -> Told | None:
        """What an addition's catalog says of it, even where that is damaged; None where it cannot be made out."""
        try:
            file = max((self._folder / addition_id / "catalog").glob(f"*/{MANIFEST}"))
            manifest = json.loads(file.read_bytes())
            ((name, about),) = manifest["info"]["sources"].items()
            return Told(str(name), str(about["kind"]), str(about["path"]), int(manifest["counts"]["ready"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

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

    def removed_ids(self) -> np.ndarray:
        """``removed`` as (m,) ``ID``, ascending."""
        return np.array(sorted(self.removed()), ID)

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
