"""Originals: the bytes of a picture where its source keeps it, a file or a stretch of a tar shard, here or in a store."""

from __future__ import annotations

import os

from nitari import storage
from nitari.errors import PictureError


def read_original(location: str, offset: int, size: int, most: int | None = None) -> bytes:
    """The bytes of a whole file (``offset`` -1) or of a member of a tar; raises PictureError. Locations may be URLs.

    At most ``most`` + 1 bytes of a whole file are read, so that a caller sees that it is larger without holding it.
    """
    try:
        if storage.is_url(location):
            return _stored(location, offset, size, most)
        descriptor = os.open(location, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            if offset >= 0:
                data = os.pread(descriptor, size, offset)
                if len(data) < size:
                    raise PictureError("unreadable_file", f"'{location}' ends within it")
                return data
            wanted = os.fstat(descriptor).st_size + 1
            if most is not None:
                wanted = min(wanted, most + 1)
            chunks: list[bytes] = []
            while wanted > 0 and (chunk := os.read(descriptor, wanted)):
                chunks.append(chunk)
                wanted -= len(chunk)
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise PictureError("missing", f"'{location}' does not exist") from None
    except OSError as error:
        raise PictureError("unreadable_file", f"'{location}' cannot be read: {error.strerror}") from None


def _stored(url: str, offset: int, size: int, most: int | None) -> bytes:
    if offset >= 0:
        data = storage.read(url, offset, size)
        if len(data) < size:
            raise PictureError("unreadable_file", f"'{url}' ends within it")
        return data
    if not size or most is None:  # of an empty object no stretch can be asked for
        return storage.read(url)
    return storage.read(url, 0, most + 1)
