"""Which colours a picture has, by name: what a person would filter by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from nitari.errors import ConfigError
from nitari.images.palette import colour_name, palette


class ColoursAnnotator:
    """Columns ``main_colour`` and ``second_colour`` by name, ``main_share`` and ``main_rgb`` as #rrggbb.

    Of ``k`` dominant colours, shares of one name are added up; ``main_rgb`` is the commonest of that name. The second
    colour is null where a picture has one name only.
    """

    side = 64  # colours need no detail

    def __init__(self, name: str = "colours", k: int = 6) -> None:
        if k < 2:
            raise ConfigError(f"annotator.k is {k}. Look for 2 colours at least")
        self.name = name
        self.k = k
        self.columns = {
            "main_colour": pa.string(),
            "second_colour": pa.string(),
            "main_share": pa.float32(),
            "main_rgb": pa.string(),
        }

    @property
    def spec(self) -> dict[str, Any]:
        return {"_target_": "nitari.annotator.colours.ColoursAnnotator", "name": self.name, "k": self.k}

    def annotate(self, images: Sequence[np.ndarray]) -> pa.Table:
        rows = [self._describe(image) for image in images]
        return pa.Table.from_arrays(
            [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(self.columns.values())],
            names=list(self.columns),
        )

    def _describe(self, image: np.ndarray) -> tuple[str, str | None, float, str]:
        colours, shares = palette(image, self.k)
        totals: dict[str, float] = {}
        first: dict[str, np.ndarray] = {}
        for at in np.argsort(-shares, kind="stable"):
            name = colour_name(colours[at])
            totals[name] = totals.get(name, 0.0) + float(shares[at])
            first.setdefault(name, colours[at])
        names = sorted(totals, key=lambda name: -totals[name])
        main = names[0]
        red, green, blue = (int(value) for value in first[main])
        second = names[1] if len(names) > 1 and totals[names[1]] > 0 else None
        return main, second, totals[main], f"#{red:02x}{green:02x}{blue:02x}"
