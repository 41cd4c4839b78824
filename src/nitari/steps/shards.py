"""Shards: an array filled part by part, in threads or by an executor, so that a killed run goes on after its last finished part."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import numpy as np

from nitari.executor import Executor, Shard
from nitari.steps import Progress
from nitari.threads import pool

log = logging.getLogger(__name__)

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


class _Marks:
    """Which parts are finished. They are marked together every ``FLUSH`` seconds, after ``flush`` returned, so that what
    is marked is on disk; ``marked`` gets each of them then.
    """

    def __init__(
        self,
        file: Path,
        n: int,
        size: int,
        flush: Callable[[], None],
        report: Callable[[int], None],
        marked: Callable[[slice], None] = lambda part: None,
    ) -> None:
        self.slices = list(parts(n, size))
        self.flush, self.report, self.marked = flush, report, marked
        self.done = resumable(file, (len(self.slices),), "bool")
        self.waiting = [int(i) for i in np.flatnonzero(~self.done)]
        report(sum(part.stop - part.start for part, done in zip(self.slices, self.done, strict=True) if done))
        self._stored: list[int] = []
        self._settled = time.monotonic()

    def add(self, i: int) -> None:
        self._stored.append(i)
        self.report(self.slices[i].stop - self.slices[i].start)
        if time.monotonic() - self._settled > FLUSH:
            self.settle()

    def settle(self) -> None:
        self.flush()
        self.done[self._stored] = True
        self.done.flush()
        for i in self._stored:
            self.marked(self.slices[i])
        self._stored.clear()
        self._settled = time.monotonic()


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

    Parts are marked every ``FLUSH`` seconds, after ``flush`` returned. ``report`` gets the rows of each part. The first
    error stops the work and is raised; what was finished is marked.
    """
    if not n:
        return
    noted = _Marks(marks, n, size, flush, report)
    with pool(threads, marks.stem) as workers:
        try:
            waiting = {workers.submit(store, noted.slices[i]): i for i in noted.waiting}
            for future in as_completed(waiting):
                future.result()
                noted.add(waiting[future])
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            noted.settle()


def spread(
    marks: Path,
    n: int,
    size: int,
    executor: Executor,
    task: str,
    common: Mapping[str, Any],
    file: Callable[[slice], Path],
    take: Callable[[slice], None],
    flush: Callable[[], None],
    *,
    report: Callable[[int], None],
    keep: bool = False,
) -> None:
    """As ``fill``, by an executor's workers: ``task`` gets ``common``, the ``start`` and ``stop`` of a part and the
    ``file`` that it leaves, written aside and renamed; ``take`` takes that file up here.

    Files that a killed run left are taken up first. They are removed once what they held is marked, unless ``keep``.
    A ``warning`` in a task's result is logged.
    """
    if not n:
        return
    noted = _Marks(marks, n, size, flush, report, lambda part: None if keep else file(part).unlink(missing_ok=True))
    shards, numbers = [], []
    try:
        for i in noted.waiting:
            part = noted.slices[i]
            if file(part).exists():
                take(part)
                noted.add(i)
                continue
            own = {"start": part.start, "stop": part.stop, "file": str(file(part).absolute())}
            shards.append(Shard({"common": dict(common), **own}, part.stop - part.start))
            numbers.append(i)
        for result in executor.run(task, shards):
            if result.value.get("warning"):
                log.warning("%s", result.value["warning"])
            take(noted.slices[numbers[result.shard]])
            noted.add(numbers[result.shard])
    finally:
        noted.settle()


class Tally:
    """Adds up the rows that several calls of ``fill`` report."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, rows: int) -> None:
        self.done += rows
        self.progress(self.done, self.total)
