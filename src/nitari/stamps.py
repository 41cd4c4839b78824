"""Stamps: the size, mtime and inode that an artifact's files had when they were last read in full, and right; and the mark of
one that was pulled. Both lie beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from nitari.files import write_atomic


class Stamps:
    """Of the artifact at ``path``, beside it, while its manifest has this ``digest``."""

    def __init__(self, path: Path, digest: str) -> None:
        self.file = stamp_file(path)
        self.digest = digest

    def read(self) -> dict[str, list[int]]:
        try:
            stored = json.loads(self.file.read_text(encoding="utf-8"))
            return dict(stored["files"]) if stored["digest"] == self.digest else {}
        except (OSError, ValueError, TypeError, KeyError):  # absent or damaged: everything is verified again
            return {}

    def write(self, stamps: Mapping[str, list[int]]) -> None:
        try:
            write_atomic(self.file, json.dumps({"digest": self.digest, "files": dict(stamps)}))
        except OSError:  # a read-only store is verified again each time
            return


def stamped(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def stamp_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.verified")


def pulled_file(path: Path) -> Path:
    """It is there where an artifact was built elsewhere."""
    return path.with_name(f".{path.name}.pulled")
