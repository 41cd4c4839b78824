"""Worker processes on the machines of a Ray cluster, or on this one. What tasks read and write lies on a file system that
all of them see under the same paths.

Each Ray actor watches over one worker process on its machine, as ``nitari.executor.local`` does: what hangs or crashes on a
picture is started over there, with that step blamed. An actor that is lost, with its machine or without, is replaced, and its
shard given to another one. Only JSON goes through Ray.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nitari.errors import ConfigError, MissingExtraError, NitariError
from nitari.executor import PATIENCE, Result, Shard, Steps, available_cores, silent
from nitari.executor.local import Crew

_STORE = 80 * 2**20  # bytes of shared memory, the least that Ray takes: nothing large goes through it
_POLL = 0.5  # seconds


class Ray:
    """``address``: of a running cluster, as HOST:6379 or ``auto``; None starts one on this machine, for this process.
    ``cpus`` and ``memory`` (bytes) are what each worker claims. ``workers``: at most so many; None: as many as fit.

    Connections are authenticated by a token (RAY_AUTH_MODE=token). A cluster started here has a token of its own; one that
    runs is joined with that of RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token. There is no dashboard.
    """

    here = False

    def __init__(
        self, address: str | None = None, workers: int | None = None, cpus: float = 1, memory: int | None = None
    ) -> None:
        if (workers is not None and workers < 1) or cpus <= 0:
            raise ConfigError(f"workers is {workers} and executor.cpus {cpus}. Give a count from 1, and more than 0")
        self.address = address
        self.cpus = cpus
        self.memory = memory
        self._workers = workers

    @property
    def workers(self) -> int:
        ray = self._connect()
        there = ray.cluster_resources()
        processors, memory = there.get("CPU", 0), there.get("memory", 0)
        fit = int(min(processors / self.cpus, memory / self.memory if self.memory else processors / self.cpus))
        if fit < 1:
            raise ConfigError(
                f"executor.cpus is {self.cpus} and executor.memory {self.memory}, and the whole cluster has "
                f"{processors:g} processors and {memory:g} bytes. Claim less, or start more nodes"
            )
        return min(self._workers or fit, fit)

    def run(
        self, task: str, shards: Sequence[Shard], *, time_limit: float = float("inf"), progress: Steps = silent
    ) -> Iterator[Result]:
        """See ``Executor.run``. ``progress`` is told of whole shards."""
        if not shards:
            return
        ray = self._connect()
        count = min(self.workers, len(shards))
        actor = ray.remote(_Watcher).options(num_cpus=self.cpus, memory=self.memory)
        waiting, idle = deque(range(len(shards))), deque(range(count))
        crew: dict[int, Any] = {}
        under_way: dict[Any, tuple[int, int]] = {}  # by Ray's reference: who, and the index of the shard
        done = 0
        try:
            while waiting or under_way:
                while waiting and idle:
                    who, index = idle.popleft(), waiting.popleft()
                    if who not in crew:
                        crew[who] = actor.remote(task, sys.path)
                    message = json.dumps({"payload": dict(shards[index].payload), "limit": time_limit})
                    under_way[crew[who].do.remote(message)] = who, index
                ended, _ = ray.wait(list(under_way), num_returns=1, timeout=_POLL)
                for reference in ended:
                    who, index = under_way.pop(reference)
                    idle.append(who)
                    try:
                        answer = json.loads(ray.get(reference))
                    except ray.exceptions.RayTaskError as error:
                        raise NitariError(f"A Ray worker failed: {error}") from None
                    except ray.exceptions.RayError as error:
                        ray.kill(crew.pop(who))
                        _lost(shards[index], error)
                        waiting.appendleft(index)
                        continue
                    if "error" in answer:
                        raise NitariError(answer["error"])
                    done += shards[index].steps
                    yield Result(index, answer["result"])
                progress(done)
        finally:
            if ray.is_initialized():
                for one in crew.values():
                    ray.kill(one)

    def _connect(self) -> Any:
        ray = _ray()
        if not ray.is_initialized():
            with _quiet():
                if self.address is None:
                    _start(ray, max(self._workers or available_cores(), math.ceil((self._workers or 1) * self.cpus)))
                else:
                    _join(ray, self.address)
        return ray


class _Watcher:
    """The actor: one worker process, on whichever machine Ray put it. Its calls are made from its main thread, as the
    kernel ends the worker process together with the thread that started it.
    """

    def __init__(self, task: str, path: list[str]) -> None:
        sys.path += [folder for folder in path if folder not in sys.path]
        self.crew = Crew(task, 1)

    def do(self, message: str) -> str:
        told = json.loads(message)
        try:
            result = next(self.crew.run([Shard(told["payload"])], time_limit=told["limit"]))
        except NitariError as error:
            return json.dumps({"error": str(error)})
        return json.dumps({"result": result.value})


def _ray() -> Any:
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # read as Ray is imported
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with _quiet():
            import ray
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    return ray


def _start(ray: Any, cpus: int) -> None:
    if not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        object_store_memory=_STORE,
        log_to_driver=False,
        configure_logging=False,
        _node_ip_address="127.0.0.1",
    )


def _join(ray: Any, address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdecimal():  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except Exception as error:  # of many kinds, Ray's own and others
        raise ConfigError(
            f"The Ray cluster '{address}' cannot be joined: {error}. Start it with: RAY_AUTH_MODE=token ray start --head, "
            "and give this process its token: RAY_AUTH_TOKEN=… or ~/.ray/auth_token"
        ) from None


def _lost(shard: Shard, error: Exception) -> None:
    shard.deaths += 1
    if shard.deaths >= PATIENCE:
        raise NitariError(
            f"A Ray worker was lost {shard.deaths} times with the same shard: {str(error).splitlines()[0]} "
            "Memory may be short: give each worker more with executor.memory=BYTES, or have fewer with workers=N"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray announces changes of its next versions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
