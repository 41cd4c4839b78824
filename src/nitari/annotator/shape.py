"""What a picture's sides say: how it lies, and how large it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nitari.annotator import Whole
from nitari.errors import ConfigError


class ShapeAnnotator:
    """Columns ``shape`` (landscape, portrait or square), ``aspect`` (width / height) and ``megapixels``, of originals.

    ``square`` is how far the longer side may exceed the shorter one in a square, as a share.
    """

    spaces = ()

    def __init__(self, name: str = "shape", square: float = 0.05) -> None:
        if square < 0:
            raise ConfigError(f"annotator.square is {square}. Give a share from 0, such as 0.05")
        self.name = name
        self.square = square
        self.columns = {"shape": pa.string(), "aspect": pa.float32(), "megapixels": pa.float32()}

    @property
    def spec(self) -> dict[str, Any]:
        return {"_target_": "nitari.annotator.shape.ShapeAnnotator", "name": self.name, "square": self.square}

    def survey(self, whole: Whole) -> pa.Table:
        width, height = (whole.catalog.ready(name).to_numpy().astype(np.float64) for name in ("width", "height"))
        aspect = width / height
        kinds = np.select([aspect > 1 + self.square, 1 / aspect > 1 + self.square], [0, 1], 2)
        shape = pa.DictionaryArray.from_arrays(pa.array(kinds, pa.int8()), ["landscape", "portrait", "square"])
        values = [shape.cast(pa.string()), aspect.astype(np.float32), (width * height / 1e6).astype(np.float32)]
        return pa.table(values, schema=pa.schema(list(self.columns.items())))
