"""Targets: the classes that a specification may name. One gate for extractors, models and indexes."""

from __future__ import annotations

import importlib
from typing import Any

from nitari.errors import ConfigError, MissingExtraError

_TRAINING = ("torch", "torchvision", "pytorch_lightning")


def resolve(target: str, room: str) -> type[Any]:
    """``nitari.<room>.<module>.<Class>`` -> the class. Only classes that room itself defines, whatever a manifest says.

    Raises ConfigError, or MissingExtraError where the training stack is what it lacks.
    """
    what = f"'{target}' is not {'an' if room[0] in 'aeiou' else 'a'} {room} of nitari"
    module, _, name = target.rpartition(".")
    if not module.startswith(f"nitari.{room}.") or not name.isidentifier():
        raise ConfigError(what)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        missing = (getattr(error, "name", None) or "").split(".")[0]
        if isinstance(error, ImportError) and missing in _TRAINING:
            raise MissingExtraError(missing, "train") from None
        raise ConfigError(f"'{target}' cannot be found: {error}") from None
    if not isinstance(found, type) or found.__module__ != module:
        raise ConfigError(what)
    return found
