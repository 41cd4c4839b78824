"""Memory: of the machine, or of the control group that ends before it."""

from pathlib import Path

import pytest

from nitari import memory as module
from nitari.memory import memory

GIB = 1 << 30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 64 GiB, 40 of them available; returns its control groups."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(
        f"MemTotal: {64 * GIB // 1024} kB\nMemAvailable: {40 * GIB // 1024} kB\nHugePages: 0\n"
    )
    (proc / "self" / "cgroup").write_text("1:cpu:/\n0::/system.slice/nitari.service\n")
    (groups / "system.slice" / "nitari.service").mkdir(parents=True)
    monkeypatch.setattr(module, "_PROC", proc)
    monkeypatch.setattr(module, "_CGROUPS", groups)
    return groups


def limit(group: Path, most: str, anon: int) -> None:
    (group / "memory.max").write_text(f"{most}\n")
    (group / "memory.stat").write_text(f"anon {anon}\nfile {30 * GIB}\n")


def test_without_limits(machine: Path):
    assert memory() == {"total": 64 * GIB, "available": 40 * GIB}
    limit(machine / "system.slice" / "nitari.service", "max", GIB)
    assert memory() == {"total": 64 * GIB, "available": 40 * GIB}


def test_what_caches_hold_is_available(machine: Path):
    limit(machine / "system.slice" / "nitari.service", str(8 * GIB), GIB)
    assert memory() == {"total": 8 * GIB, "available": 7 * GIB}


def test_the_group_around_it_counts(machine: Path):
    limit(machine / "system.slice" / "nitari.service", str(8 * GIB), GIB)
    limit(machine / "system.slice", str(4 * GIB), 5 * GIB)
    assert memory() == {"total": 4 * GIB, "available": 0}


def test_where_nothing_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(module, "_PROC", tmp_path)
    assert memory() == {"total": None, "available": None}


def test_here():
    found = memory()
    assert found["total"] is None or 0 <= (found["available"] or 0) <= found["total"]
