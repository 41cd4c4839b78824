"""Commands watched from outside: their time and memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any


def watched(words: list[str], stdout: int | None = None) -> dict[str, Any]:
    """Seconds and core seconds of a command and its children, their peak memory together, and its own alone (``main_mb``)."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(words, stdout=stdout)
    peak, alone, stop = [0.0], [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.25):
            peak[0] = max(peak[0], own(process.pid))
            alone[0] = max(alone[0], own(process.pid, children=False))

    thread = threading.Thread(target=watch)
    thread.start()
    code = process.wait()
    stop.set()
    thread.join()
    if code:
        sys.exit(f"{' '.join(words)} ended with {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(time.monotonic() - start, 1),
        "core_seconds": round(cores, 1),
        "peak_mb": round(peak[0]),
        "main_mb": round(alone[0]),
    }


def own(pid: int, children: bool = True) -> float:
    """Own memory of a process and, with ``children``, all of them, in MB."""
    total, left = 0.0, [pid]
    while left:
        one = left.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text()
            for task in os.listdir(f"/proc/{one}/task") if children else ():
                left += [int(child) for child in Path(f"/proc/{one}/task/{task}/children").read_text().split()]
        except (OSError, ValueError):
            continue
        if "RssAnon:" in status:
            total += int(status.split("RssAnon:")[1].split()[0]) / 1024
    return total
