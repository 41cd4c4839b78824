"""Starting: what a process does first, so that it is quick to answer, and does not outlive who needs it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType


def without_pandas() -> None:
    """Let pyarrow look for pandas now and not find it: it would import it, for more than a second, at the first value.

    The commands never use pandas. It can still be imported afterwards.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas())
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.pop(0)


def lean() -> None:
    """Keep what a process frees, over weeks, in one place where all of its threads take from it again: glibc gives each thread
    a heap of its own, and Arrow's allocator keeps a third kind, whose parts the kernel makes huge pages of as time goes by.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":
        m_arena_max = -8
        with suppress(AttributeError):  # musl has no arenas
            ctypes.CDLL(None).mallopt(m_arena_max, 1)


@contextmanager
def frugal() -> Iterator[None]:
    """Within, what is large goes back to the system as soon as it is freed: for a job that takes tables of millions of rows
    apart. Training and serving, which need the same memory again and again, would pay for it with page faults.
    """
    import pyarrow as pa

    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    _map_from(1 << 18)
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        _map_from(1 << 25)  # where glibc's own, which grows with what is freed, ends


def _map_from(size: int) -> None:
    m_mmap_threshold = -3
    if sys.platform == "linux":
        with suppress(AttributeError):
            ctypes.CDLL(None).mallopt(m_mmap_threshold, size)


def die_with(parent: int) -> None:
    """On Linux the kernel ends this process with its parent, even while a library holds the interpreter lock."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


class _NoPandas:
    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
