"""Pace: which kinds of questions were answered so quickly before that nobody else has to wait for them."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
QUICK = 0.008  # seconds of a processor: what an answer may take where requests arrive
_WAITED = 3  # times as long it may take by the clock, which other processes hold up
_KINDS = 1024  # that are remembered


class Pace:
    """Runs the work of a kind where it is asked for, which is fastest, if work of that kind was quick before; otherwise in one
    of as many threads as there are processors: more of them would only wait for each other.

    What waits where requests arrive, for a disk or a lock, counts as well; in a thread it may only wait for its turn.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "answering")
        self._taken: OrderedDict[Hashable, float] = OrderedDict()

    async def run(self, kind: Hashable, work: Callable[[], T]) -> T:
        """``kind`` tells what makes work slow."""

        def timed() -> tuple[T, float]:
            start = time.thread_time()
            return work(), time.thread_time() - start

        if self._taken.get(kind, QUICK) < QUICK:
            start = time.perf_counter()
            found, taken = timed()
            taken = max(taken, (time.perf_counter() - start) / _WAITED)
        else:
            found, taken = await asyncio.get_running_loop().run_in_executor(self._threads, timed)
        self._note(kind, taken)
        return found

    def _note(self, kind: Hashable, taken: float) -> None:
        """Slow counts at once, and is forgotten by halves: what is read for the first time is slow once."""
        before = self._taken.pop(kind, taken)
        self._taken[kind] = max(taken, (taken + before) / 2)
        if len(self._taken) > _KINDS:
            self._taken.popitem(last=False)
