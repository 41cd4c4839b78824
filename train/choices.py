"""The choices of a configuration group, for jobs that take several of them by name."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

from nitari.command import OPEN
from nitari.errors import ConfigError


def known(group: str) -> list[str]:
    """The names of a group's files."""
    folder = files("nitari.conf") / group
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))


def settings(group: str, name: str) -> dict[str, Any]:
    """What conf/``group``/``name``.yaml says. ConfigError where there is no such file, or where it leaves something open."""
    found = _read(group, name)
    if missing := _open(found):
        given = " ".join(f"{group}.{key}=…" for key in missing)
        job = {"extractor": "extract", "annotator": "annotate"}[group]
        raise ConfigError(
            f"The {group} '{name}' needs settings. Run it first: nitari {job} {OPEN} {group}={name} {given}"
        )
    return found


def needs_more(group: str, name: str) -> bool:
    """Whether conf/``group``/``name``.yaml leaves something open. ConfigError where there is no such file."""
    return bool(_open(_read(group, name)))


def _read(group: str, name: str) -> dict[str, Any]:
    if name not in known(group):
        raise ConfigError(f"There is no {group} '{name}'. Choose from: {', '.join(known(group))}")
    file = files("nitari.conf") / group / f"{name}.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def _open(found: dict[str, Any]) -> list[str]:
    return [key for key, value in found.items() if value == "???"]
