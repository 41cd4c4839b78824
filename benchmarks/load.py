"""A load generator: HTTP/1.1 over kept connections, with so little work a request that one core can measure another.

    .venv/bin/python -m benchmarks.load PORT SECONDS CONNECTIONS RATE < requests

Standard input is a JSON list of requests, each a latin-1 string, which are sent in turn. RATE 0 sends the next one as soon
as an answer is there; above, requests leave by a clock, and latencies count from when they should have left, so that a
server that stalls is not spared. Prints ``{"requests", "seconds", "rate", "errors", "p50_ms", "p99_ms", "max_ms"}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np


class Connection(asyncio.Protocol):
    """One request at a time; ``done(connection, status)`` is called with each answer."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.data = b""
        self.left = -1  # bytes of the body that are still to come; -1: in the head
        self.status = 0
        self.due = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(self)

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.left < 0:
            self.data += data
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data, self.data = self.data[:end].lower(), self.data[end + 4 :], b""
            self.status = int(head[9:12])
            at = head.find(b"content-length:")
            self.left = int(head[at + 15 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None]) if at > 0 else 0
        self.left -= len(data)
        if self.left == 0:
            self.left = -1
            self.load.answered(self)


class Load:
    def __init__(self, requests: list[bytes], rate: float) -> None:
        self.requests = requests
        self.rate = rate
        self.sent = 0
        self.errors = 0
        self.stopped = False
        self.times: list[float] = []
        self.idle: deque[Connection] = deque()
        self.waiting: deque[float] = deque()

    def free(self, connection: Connection) -> None:
        if self.stopped:
            return
        if self.rate == 0:
            self._send(connection, time.perf_counter())
        elif self.waiting:
            self._send(connection, self.waiting.popleft())
        else:
            self.idle.append(connection)

    def answered(self, connection: Connection) -> None:
        self.times.append(time.perf_counter() - connection.due)
        self.errors += connection.status != 200
        self.free(connection)

    def lost(self, connection: Connection) -> None:
        if not self.stopped:
            self.errors += 1

    def tick(self, due: float) -> None:
        if self.idle:
            self._send(self.idle.popleft(), due)
        else:
            self.waiting.append(due)

    def _send(self, connection: Connection, due: float) -> None:
        connection.send(self.requests[self.sent % len(self.requests)], due)
        self.sent += 1


async def measure(port: int, seconds: float, connections: int, rate: float, requests: list[bytes]) -> dict[str, Any]:
    load = Load(requests, rate)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    start = time.perf_counter()
    if rate == 0:
        await asyncio.sleep(seconds)
    else:
        number = 0
        while (now := time.perf_counter()) - start < seconds:
            while start + number / rate <= now:
                load.tick(start + number / rate)
                number += 1
            await asyncio.sleep(0.0005)
    spent = time.perf_counter() - start
    load.stopped = True
    times = np.array(load.times) * 1000
    return {
        "requests": len(times),
        "seconds": round(spent, 2),
        "rate": round(len(times) / spent, 1),
        "unanswered": load.sent - len(times) - connections * (rate == 0) + len(load.waiting),
        "errors": load.errors,
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p99_ms": round(float(np.percentile(times, 99)), 2),
        "max_ms": round(float(times.max()), 1),
    }


def memory(port: int) -> dict[str, float]:
    """Of the largest process of the server at ``port``: its own memory, and all that it has mapped, in MB."""
    best = {"own": 0.0, "resident": 0.0}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            status = (folder / "status").read_text()
        except OSError:
            continue
        if f"port={port}".encode() not in command and b"multiprocessing.spawn" not in command:
            continue
        own, resident = (int(status.split(name)[1].split()[0]) / 1024 for name in ("RssAnon:", "VmRSS:"))
        if own > best["own"]:
            best = {"own": round(own, 1), "resident": round(resident, 1)}
    return best


if __name__ == "__main__":
    port, seconds, connections, rate = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    requests = [text.encode("latin-1") for text in json.load(sys.stdin)]
    print(json.dumps(asyncio.run(measure(port, seconds, connections, rate, requests))))
