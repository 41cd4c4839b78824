"""Where work runs: beside requests at first, and with them when it was quick before."""

import asyncio
import threading
import time

import pytest

from nitari.serve.api import pace
from nitari.serve.api.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    """Seconds that work says it takes."""
    spent = [0.0]
    monkeypatch.setattr(pace.time, "thread_time", lambda: spent[0])
    return spent


def test_work_of_no_kind_runs_where_it_is_asked_for():
    assert asyncio.run(Pace().run(None, threading.get_ident)) == threading.get_ident()


def test_what_was_quick_runs_with_the_requests_the_next_time(clock):
    async def asked():
        paces = Pace()
        return [await paces.run("quick", threading.get_ident) for _ in range(3)]

    first, *later = asyncio.run(asked())
    assert first != threading.get_ident()
    assert later == [threading.get_ident()] * 2


def test_what_was_slow_runs_beside_them_until_it_was_quick_for_a_while(clock):
    took = iter([0.1, *[0.001] * 20])

    def work():
        clock[0] += next(took)
        return threading.get_ident() == main

    main = threading.get_ident()

    async def asked():
        paces = Pace()
        return [await paces.run("slow once", work) for _ in range(12)]

    here = asyncio.run(asked())
    assert not any(here[:5])
    assert all(here[-3:])


def test_what_becomes_slow_leaves_at_once(clock):
    took = iter([0.001, 0.001, 0.5, 0.001])

    def work():
        clock[0] += next(took)
        return threading.get_ident() == main

    main = threading.get_ident()

    async def asked():
        paces = Pace()
        return [await paces.run("kind", work) for _ in range(4)]

    assert asyncio.run(asked()) == [False, True, True, False]


def test_an_error_is_the_askers():
    def fails():
        raise ValueError("no")

    async def asked():
        paces = Pace()
        for kind in (None, "kind", "kind"):
            with pytest.raises(ValueError, match="no"):
                await paces.run(kind, fails)

    asyncio.run(asked())


def test_requests_are_answered_while_slow_work_runs():
    async def asked():
        paces, ticks = Pace(), 0
        work = asyncio.ensure_future(paces.run("slow", lambda: time.sleep(0.2)))
        while not work.done():
            await asyncio.sleep(0.005)
            ticks += 1
        return ticks

    assert asyncio.run(asked()) > 5
