"""Which colours a picture has, by name: what a person would filter by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from nitari.errors import ConfigError
from nitari.images.lab import to_lab
from nitari.images.palette import colour_name, palette

_SIDE = 32  # pixels that the border is looked for in
_PLAIN = ("white", "grey", "black")
_LEAST = 0.05  # what is left of a picture without its background; with less, nothing is left out


class ColoursAnnotator:
    """Columns ``main_colour`` and ``second_colour`` by name, ``main_share``, ``main_rgb`` as #rrggbb, ``background_colour``.

    Of ``k`` dominant colours, a white, grey or black that takes at least the share ``background`` of the picture's border
    is its background and does not count for the others, so that a red shoe on white is red; null where there is none, as
    on a coloured ground, which people see as the picture's colour. Shares of one name
    are added up; ``main_share`` is of what is not background, and ``main_rgb`` the commonest colour of that name. The
    second colour is null where there is one name only.
    """

    side = 64  # colours need no detail

    shard = 256

    def __init__(self, name: str = "colours", k: int = 6, background: float | None = 0.7) -> None:
        if k < 2:
            raise ConfigError(f"annotator.k is {k}. Look for 2 colours at least")
        if background is not None and not 0.5 <= background <= 1:
            raise ConfigError(
                f"annotator.background is {background}. Give a share of the border from 0.5 to 1, or null"
            )
        self.name = name
        self.k = k
        self.background = background
        texts = ("main_colour", "second_colour", "main_rgb", "background_colour")
        self.columns = dict.fromkeys(texts, pa.string()) | {"main_share": pa.float32()}

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.annotator.colours.ColoursAnnotator",
            "name": self.name,
            "k": self.k,
            "background": self.background,
        }

    def annotate(self, images: Sequence[np.ndarray]) -> pa.Table:
        rows = [self._describe(image) for image in images]
        return pa.Table.from_pylist(rows, schema=pa.schema(list(self.columns.items())))

    def _describe(self, image: np.ndarray) -> dict[str, Any]:
        colours, shares = palette(image, self.k)
        named = [colour_name(colour) for colour in colours]
        behind = self._behind(image, colours, shares, named)
        totals: dict[str, float] = {}
        for at, (name, share) in enumerate(zip(named, shares.tolist(), strict=True)):  # the largest first
            if at != behind:
                totals[name] = totals.get(name, 0.0) + share
        names = sorted(totals, key=lambda name: -totals[name])
        main = next(at for at, name in enumerate(named) if name == names[0] and at != behind)
        return {
            "main_colour": names[0],
            "second_colour": names[1] if len(names) > 1 else None,
            "main_share": totals[names[0]] / sum(totals.values()),
            "main_rgb": "#" + bytes(colours[main].tolist()).hex(),
            "background_colour": None if behind is None else named[behind],
        }

    def _behind(self, image: np.ndarray, colours: np.ndarray, shares: np.ndarray, named: Sequence[str]) -> int | None:
        """Which of the colours is the picture's background, if any."""
        if self.background is None or len(colours) < 2:
            return None
        small = np.asarray(Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX))
        border = to_lab(np.concatenate([small[0], small[-1], small[1:-1, 0], small[1:-1, -1]]))
        nearest = np.square(border[:, None] - to_lab(colours)).sum(axis=2).argmin(axis=1)
        taken = np.bincount(nearest, minlength=len(colours)) / len(border)
        at = int(taken.argmax())
        plain = named[at] in _PLAIN and taken[at] >= self.background
        return at if plain and shares.sum() - shares[at] >= _LEAST else None
