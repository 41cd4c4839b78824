"""Originals: the bytes of a picture where its source keeps it, a file or a stretch of a tar shard."""

from __future__ import annotations

import os

from nitari.errors import PictureError


def read_original(location: str, offset: int, size: int, most: int | None = None) -> bytes:
    """The bytes of a whole file (``offset`` -1) or of a member of a tar; raises PictureError.

    At most ``most`` + 1 bytes of a whole file are read, so that a caller sees that it is larger without holding it.
    """
    try:
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
