"""Checks this machine: cores, memory, GPU, disk, each optional extra with its versions, what is missing and how to get it.

    nitari doctor
    nitari doctor full=true
    nitari doctor format=json

An extra is ready where all its packages are installed; those that are native code are imported, too, and with full=true all.

Settings:

    root          directory whose disk is looked at (collections)
    full          import the modules of every extra, which takes as long as they take (false)
    format        table | json (table)
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from nitari.arguments import choose, parse
from nitari.command import ROOT
from nitari.memory import memory

from .extras import extras
from .show import size

LITTLE_DISK = 5e9
LITTLE_MEMORY = 2e9


def main(words: Sequence[str]) -> int:
    values = parse(words, {"root": ROOT, "full": False, "format": "table"}, "doctor")
    as_json = choose(values, "format", ("table", "json")) == "json"
    found = examine(Path(values["root"]), values["full"])
    print(json.dumps(found, ensure_ascii=False) if as_json else table(found))
    return 1 if any(entry["severity"] == "error" for entry in found["missing"]) else 0


def examine(root: Path, full: bool = False) -> dict[str, Any]:
    """Everything that the table shows, JSON-ready; sizes in bytes. Optional extras that are absent are notes, not errors."""
    there = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    disk = shutil.disk_usage(there)
    missing: list[dict[str, str]] = []
    found = extras(full)
    for extra in found:
        for name in extra.broken:
            what = f"'{name}' of the extra '{extra.name}' is installed and does not load: {extra.parts[name].error}"
            severity = "error" if extra.name == "serve" else "warning"
            remedy = f"pip install --force-reinstall {name}"
            if (entry := {"severity": severity, "what": what, "remedy": remedy}) not in missing:
                missing.append(entry)
        if extra.absent:
            what = f"extra '{extra.name}' lacks {', '.join(extra.absent)}"
            missing.append({"severity": "note", "what": what, "remedy": extra.install})
    there_is = memory()
    if disk.free < LITTLE_DISK:
        missing.append(
            {
                "severity": "warning",
                "what": f"only {size(disk.free)} of disk are free",
                "remedy": "point root=… at a larger disk",
            }
        )
    if there_is["available"] is not None and there_is["available"] < LITTLE_MEMORY:
        what = f"only {size(there_is['available'])} of memory are available"
        missing.append({"severity": "warning", "what": what, "remedy": "give workers=1, or free some"})
    if not os.access(there, os.W_OK):
        missing.append({"severity": "error", "what": f"'{there}' cannot be written", "remedy": "choose another root=…"})
    return {
        "nitari": metadata.version("nitari"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": there_is,
        "disk": {"root": str(root), "total": disk.total, "free": disk.free},
        "gpu": _gpu(),
        "packages": {name: part.version for extra in found for name, part in extra.parts.items()},
        "extras": {extra.name: extra.to_dict() for extra in found},
        "missing": missing,
    }


def table(found: dict[str, Any]) -> str:
    there_is, disk = found["memory"], found["disk"]
    available = (
        f"{size(there_is['available'])} available of {size(there_is['total'])}" if there_is["total"] else "unknown"
    )
    lines = [
        f"nitari {found['nitari']} on Python {found['python']}, {found['system']}",
        f"  cores     {found['cores']}",
        f"  memory    {available}",
        f"  disk      {size(disk['free'])} free of {size(disk['total'])} at '{disk['root']}'",
        f"  gpu       {', '.join(found['gpu']) or 'none; training and extraction run on the CPU'}",
        "",
    ]
    width = max(map(len, found["extras"]), default=0)
    for name, extra in found["extras"].items():
        state = "ready" if extra["works"] else "broken" if extra["installed"] else "absent"
        if state == "absent" and any(part["version"] for part in extra["parts"].values()):
            state = "partly"
        lines.append(f"  {name:<{width}}  {state:<6}  {extra['install']:<32}  {extra['purpose']}")
        parts = [f"{of} {part['version'] or '(absent)'}" for of, part in extra["parts"].items()]
        lines += [f"  {'':<{width}}  {line}" for line in textwrap.wrap(", ".join(parts), 100, break_on_hyphens=False)]
    lines.append("")
    told = [entry for entry in found["missing"] if entry["severity"] != "note"]  # those are the extras above
    for entry in told:
        lines += [f"{entry['severity'].capitalize()}: {entry['what']}", f"  Remedy: {entry['remedy']}"]
    if not told:
        lines.append(
            "Nothing is missing but the extras that are absent." if found["missing"] else "Nothing is missing."
        )
    return "\n".join(lines)


def _gpu() -> list[str]:
    """Names and memory as the driver tells; asks no framework, so that it answers at once."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
