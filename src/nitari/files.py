"""Files: written whole or not at all, shared, and known by their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
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


def machine_memory() -> dict[str, int | None]:
    """Bytes of this machine, ``total`` and ``available``, as Linux tells; None elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return {"total": None, "available": None}
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    return {"total": values.get("MemTotal"), "available": values.get("MemAvailable")}


def read_ahead(files: Iterable[Path], room: int) -> int:
    """Read files once, in order, so that the system has them in memory when they are mapped; those that do not fit into the
    ``room`` bytes that are left are passed over. Returns the bytes that were read.
    """
    piece, read = bytearray(_PIECE), 0
    for path in files:
        size = path.stat().st_size
        if read + size > room:
            continue
        with path.open("rb", buffering=0) as file:
            while got := file.readinto(piece):
                read += got
    return read
