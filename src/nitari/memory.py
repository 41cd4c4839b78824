"""Memory: what this machine has, and this process may have of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


def memory() -> dict[str, int | None]:
    """Bytes, ``total`` and ``available``, as Linux tells, or less where a control group (version 2) ends before; None elsewhere."""
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
    except OSError:
        return {"total": None, "available": None}
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    total, available = values.get("MemTotal"), values.get("MemAvailable")
    for most, used in _limits():
        total = most if total is None else min(total, most)
        available = max(most - used, 0) if available is None else min(available, max(most - used, 0))
    return {"total": total, "available": available}


def _limits() -> Iterator[tuple[int, int]]:
    """(bytes a control group may have, bytes it holds that no cache is) of this process's and of those around it."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    name = next((line[3:] for line in lines if line.startswith("0::")), None)
    if name is None:
        return
    own = _CGROUPS / name.lstrip("/")
    for group in (own, *own.parents):
        try:
            most = (group / "memory.max").read_text().strip()
            held = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        except OSError:
            continue
        if most != "max":
            yield int(most), int(held.get("anon", 0))
