"""Rebuild: the command that builds a release again, with all that it was asked for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from nitari.artifact import Artifact
from nitari.collection import Collection

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEYWORDS = ("true", "false", "null", "inf", "nan")  # of Hydra's grammar
_NAMES = {
    "target": "target",
    "seed": "seed",
    "exact_below": "exact_below",
    "facets": "facets",
    "text.columns": "text",
    "release.spaces": "spaces",
    "release.indexes": "indexes",
    "release.weights": "weights",
    "release.collapse": "collapse",
}
"""What a setting of ``nitari build`` is called in ``info["asked"]`` of a release."""


def rebuild(collection: Collection, asked: Artifact | Mapping[str, Any] | None, *more: str) -> str:
    """The command that builds again what a release, or its ``info["asked"]``, was asked for."""
    settings = asked.manifest.info.get("asked") if isinstance(asked, Artifact) else asked
    return collection.command("build", *words(settings or {}), *more)


def words(asked: Mapping[str, Any]) -> list[str]:
    """The settings that are not their defaults, as typed in a shell."""
    usual = _read("build")
    index = dict(asked.get("index") or {})
    name = _chosen(index) if index else ""
    found = {} if name in ("", usual["index"]) else {"index": name}
    known = _read(f"index/{name}") if index else {}
    found |= {f"index.{key}": value for key, value in index.items() if key != "_target_" and known.get(key) != value}
    for setting, key in _NAMES.items():
        value = asked.get(key, usual[setting])
        if key == "indexes":
            value = {space: _chosen(spec) for space, spec in (value or {}).items()} or None
        if key == "collapse" and value is None:
            value = usual[setting]
        if value != usual[setting]:
            found[setting] = value
    return [shlex.quote(f"{setting}={_typed(value)}") for setting, value in found.items()]


def _chosen(index: Mapping[str, Any]) -> str:
    """``nitari.index.hnsw.Hnsw`` -> ``hnsw``, as conf/index names it."""
    return str(index["_target_"]).split(".")[-2]


@cache
def _read(name: str) -> dict[str, Any]:
    """A configuration's own settings, by their dotted names; of ``build`` with the index that it takes."""
    file = resources.files("nitari.conf").joinpath(f"{name}.yaml")
    if not file.is_file():
        return {}
    settings: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    if name != "build":
        return settings
    groups = [group for group in settings.pop("defaults") if isinstance(group, dict)]
    found = {"seed": _read("base")["seed"]} | {key: value for group in groups for key, value in group.items()}
    for key, value in settings.items():
        nested = isinstance(value, dict)
        found |= {f"{key}.{inner}": at for inner, at in value.items()} if nested else {key: value}
    return found


def _typed(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_typed(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_typed, value)) + "]"
    text = str(value)
    if not isinstance(value, str) or (_BARE.fullmatch(text) and text.lower() not in _KEYWORDS):
        return text
    text = re.sub(r'(\\*)"', r'\1\1\\"', text)  # as Hydra's grammar has it: backslashes count before a quote only
    return '"' + re.sub(r"(\\+)$", r"\1\1", text).replace("${", "\\${") + '"'
