"""Cells: single values of a column, read where Arrow keeps them. ``take`` costs far more for the few rows of a page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ID = np.dtype("S16")
"""Item ids as numpy has them: at most so many ASCII letters and digits."""

_BLOCK = 65_536  # rows that are Python's at one time
_FEW = 256  # rows up to which this is faster
Read = Callable[[int], Any]


class Cells:
    """Values of ``column`` (n,) by row, as Python has them. Nothing is copied but what is asked for. Thread-safe."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column
        chunks = [chunk for chunk in column.chunks if len(chunk)]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks)]).tolist()[:-1]
        self._reads = [_reader(chunk) for chunk in chunks]

    def read(self, rows: Sequence[int]) -> list[Any]:
        if len(rows) > _FEW:
            return list(self._column.take(pa.array(rows, pa.int64())).to_pylist())
        if len(self._reads) == 1:
            return [self._reads[0](row) for row in rows]
        found = []
        for row in rows:
            at = bisect_right(self._starts, row) - 1
            found.append(self._reads[at](row - self._starts[at]))
        return found


def _reader(chunk: pa.Array) -> Read:
    """Text and numbers without a missing one are read from their buffers; everything else by pyarrow."""
    if chunk.null_count == 0 and pa.types.is_string(chunk.type):
        _, places, data = chunk.buffers()
        offsets = np.frombuffer(places, np.int32, len(chunk) + 1, 4 * chunk.offset).data
        text = memoryview(data) if data is not None else memoryview(b"")
        return lambda row: str(text[offsets[row] : offsets[row + 1]], "utf-8")
    if chunk.null_count == 0 and (pa.types.is_integer(chunk.type) or chunk.type in (pa.float32(), pa.float64())):
        numbers = memoryview(chunk.to_numpy())
        return lambda row: numbers[row]
    return lambda row: chunk[row].as_py()


def id_bytes(ids: pa.ChunkedArray) -> np.ndarray:
    """(n,) ``ID``, which is read straight from where Arrow keeps it when all are of full length."""
    lengths = pc.min_max(pc.binary_length(ids)).as_py() if len(ids) else {"min": 0}
    if ids.null_count or not pa.types.is_string(ids.type) or set(lengths.values()) != {ID.itemsize}:
        return np.asarray(ids.to_numpy().astype(ID))
    parts = []
    for chunk in ids.chunks:
        if len(chunk):
            first = np.frombuffer(chunk.buffers()[1], np.int32, 1, 4 * chunk.offset)
            parts.append(np.frombuffer(chunk.buffers()[2], ID, len(chunk), int(first[0])))
    return np.concatenate(parts)


def leading_bits(digests: pa.ChunkedArray) -> np.ndarray:
    """(n,) hexadecimal -> (n,) uint64: what their first 16 digits say."""
    first = pc.utf8_slice_codeunits(digests, 0, 16)
    found = np.empty(len(first), np.uint64)
    for start in range(0, len(first), _BLOCK):
        digits = "".join(first.slice(start, _BLOCK).to_pylist())
        found[start : start + _BLOCK] = np.frombuffer(bytes.fromhex(digits), ">u8")
    return found
