"""Files: written whole or not at all, shared, and known by their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

_PIECE = 1 << 20


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """fsync a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, text: str) -> None:
    """Write aside, fsync, rename: a reader sees the old text or the new one, never half."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def link_or_copy(source: Path, destination: Path) -> None:
    """Share an immutable file between artifacts: a hard link, or a copy where the file system has none."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


def read_ahead(files: Iterable[Path], room: int, stopped: Callable[[], bool] = bool) -> int:
    """Read files once, in order, so that the system has them in memory when they are mapped; those that do not fit into the
    ``room`` bytes that are left are passed over. Returns the bytes that were read, until it was ``stopped``.
    """
    piece, read = bytearray(_PIECE), 0
    for path in files:
        if read + path.stat().st_size > room:
            continue
        with path.open("rb", buffering=0) as file:
            while not stopped() and (got := file.readinto(piece)):
                read += got
    return read
