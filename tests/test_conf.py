"""Walks conf/: every target imports, sits in the room its group is named after, and takes the keys it is given."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_module

from nitari import conf
from nitari.cli import TRAIN

ROOT = Path(str(conf.__file__)).parent
FILES = sorted(path for path in ROOT.rglob("*.yaml"))


def targets(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_targets_take_their_keys(path: Path):
    group = path.parent.name
    for node in targets(yaml.safe_load(path.read_text(encoding="utf-8"))):
        target = node["_target_"]
        module, _, name = target.rpartition(".")
        assert target.startswith("nitari."), target
        if path.parent != ROOT and group != "experiment":
            assert group in module.split("."), f"{target} is not in a room named '{group}'"
        keys = {key: value for key, value in node.items() if not re.fullmatch(r"_\w+_", key)}
        inspect.signature(getattr(importlib.import_module(module), name)).bind_partial(**keys)


@pytest.mark.parametrize("job", TRAIN)
def test_each_job_composes(job: str):
    with initialize_config_module("nitari.conf", version_base="1.3"):
        cfg = compose(job, overrides=["collection=shoes"])
    assert cfg.collection == "shoes"
    assert cfg.seed == 0


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name == "experiment"], ids=lambda path: path.stem)
def test_each_experiment_composes(path: Path):
    with initialize_config_module("nitari.conf", version_base="1.3"):
        compose("fit", overrides=["collection=shoes", f"+experiment={path.stem}"])


@pytest.mark.parametrize("job", TRAIN)
def test_every_setting_says_what_it_is(job: str):
    for line in (ROOT / f"{job}.yaml").read_text(encoding="utf-8").splitlines():
        if re.match(r"\w+:.*\S", line) and not line.startswith(("defaults:", "hydra:")):
            assert "#" in line, f"conf/{job}.yaml: '{line}' has no comment; help shows these lines"
