from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nitari.errors import NitariError
from nitari.executor import Result, Shard
from nitari.executor.local import Local

TASKS = textwrap.dedent("""
    import os, signal, time

    def work(payload, beat, blamed):
        print("decoders may print what they like")
        out = []
        for step in range(payload["n"]):
            beat(step)
            if step in blamed:
                out.append(blamed[step])
                continue
            if step in payload.get("hang", []):
                time.sleep(60)
            if step in payload.get("crash", []):
                os.kill(os.getpid(), signal.SIGSEGV)
            out.append(step)
        beat(-1)
        if payload.get("slow_end"):
            time.sleep(0.7)
        if payload.get("raise"):
            raise ValueError("the disk is full")
        if payload.get("die"):
            os._exit(3)
        return {"out": out, "pid": os.getpid()}
""")


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "shard_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "shard_tasks:work"


def test_every_shard_is_done_and_steps_are_counted(tasks: str) -> None:
    counted: list[int] = []
    results = list(Local(2).run(tasks, [Shard({"n": n}, n) for n in (3, 1, 2)], progress=counted.append))
    assert sorted((r.shard, r.value["out"]) for r in results) == [(0, [0, 1, 2]), (1, [0]), (2, [0, 1])]
    assert counted[-1] == 6


def test_a_step_that_hangs_or_crashes_is_blamed_and_the_rest_goes_on(tasks: str) -> None:
    shards = [Shard({"n": 4, "hang": [2]}), Shard({"n": 4, "crash": [0, 3]}), Shard({"n": 2})]
    results = dict(Local(2).run(tasks, shards, time_limit=0.5))
    assert results[0]["out"] == [0, 1, "timeout", 3]
    assert results[1]["out"] == ["crashed", 1, 2, "crashed"]
    assert results[2]["out"] == [0, 1]


def test_the_time_limit_is_for_steps_and_not_for_what_follows(tasks: str) -> None:
    assert [r.value["out"] for r in Local().run(tasks, [Shard({"n": 1, "slow_end": True})], time_limit=0.3)] == [[0]]


def test_an_exception_ends_the_job_with_its_traceback(tasks: str) -> None:
    with pytest.raises(NitariError, match="the disk is full"):
        list(Local().run(tasks, [Shard({"n": 1, "raise": True})]))


def test_a_worker_that_keeps_dying_outside_of_steps_ends_the_job(tasks: str) -> None:
    with pytest.raises(NitariError, match="exit status 3"):
        list(Local().run(tasks, [Shard({"n": 1, "die": True})]))


def test_no_shards_start_no_workers() -> None:
    assert list(Local().run("nowhere:nothing", [])) == []


def test_closing_the_iterator_ends_the_workers(tasks: str) -> None:
    results = Local(1).run(tasks, [Shard({"n": 1}), Shard({"n": 1, "hang": [0]})])
    first: Result = next(results)
    results.close()  # type: ignore[attr-defined]
    _assert_ends(first.value["pid"])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tasks: str, tmp_path: Path, how: signal.Signals) -> None:
    script = textwrap.dedent("""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
        from nitari.executor import Shard
        from nitari.executor.local import Local
        for result in Local(1).run("shard_tasks:work", [Shard({"n": 1}), Shard({"n": 1, "hang": [0]})]):
            print(result.value["pid"], flush=True)
    """)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(how)
        parent.wait(10)
    _assert_ends(pid)


def _assert_ends(pid: int) -> None:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"worker {pid} outlived its parent")
