"""Extras: what else can be installed beside nitari, by what its own metadata says, and whether it is there and loads."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

PURPOSES = {
    "serve": "recommending, the API and the page",
    "train": "ingest, fit, extract, build, evaluate",
    "pretrained": "extractors pretrained and efficientnet_lite0",
    "labels": "objective labels",
    "index": "indexes ivf (faiss) and ngt",
    "annoy": "index annoy; compiled from source",
    "local": "extractor visual_words, and infringe",
    "ocr": "annotator ocr",
    "samples": "source sample, and demo",
    "ray": "executor ray",
    "milvus": "index milvus",
    "remote": "sources in object stores (s3), push and pull",
}
_MODULES = {  # where a distribution's module is not named as it is
    "faiss-cpu": "faiss",
    "hydra-core": "hydra",
    "ngt": "ngtpy",
    "opencv-python-headless": "cv2",
    "scikit-learn": "sklearn",
}
_QUICK = (
    "nmslib",
    "onnxruntime",
    "safetensors",
    "faiss",
    "ngtpy",
    "annoy",
    "cv2",
)  # native code that loads in a moment
_REQUIREMENT = re.compile(r"([\w.-]+)(\[[^]]*])?[^;]*(?:;(.*))?")
_SECONDS = 120


@dataclass(frozen=True)
class Part:
    """A distribution of an extra: ``version`` is None where it is absent, ``error`` what importing its module said.

    ``imported`` is whether that was tried, and not only looked for.
    """

    module: str
    version: str | None
    imported: bool
    error: str | None

    @property
    def works(self) -> bool:
        return self.version is not None and self.error is None


@dataclass(frozen=True)
class Extra:
    name: str
    parts: Mapping[str, Part]

    @property
    def install(self) -> str:
        return f"pip install 'nitari[{self.name}]'"

    @property
    def absent(self) -> list[str]:
        return [name for name, part in self.parts.items() if part.version is None]

    @property
    def broken(self) -> list[str]:
        return [name for name, part in self.parts.items() if part.error is not None]

    def to_dict(self) -> dict[str, Any]:
        return {
            "purpose": PURPOSES.get(self.name, ""),
            "installed": not self.absent,
            "works": all(part.works for part in self.parts.values()),
            "parts": {name: asdict(part) for name, part in self.parts.items()},
            "install": self.install,
        }


def extras(full: bool = False) -> list[Extra]:
    """All but that of developers. Small native modules are imported, in processes of their own; ``full``: all modules."""
    wanted = needs(metadata.requires("nitari") or ())
    modules = {name: _MODULES.get(name, name.replace("-", "_")) for names in wanted.values() for name in names}
    versions = {name: _version(name, module) for name, module in modules.items()}
    tried = [m for name, m in modules.items() if versions[name] is not None and (full or m in _QUICK)]
    with ThreadPoolExecutor(2) as pool:
        errors = dict(zip(tried, pool.map(problem, tried), strict=True))
    return [
        Extra(
            extra,
            {
                name: Part(modules[name], versions[name], modules[name] in errors, errors.get(modules[name]))
                for name in names
            },
        )
        for extra, names in wanted.items()
    ]


def needs(requirements: Sequence[str]) -> dict[str, list[str]]:
    """The distributions of each extra, of this system, from the ``Requires-Dist`` of a distribution's metadata."""
    found: dict[str, list[str]] = {}
    for name, marker in _read(requirements):
        extra = re.search(r"extra == ['\"](\w+)['\"]", marker)
        elsewhere = "sys_platform != " in marker and sys.platform == "win32"
        if extra and extra[1] != "dev" and not elsewhere:
            found.setdefault(extra[1], []).append(name)
    return found


def _read(requirements: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in requirements:
        match = _REQUIREMENT.fullmatch(text)
        if match and match[1] != "nitari":
            yield match[1], match[3] or ""


def problem(module: str) -> str | None:
    """What importing a module in another process says, in a line: a wheel can be installed and still not load."""
    try:
        command = [sys.executable, "-c", f"import {module}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if not done.returncode:
        return None
    return (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]


def _version(distribution: str, module: str) -> str | None:
    try:
        return metadata.version(distribution) if find_spec(module) else None
    except (metadata.PackageNotFoundError, ValueError):
        return None
