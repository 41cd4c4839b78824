"""Thumbnails: upright RGB JPEGs in tar shards, row-aligned with the ready rows of the catalog that pins them.

``<size>/part-*.tar`` hold the pictures as ``<item_id>.jpg``, in an order that webdataset reads; ``index-<size>.parquet``
says where each row's picture lies: shard (path inside the artifact), offset, size, crc32. Size is the longer side, in
pixels; the aspect is kept and nothing is enlarged.
"""

from __future__ import annotations

import os
import secrets
import tarfile
import threading
import zlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from nitari.artifact import Artifact
from nitari.command import command
from nitari.errors import DamagedArtifactError, QueryError

QUALITY = 92
INDEX_SCHEMA = pa.schema(
    [
        ("shard", pa.dictionary(pa.int32(), pa.string())),
        ("offset", pa.int64()),
        ("size", pa.int32()),
        ("crc32", pa.uint32()),
    ]
)


class _Index(NamedTuple):
    shards: list[str]
    shard: np.ndarray  # (n_ready,) int32, into shards
    offset: np.ndarray
    size: np.ndarray
    crc32: np.ndarray


class Thumbnails:
    """Random access to a published set of thumbnails. Thread-safe; files are opened once and read by position."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.sizes: list[int] = sorted(int(size) for size in artifact.manifest.info["sizes"])
        self._indexes: dict[int, _Index] = {}
        self._files: dict[str, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self.artifact.manifest.counts["thumbnails"])

    def __del__(self) -> None:
        for descriptor in getattr(self, "_files", {}).values():
            os.close(descriptor)

    def size_for(self, side: int) -> int | None:
        """The smallest kept size of at least ``side`` pixels, or None when originals have to be read."""
        return next((size for size in self.sizes if size >= side), None)

    def read(self, rows: Iterable[int], size: int) -> list[np.ndarray]:
        """The rows' pictures, each (h, w, 3) uint8 RGB with a longer side of at most ``size``."""
        return [decode(data) for data in self.read_bytes(rows, size)]

    def read_bytes(self, rows: Iterable[int], size: int) -> list[bytes]:
        """The rows' JPEG files as stored; raises DamagedArtifactError where a checksum differs."""
        index = self._index(size)
        return [self._entry(index, int(row), size) for row in rows]

    def _entry(self, index: _Index, row: int, size: int) -> bytes:
        if not 0 <= row < len(index.offset):
            raise QueryError(f"There are {len(index.offset)} thumbnails of {size} px, and none of row {row}")
        shard = index.shards[index.shard[row]]
        data = os.pread(self._open(shard), int(index.size[row]), int(index.offset[row]))
        if zlib.crc32(data) != index.crc32[row]:
            raise DamagedArtifactError(
                f"thumbnails '{self.artifact.id}' are damaged: row {row} in '{shard}' fails its checksum. "
                f"Remove the directory and renew it with: {command('ingest', self.artifact.home)}"
            )
        return data

    def _open(self, shard: str) -> int:
        descriptor = self._files.get(shard)
        if descriptor is None:
            with self._lock:
                descriptor = self._files.get(shard)
                if descriptor is None:
                    try:
                        descriptor = os.open(self.artifact.path / shard, os.O_RDONLY)
                    except FileNotFoundError:
                        raise DamagedArtifactError(
                            f"thumbnails '{self.artifact.id}' lack their file '{shard}'"
                        ) from None
                    self._files[shard] = descriptor
        return descriptor

    def _index(self, size: int) -> _Index:
        index = self._indexes.get(size)
        if index is None:
            if size not in self.sizes:
                kept = ", ".join(map(str, self.sizes))
                raise QueryError(
                    f"No thumbnails of {size} px are kept, only: {kept}. Add it with: thumbnails=[…,{size}]"
                )
            table = pq.read_table(self.artifact.file(index_file(size)), schema=INDEX_SCHEMA).unify_dictionaries()
            shard = table.column("shard").combine_chunks()
            shard = shard.chunk(0) if isinstance(shard, pa.ChunkedArray) else shard
            index = _Index(
                shard.dictionary.to_pylist(),
                shard.indices.to_numpy(),
                *(table.column(name).to_numpy() for name in ("offset", "size", "crc32")),
            )
            self._indexes[size] = index
        return index


def index_file(size: int) -> str:
    return f"index-{size}.parquet"


def encode(pixels: np.ndarray, quality: int = QUALITY) -> bytes:
    """(h, w, 3) uint8 RGB -> JPEG without colour subsampling."""
    return bytes(
        simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality, colorspace="RGB", colorsubsampling="444")
    )


decode = partial(simplejpeg.decode_jpeg, colorspace="RGB")
"""JPEG -> (h, w, 3) uint8 RGB. Every reader of thumbnails uses this, so that all see the same pixels."""


class Place(NamedTuple):
    """Where a picture lies in its shard."""

    offset: int
    size: int
    crc32: int


class ShardWriter:
    """Writes one tar shard (POSIX ustar, fixed owner and time, so that equal pictures give equal bytes)."""

    _HEADER = bytearray(tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT))
    _SUM = sum(_HEADER[:148]) + 8 * ord(" ") + sum(_HEADER[156:]) - sum(_HEADER[124:135])  # without its size field

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # two workers may be at it
        self.file = self.aside.open("wb")
        self.at = 0

    def add(self, item_id: str, data: bytes) -> Place:
        name, size = f"{item_id}.jpg".encode(), b"%011o" % len(data)
        header = self._HEADER.copy()
        header[: len(name)] = name
        header[124:135] = size
        header[148:156] = b"%06o\0 " % (self._SUM + sum(name) + sum(size))
        padding = -len(data) % tarfile.BLOCKSIZE
        self.file.write(b"".join((header, data, bytes(padding))))
        place = Place(self.at + tarfile.BLOCKSIZE, len(data), zlib.crc32(data))
        self.at += tarfile.BLOCKSIZE + len(data) + padding
        return place

    def close(self) -> None:
        """End the archive and rename it into place; nothing of that name is seen before."""
        self.file.write(bytes(2 * tarfile.BLOCKSIZE))
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.aside.replace(self.path)
