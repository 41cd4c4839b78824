"""What every Hydra job shares: composing, errors without tracebacks, one JSON document on standard output."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from nitari.command import filled
from nitari.errors import ConfigError, NitariError

Result = Mapping[str, Any]


def job(name: str, run: Callable[[DictConfig], Result], show: Callable[[Result], str]) -> Callable[[], None]:
    """The ``main`` of a job: ``run`` gets the composed configuration; its result is printed by ``format``.

    Only the result reaches standard output; what libraries print on the way goes to standard error.
    """

    @hydra.main(config_path="pkg://nitari.conf", config_name=name, version_base="1.3")
    def main(cfg: DictConfig) -> None:
        with said(name, cfg):
            finish(cfg, run, show)

    return main


def finish(cfg: DictConfig, run: Callable[[DictConfig], Result], show: Callable[[Result], str]) -> None:
    """Run, and print the result by ``format``."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("nitari").setLevel(logging.INFO)
    if cfg.format not in ("table", "json"):
        raise ConfigError(f"format is '{cfg.format}'. Choose one of: table, json")
    with only_the_result() as emit:
        result = run(cfg)
        emit(json.dumps(result, ensure_ascii=False, default=str) if cfg.format == "json" else show(result))


@contextmanager
def said(name: str, cfg: DictConfig | None = None) -> Iterator[None]:
    """What goes wrong in the job ``name`` is said in a line, with the collection of ``cfg``, and the process ends with 2."""
    try:
        yield
    except MissingMandatoryValue as error:
        key = error.full_key or "a setting"
        missing = OmegaConf.missing_keys(cfg) if cfg is not None else ()
        key = next((one for one in sorted(missing) if one.endswith(f".{key}")), key)
        print(f"nitari: '{key}' has no value. Give it as: nitari {name} {key}=…", file=sys.stderr)
        sys.exit(2)
    except (NitariError, OmegaConfBaseException) as error:
        text = str(error)
        if cfg is not None and not OmegaConf.is_missing(cfg, "collection"):
            text = filled(text, Path(cfg.root) / str(cfg.collection))
        print(f"nitari: {text}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def only_the_result() -> Iterator[Callable[[str], None]]:
    """Point file descriptor 1 at standard error meanwhile; the yielded function writes to the real one."""
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)

    def emit(text: str) -> None:
        sys.stdout.flush()
        os.write(real, (text + "\n").encode())

    try:
        yield emit
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


def plain(node: Any) -> Any:
    """A resolved configuration node as plain Python values."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def instantiate(node: Any, **more: Any) -> Any:
    """``hydra.utils.instantiate`` for targets inside nitari only: a configuration is not a way to call anything else.

    What a constructor of ours raises is raised as it is.
    """
    target = str(node["_target_"])
    if not target.startswith("nitari."):
        raise ConfigError(f"_target_ is '{target}'. Only classes of nitari are instantiated from a configuration")
    try:
        return hydra.utils.instantiate(node, **more)
    except InstantiationException as error:
        if isinstance(error.__cause__, NitariError):
            raise error.__cause__ from None
        raise
