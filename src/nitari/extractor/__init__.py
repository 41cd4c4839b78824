"""Extractors: picture -> vector. One module a kind; each owns its preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from nitari.errors import ConfigError
from nitari.space import Space
from nitari.target import resolve

FITTED = ("encoder", "vocabulary")
"""Kinds of artifacts that an extractor may be made from: its ``artifact``, which its specification names by kind and id."""


@runtime_checkable
class Extractor(Protocol):
    """Thread-safe: ``extract`` is called from several threads at once.

    ``side`` is the longer side, in pixels, below which a picture has too little for this extractor: thumbnails of at
    least this size are read, or originals where none reaches it. ``spec`` recreates the extractor with ``create``.
    ``postprocess`` are the keyword arguments of ``postprocess.fit`` that suit its vectors; None: they are final.
    """

    space: Space
    side: int
    postprocess: Mapping[str, Any] | None

    @property
    def spec(self) -> dict[str, Any]: ...

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, each (H, W, 3) uint8 upright RGB of any size -> (n, space.width) of space.dtype."""
        ...


def create(spec: Mapping[str, Any], folder: Callable[[str], Path] | None = None) -> Extractor:
    """Build an extractor from ``{"_target_": "nitari.extractor.<module>.<Class>", **arguments}``.

    Only classes of this package are instantiated, whatever a manifest says. A specification names its encoder or
    vocabulary by id; ``folder`` says where such artifacts lie: ``collection.folder``.
    """
    values = dict(spec)
    for made_from in values.keys() & set(FITTED):
        if folder is None:
            raise ConfigError(f"This extractor needs the {made_from} '{values[made_from]}': say which folder holds it")
        values["path"] = folder(made_from) / str(values.pop(made_from))
    target = str(values.pop("_target_", ""))
    kind = resolve(target, "extractor")
    try:
        return cast(Extractor, kind(**values))
    except TypeError as error:
        raise ConfigError(
            f"'{target}' does not take these settings: {error}. Another version of nitari may have"
        ) from None
