"""Shards: an array filled part by part, in threads, so that a killed run goes on after its last finished part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from nitari.steps import Progress

FLUSH = 1.0
"""Seconds between two flushes: with the parts under way, what a killed run loses."""


def parts(n: int, size: int) -> Iterator[slice]:
    """``n`` rows in slices of ``size``; the last may be shorter."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def resumable(file: Path, shape: tuple[int, ...], dtype: str) -> np.memmap:
    """A writable memory map of a .npy file, zeros at first; what an earlier run left is kept. No side may be 0."""
    if not file.exists():
        aside = file.with_suffix(".tmp")
        np.lib.format.open_memmap(aside, mode="w+", dtype=dtype, shape=shape).flush()
        aside.replace(file)
    return np.lib.format.open_memmap(file, mode="r+")


def fill(
    marks: Path,
    n: int,
    size: int,
    store: Callable[[slice], None],
    flush: Callable[[], None],
    *,
    threads: int,
    report: Callable[[int], None],
) -> None:
    """Call ``store`` with each part of ``n`` rows that ``marks`` does not hold as finished, in threads.

    Parts are marked together every ``FLUSH`` seconds, after ``flush`` returned, so that what is marked is on disk.
    ``report`` gets the rows of each part. The first error stops the work and is raised; what was finished is marked.
    """
    if not n:
        return
    slices = list(parts(n, size))
    done = resumable(marks, (len(slices),), "bool")
    report(sum(part.stop - part.start for part, finished in zip(slices, done, strict=True) if finished))
    stored: list[int] = []
    settled = time.monotonic()

    def settle() -> None:
        flush()
        done[stored] = True
        done.flush()
        stored.clear()

    with ThreadPoolExecutor(threads, thread_name_prefix=marks.stem) as pool:
        try:
            waiting = {pool.submit(store, slices[i]): int(i) for i in np.flatnonzero(~done)}
            for future in as_completed(waiting):
                future.result()
                stored.append(waiting[future])
                report(slices[waiting[future]].stop - slices[waiting[future]].start)
                if time.monotonic() - settled > FLUSH:
                    settle()
                    settled = time.monotonic()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            settle()


class Tally:
    """Adds up the rows that several calls of ``fill`` report."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, rows: int) -> None:
        self.done += rows
        self.progress(self.done, self.total)
