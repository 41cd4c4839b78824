"""Executors: one idempotent task a shard, in worker processes that may hang or die without ending the job.

A task is a function named ``"package.module:function"`` and called as ``task(payload, beat, blamed) -> result`` with
JSON values in and out, so that it runs the same on this machine and on others. It calls ``beat(i)`` before step i of
its shard and ``beat(-1)`` when it is past the last one. A worker whose current step exceeds the time limit is killed; one
that dies by itself (a crash in a decoder, no memory left) is buried. Either way its shard is started over with that step
in ``blamed``: {step: "timeout" | "crashed"}, which the task skips.

A task may be run twice, or by two workers at once: it writes aside, under a name of its own, and renames.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Beat = Callable[[int], None]
Task = Callable[[dict[str, Any], Beat, dict[int, str]], Mapping[str, Any]]
Steps = Callable[[int], None]
"""Called with the number of steps done."""

TIMEOUT, CRASHED = "timeout", "crashed"
PATIENCE = 3
"""Deaths outside of any step before the job is given up."""


@dataclass
class Shard:
    """``steps`` is only for reporting progress."""

    payload: Mapping[str, Any]
    steps: int = 1
    blamed: dict[int, str] = field(default_factory=dict)
    deaths: int = 0


class Result(NamedTuple):
    shard: int
    value: dict[str, Any]


def silent(steps: int) -> None:
    """Reports nothing."""


class Executor(Protocol):
    """``here``: all work is done on this machine, so that a step whose task is quick in threads may do without tasks.
    ``workers``: how many shards are under way at once.
    """

    here: bool

    @property
    def workers(self) -> int: ...

    def run(
        self, task: str, shards: Sequence[Shard], *, time_limit: float = float("inf"), progress: Steps = silent
    ) -> Iterator[Result]:
        """Run ``task`` over every shard; yields results in the order they end.

        ``time_limit`` is in seconds a step. An exception in the task ends the job as a NitariError that carries its
        traceback. Closing the iterator ends what is under way.
        """
        ...


def resolve(task: str) -> Task:
    module, _, name = task.partition(":")
    function: Task = getattr(importlib.import_module(module), name)
    return function


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
