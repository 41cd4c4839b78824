"""Checks this machine: versions, cores, memory, GPU, disk, what is missing and how to get it.

    nitari doctor
    nitari doctor format=json

Settings:

    root          directory whose disk is looked at (collections)
    format        table | json (table)
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nitari.arguments import choose, parse
from nitari.command import ROOT

from .show import size

# Extra -> distributions and the modules they bring. The first two are native code: they are really imported.
NEEDS = {
    "serve": {"nmslib": "nmslib", "onnxruntime": "onnxruntime", "safetensors": "safetensors"},
    "train": {
        "torch": "torch",
        "torchvision": "torchvision",
        "pytorch-lightning": "pytorch_lightning",
        "hydra-core": "hydra",
        "mlflow": "mlflow",
        "onnx": "onnx",
    },
    "samples": {"diagrams": "diagrams"},
    "ray": {"ray": "ray"},
    "remote": {"fsspec": "fsspec", "s3fs": "s3fs"},
}
LITTLE_DISK = 5e9
LITTLE_MEMORY = 2e9


def main(words: Sequence[str]) -> int:
    values = parse(words, {"root": ROOT, "format": "table"}, "doctor")
    as_json = choose(values, "format", ("table", "json")) == "json"
    found = examine(Path(values["root"]))
    print(json.dumps(found, ensure_ascii=False) if as_json else table(found))
    return 1 if any(entry["severity"] == "error" for entry in found["missing"]) else 0


def examine(root: Path) -> dict[str, Any]:
    """Everything that the table shows, JSON-ready; sizes in bytes. Optional extras that are absent are notes, not errors."""
    there = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    disk = shutil.disk_usage(there)
    missing: list[dict[str, str]] = []
    packages: dict[str, str | None] = {}
    for extra, needs in NEEDS.items():
        absent = []
        for distribution, module in needs.items():
            packages[distribution] = _version(distribution, module)
            problem = _problem(distribution, module) if packages[distribution] else None
            if packages[distribution] is None:
                absent.append(distribution)
            elif problem:
                missing.append(
                    {"severity": "error", "what": problem, "remedy": f"pip install --force-reinstall {distribution}"}
                )
        if absent:
            what = f"extra '{extra}' lacks {', '.join(absent)}"
            missing.append({"severity": "note", "what": what, "remedy": f"pip install 'nitari[{extra}]'"})
    memory = _memory()
    if disk.free < LITTLE_DISK:
        missing.append(
            {
                "severity": "warning",
                "what": f"only {size(disk.free)} of disk are free",
                "remedy": "point root=… at a larger disk",
            }
        )
    if memory["available"] is not None and memory["available"] < LITTLE_MEMORY:
        what = f"only {size(memory['available'])} of memory are available"
        missing.append({"severity": "warning", "what": what, "remedy": "give workers=1, or free some"})
    if not os.access(there, os.W_OK):
        missing.append({"severity": "error", "what": f"'{there}' cannot be written", "remedy": "choose another root=…"})
    return {
        "nitari": metadata.version("nitari"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": memory,
        "disk": {"root": str(root), "total": disk.total, "free": disk.free},
        "gpu": _gpu(),
        "packages": packages,
        "missing": missing,
    }


def table(found: dict[str, Any]) -> str:
    memory, disk = found["memory"], found["disk"]
    available = f"{size(memory['available'])} available of {size(memory['total'])}" if memory["total"] else "unknown"
    lines = [
        f"nitari {found['nitari']} on Python {found['python']}, {found['system']}",
        f"  cores     {found['cores']}",
        f"  memory    {available}",
        f"  disk      {size(disk['free'])} free of {size(disk['total'])} at '{disk['root']}'",
        f"  gpu       {', '.join(found['gpu']) or 'none; training and extraction run on the CPU'}",
        "",
    ]
    lines += [f"  {name:<18} {version or 'not installed'}" for name, version in found["packages"].items()]
    lines.append("")
    for entry in found["missing"]:
        lines += [f"{entry['severity'].capitalize()}: {entry['what']}", f"  Remedy: {entry['remedy']}"]
    if not found["missing"]:
        lines.append("Nothing is missing.")
    return "\n".join(lines)


def _version(distribution: str, module: str) -> str | None:
    try:
        return metadata.version(distribution) if find_spec(module) else None
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _problem(distribution: str, module: str) -> str | None:
    """Import the small native packages for real: a wheel can be installed and still not load."""
    if distribution not in NEEDS["serve"]:
        return None
    try:
        import_module(module)
    except Exception as error:
        return f"'{distribution}' is installed and does not load: {error}"
    return None


def _memory() -> dict[str, int | None]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return {"total": None, "available": None}
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    return {"total": values.get("MemTotal"), "available": values.get("MemAvailable")}


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
