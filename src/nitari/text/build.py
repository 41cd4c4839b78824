"""Build an inverted file: for each term the rows that hold it, and for each row its terms. Sorted, flat, memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nitari.text.vocabulary import signature
from nitari.text.words import terms

BATCH = 1 << 15  # rows whose terms are held as Python objects at once
_SIGNED = 1 << 20  # bytes of the vocabulary whose signatures are computed at once
_MOST = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class _Batch:
    """The postings of some consecutive rows, ordered by term and then by row. Terms are numbered within the batch."""

    vocabulary: pa.Array
    ids: np.ndarray
    rows: np.ndarray  # of the whole index
    counts: np.ndarray  # uint8


def write(path: Path, texts: Iterable[str | None]) -> dict[str, int]:
    """Write the index of ``texts``, one a row, into the folder ``path``; returns how many rows, terms and postings it has.

    Memory is bounded by the vocabulary and one batch, not by the rows.
    """
    lengths: list[np.ndarray] = []
    vocabularies, files, used, telling = [], [], [], 0
    for number, batch in enumerate(_batches(iter(texts), lengths)):
        files.append(path / f".batch-{number}.npz")
        np.savez(files[-1], ids=batch.ids, rows=batch.rows, counts=batch.counts)
        vocabularies.append(batch.vocabulary)
        used.append(np.bincount(batch.ids, minlength=len(batch.vocabulary)))
        telling += len(batch.ids)
    ranks, vocabulary = _merge(vocabularies)
    held = np.zeros(len(vocabulary), np.int64)
    for rank, count in zip(ranks, used, strict=True):
        held[rank] += count
    n = sum(len(part) for part in lengths)
    np.save(path / "lengths.npy", np.concatenate([*lengths, np.empty(0, np.uint16)]))
    np.save(path / "starts.npy", _starts(held))
    _save_vocabulary(path, vocabulary)
    _place(path, files, ranks, used, n, telling)
    return {"rows": n, "terms": len(vocabulary), "postings": telling}


def _batches(texts: Iterator[str | None], lengths: list[np.ndarray]) -> Iterator[_Batch]:
    """Appends the number of terms of each row to ``lengths``."""
    first = 0
    while batch := list(islice(texts, BATCH)):
        numbers: dict[str, int] = {}
        ids: list[int] = []
        sizes = []
        for text in batch:
            before = len(ids)
            ids += [numbers.setdefault(term, len(numbers)) for term in terms(text or "")]
            sizes.append(len(ids) - before)
        size = np.array(sizes, np.int64)
        keys = np.array(ids, np.int64) * BATCH + np.repeat(np.arange(len(batch)), size)
        keys, counts = np.unique(keys, return_counts=True)
        lengths.append(np.minimum(size, _MOST).astype(np.uint16))
        yield _Batch(
            pa.array(list(numbers), pa.large_string()),
            (keys // BATCH).astype(np.int32),
            (keys % BATCH + first).astype(np.int32),
            np.minimum(counts, 255).astype(np.uint8),
        )
        first += len(batch)


def _merge(vocabularies: list[pa.Array]) -> tuple[list[np.ndarray], pa.Array]:
    """For each batch the place of its terms in the whole vocabulary, and that vocabulary, sorted by UTF-8."""
    together = pa.chunked_array(vocabularies, pa.large_string()).combine_chunks().dictionary_encode()
    order = pc.sort_indices(together.dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ends = np.cumsum([len(part) for part in vocabularies], dtype=np.int64)
    ranks = np.split(rank[together.indices.to_numpy()], ends[:-1]) if vocabularies else []
    return ranks, together.dictionary.take(pa.array(order))


def _save_vocabulary(path: Path, vocabulary: pa.Array) -> None:
    """UTF-8 bytes of all terms, where each begins, and a bit set a term of the bytes it has."""
    buffers = vocabulary.buffers()
    starts = (
        np.zeros(1, np.int64) if not len(vocabulary) else np.frombuffer(buffers[1], np.int64)[: len(vocabulary) + 1]
    )
    letters = np.empty(0, np.uint8) if not len(vocabulary) else np.frombuffer(buffers[2], np.uint8)[: starts[-1]]
    signatures = np.empty(len(vocabulary), np.uint64)
    first = 0
    while first < len(vocabulary):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + _SIGNED)) - 1)
        signatures[first:last] = signature(letters[starts[first] : starts[last]], starts[first:last] - starts[first])
        first = last
    np.save(path / "letters.npy", letters)
    np.save(path / "letter_starts.npy", starts)
    np.save(path / "signatures.npy", signatures)


def _place(
    path: Path, files: list[Path], ranks: list[np.ndarray], used: list[np.ndarray], n: int, postings: int
) -> None:
    """Put each batch's postings behind those of the batches before it, term by term, and its rows' terms in a row."""
    cursor = np.load(path / "starts.npy")[:-1]
    rows = _create(path / "rows.npy", postings, np.int32)
    counts = _create(path / "counts.npy", postings, np.uint8)
    own = _create(path / "own.npy", postings, np.int32)
    sizes, written = np.zeros(n, np.int64), 0
    for file, rank, count in zip(files, ranks, used, strict=True):
        with np.load(file) as batch:
            ids, held, times = batch["ids"], batch["rows"], batch["counts"]
        first = np.cumsum(count) - count
        at = np.repeat(cursor[rank] - first, count) + np.arange(len(ids))
        rows[at], counts[at] = held, times
        cursor[rank] += count
        own[written : written + len(ids)] = rank[ids][np.lexsort((rank[ids], held))]
        written += len(ids)
        sizes += np.bincount(held, minlength=n)
        file.unlink()
    for array in (rows, counts, own):
        if isinstance(array, np.memmap):
            array.flush()
    np.save(path / "own_starts.npy", _starts(sizes))


def _create(file: Path, n: int, dtype: type[np.generic]) -> np.ndarray:
    if not n:  # an empty file cannot be mapped
        np.save(file, np.empty(0, dtype))
        return np.empty(0, dtype)
    return np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(n,))


def _starts(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
