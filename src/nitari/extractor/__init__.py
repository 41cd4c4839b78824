"""Extractors: picture -> vector. One module a kind; each owns its preprocessing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nitari.errors import ConfigError
from nitari.space import Space


@runtime_checkable
class Extractor(Protocol):
    """Thread-safe: ``extract`` is called from several threads at once.

    ``side`` is the longer side, in pixels, below which a picture has too little for this extractor: thumbnails of at
    least this size are read, or originals where none reaches it. ``spec`` recreates the extractor with ``create``.
    """

    space: Space
    side: int

    @property
    def spec(self) -> dict[str, Any]: ...

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, each (H, W, 3) uint8 upright RGB of any size -> (n, space.width) of space.dtype."""
        ...


def create(spec: Mapping[str, Any]) -> Extractor:
    """Build an extractor from ``{"_target_": "nitari.extractor.<module>.<Class>", **arguments}``.

    Only classes of this package are instantiated, whatever a manifest says.
    """
    values = dict(spec)
    target = str(values.pop("_target_", ""))
    module, _, name = target.rpartition(".")
    if not module.startswith("nitari.extractor.") or not name.isidentifier():
        raise ConfigError(f"'{target}' is not an extractor of nitari")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"The extractor '{target}' cannot be found: {error}") from None
    return kind(**values)
