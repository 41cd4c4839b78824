"""Worker processes on this machine.

Workers ignore SIGINT, which the parent handles, and end when the parent does, however it ends.
"""

from __future__ import annotations

import json
import mmap
import os
import queue
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any, Self

from nitari.errors import ConfigError, NitariError
from nitari.executor import CRASHED, PATIENCE, TIMEOUT, Result, Shard, Steps, available_cores, resolve, silent
from nitari.startup import die_with

_SLOT = 16  # bytes a worker on the board: int64 step, int64 monotonic ns at which it began; 0 where none is under way
_POLL = 0.1  # seconds


class Local:
    """``workers``: processes; None: one a core."""

    here = True

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"workers is {workers}. Give a count from 1, or null for one a core")
        self._workers = workers

    @property
    def workers(self) -> int:
        return self._workers or available_cores()

    def run(
        self, task: str, shards: Sequence[Shard], *, time_limit: float = float("inf"), progress: Steps = silent
    ) -> Iterator[Result]:
        """See ``Executor.run``."""
        if shards:
            with Crew(task, min(self.workers, len(shards))) as crew:
                yield from crew.run(shards, time_limit=time_limit, progress=progress)


class Crew:
    """``count`` processes that run ``task``, started as they are needed and kept until the crew is closed."""

    def __init__(self, task: str, count: int) -> None:
        with ExitStack() as opened:
            file = opened.enter_context(tempfile.TemporaryFile())
            self.selector = opened.enter_context(selectors.DefaultSelector())
            file.truncate(_SLOT * count)
            memory = opened.enter_context(mmap.mmap(file.fileno(), _SLOT * count))
            board = opened.enter_context(memoryview(memory).cast("q"))
            self.workers = [_Worker(slot, task, file.fileno(), board) for slot in range(count)]
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        with self._opened:
            for worker in self.workers:
                worker.bury(self.selector)

    def run(
        self, shards: Sequence[Shard], *, time_limit: float = float("inf"), progress: Steps = silent
    ) -> Iterator[Result]:
        """See ``Executor.run``; closing the iterator ends the workers that are still at a shard."""
        waiting = deque(range(len(shards)))
        finished = done = 0
        try:
            while finished < len(shards):
                for worker in self.workers:
                    if worker.shard is None and waiting:
                        index = waiting.popleft()
                        worker.give(index, shards[index], self.selector)
                for key, _ in self.selector.select(_POLL):
                    worker = key.data
                    if worker.shard is None:  # it died idle
                        worker.bury(self.selector)
                        continue
                    index, answer = worker.take()
                    if answer is None:
                        worker.bury(self.selector)
                        _blame(shards[index], worker.step, CRASHED, worker.exit_status)
                        waiting.appendleft(index)
                    elif "error" in answer:
                        raise NitariError(f"The task '{worker.task}' failed in a worker process:\n{answer['error']}")
                    else:
                        finished, done = finished + 1, done + shards[index].steps
                        yield Result(index, answer["result"])
                for worker in self.workers:
                    if worker.shard is not None and worker.seconds > time_limit:
                        index, step = worker.shard, worker.step
                        worker.bury(self.selector)
                        _blame(shards[index], step, TIMEOUT, "")
                        waiting.appendleft(index)
                progress(done + sum(max(worker.step, 0) for worker in self.workers if worker.shard is not None))
        finally:
            for worker in self.workers:
                if worker.shard is not None:
                    worker.bury(self.selector)


def _blame(shard: Shard, step: int, reason: str, status: str) -> None:
    if step >= 0 and step not in shard.blamed:
        shard.blamed[step] = reason
        return
    shard.deaths += 1
    if shard.deaths >= PATIENCE:
        raise NitariError(
            f"A worker process ended {shard.deaths} times ({status}) outside of any single step. "
            "Memory or disk may be short: run again with fewer workers"
        )


class _Worker:
    """The parent's side of one worker process, started when it first gets a shard."""

    def __init__(self, slot: int, task: str, board_file: int, board: memoryview) -> None:
        self.slot = slot
        self.task = task
        self.board_file = board_file
        self.board = board
        self.process: subprocess.Popen[bytes] | None = None
        self.shard: int | None = None
        self.exit_status = ""

    @property
    def step(self) -> int:
        return int(self.board[2 * self.slot]) if self.board[2 * self.slot + 1] else -1

    @property
    def seconds(self) -> float:
        """How long the current step has taken."""
        began = self.board[2 * self.slot + 1]
        return (time.monotonic_ns() - began) / 1e9 if began else 0.0

    def give(self, index: int, shard: Shard, selector: selectors.BaseSelector) -> None:
        self.board[2 * self.slot + 1] = 0
        if self.process is None:
            self._start()
            selector.register(self._pipe("stdout"), selectors.EVENT_READ, self)
        self.shard = index
        message = {"payload": dict(shard.payload), "blamed": shard.blamed}
        try:
            self._pipe("stdin").write(json.dumps(message).encode() + b"\n")
            self._pipe("stdin").flush()
        except BrokenPipeError:  # it died meanwhile; the selector reports that next
            return

    def take(self) -> tuple[int, dict[str, Any] | None]:
        """The answer to the shard given last, or None when the process died instead."""
        assert self.shard is not None
        index, line = self.shard, self._pipe("stdout").readline()
        if not line.endswith(b"\n"):
            return index, None
        self.shard = None
        return index, json.loads(line)

    def bury(self, selector: selectors.BaseSelector) -> None:
        """Kill the process; the next shard starts another. ``step`` still tells where it was."""
        self.shard = None
        if self.process is None:
            return
        selector.unregister(self._pipe("stdout"))
        if self.process.poll() is None:
            self.process.kill()
        status = self.process.wait()
        self.exit_status = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass
        self.process = None

    def _start(self) -> None:
        code = f"from nitari.executor import local; local._serve({self.board_file}, {self.slot}, {os.getpid()})"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders written in C complain there about every odd file
            pass_fds=(self.board_file,),
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._pipe("stdin").write(json.dumps(self.task).encode() + b"\n")

    def _pipe(self, name: str) -> IO[bytes]:
        pipe: IO[bytes] = getattr(self.process, name)
        return pipe


def _serve(board_file: int, slot: int, parent: int) -> None:
    """The worker's side: tasks on standard input, answers on what was standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with mmap.mmap(board_file, 0) as memory, memoryview(memory).cast("q") as board:

        def beat(step: int) -> None:
            board[2 * slot + 1] = 0
            if step >= 0:
                board[2 * slot] = step
                board[2 * slot + 1] = time.monotonic_ns()

        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(lines,), daemon=True).start()
        task = None
        name = json.loads(lines.get())
        while True:
            message = json.loads(lines.get())
            try:
                task = task or resolve(name)
                blamed = {int(step): reason for step, reason in message["blamed"].items()}
                answer: dict[str, Any] = {"result": dict(task(message["payload"], beat, blamed))}
            except BaseException:
                answer = {"error": traceback.format_exc()}
            beat(-1)
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()


def _listen(lines: queue.SimpleQueue[bytes]) -> None:
    """Hand on what the parent says; its silence means that it is gone, and then there is nobody to work for."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)
