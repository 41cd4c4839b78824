"""Where work runs: beside requests at first, and with them when it was quick before."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nitari.serve.api import pace
from nitari.serve.api.pace import Pace


def ran(coroutine):
    """What it gives, run in a thread of its own: a browser's test may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.fixture
def placed(monkeypatch):
    """Whether each run of work that takes so many seconds was where it was asked for."""
    clock = [0.0]
    monkeypatch.setattr(pace.time, "thread_time", lambda: clock[0])

    async def asked(kind, taking):
        paces, here = Pace(), threading.get_ident()

        def work(seconds):
            clock[0] += seconds
            return threading.get_ident() == here

        return [await paces.run(kind, lambda seconds=seconds: work(seconds)) for seconds in taking]

    return lambda kind, taking: ran(asked(kind, taking))


def test_what_was_quick_runs_with_the_requests_the_next_time(placed):
    assert placed("quick", [0.001] * 3) == [False, True, True]


def test_what_was_slow_runs_beside_them_until_it_was_quick_for_a_while(placed):
    here = placed("slow once", [0.1, *[0.001] * 11])
    assert not any(here[:5])
    assert all(here[-3:])


def test_what_becomes_slow_leaves_at_once(placed):
    assert placed("kind", [0.001, 0.001, 0.5, 0.001]) == [False, True, True, False]


def test_what_waits_where_it_is_asked_for_leaves(monkeypatch):
    """For a disk or a lock, which takes nothing of a processor."""
    clock = iter([0.0, 0.5, 0.5, 0.5])
    monkeypatch.setattr(pace.time, "thread_time", lambda: 0.0)
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(clock))

    async def asked():
        paces, here = Pace(), threading.get_ident()
        return [await paces.run("kind", lambda: threading.get_ident() == here) for _ in range(3)]

    assert ran(asked()) == [False, True, False]


def test_an_error_is_the_askers():
    def fails():
        raise ValueError("no")

    async def asked():
        paces = Pace()
        await paces.run("kind", lambda: None)
        for kind in ("another", "kind"):  # in a thread, and not
            with pytest.raises(ValueError, match="no"):
                await paces.run(kind, fails)

    ran(asked())


def test_requests_are_answered_while_slow_work_runs():
    async def asked():
        paces, ticks = Pace(), 0
        work = asyncio.ensure_future(paces.run("slow", lambda: time.sleep(0.2)))
        while not work.done():
            await asyncio.sleep(0.005)
            ticks += 1
        return ticks

    assert ran(asked()) > 5
