"""How well a picture can be seen: sharpness, contrast, brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from nitari.errors import ConfigError

# Half-way marks of ``quality``, between what 99% of three sets' pictures exceed and what their blurred or flattened
# copies reach: see QualityAnnotator.
_DETAIL = 0.1
_CONTRAST = 0.05
_BLANK = 0.01  # contrast; noise of JPEG stays below it


class QualityAnnotator:
    """Columns ``sharpness``, ``contrast``, ``brightness``, ``quality`` and ``is_blank``, of the luma at ``side`` pixels.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a
    comparative study", ICPR 2000) as a share of the luma's own variance, so that a faint picture may be sharp; contrast is
    the luma's standard deviation and brightness its mean, both of values in [0, 1]. ``quality``, in [0, 1], is the
    geometric mean of detail / (detail + 0.1) and contrast / (contrast + 0.05). ``is_blank``: nothing is to be seen.

    ``side`` bounds what can be told: in thumbnails of 96 pixels a large original looks sharp unless it is badly blurred.
    """

    shard = 256

    def __init__(self, name: str = "quality", side: int = 96) -> None:
        if side < 8:
            raise ConfigError(f"annotator.side is {side}. Give pixels from 8")
        self.name = name
        self.side = side
        numbers = ("sharpness", "contrast", "brightness", "quality")
        self.columns = dict.fromkeys(numbers, pa.float32()) | {"is_blank": pa.bool_()}

    @property
    def spec(self) -> dict[str, Any]:
        return {"_target_": "nitari.annotator.quality.QualityAnnotator", "name": self.name, "side": self.side}

    def annotate(self, images: Sequence[np.ndarray]) -> pa.Table:
        found = np.array([self._measure(image) for image in images], np.float32).reshape(-1, 3)
        sharpness, contrast, brightness = found.T
        quality = np.sqrt(sharpness / (sharpness + _DETAIL) * contrast / (contrast + _CONTRAST))
        values = [sharpness, contrast, brightness, quality, contrast < _BLANK]
        return pa.table(values, schema=pa.schema(list(self.columns.items())))

    def _measure(self, image: np.ndarray) -> tuple[float, float, float]:
        """Sharpness, contrast and brightness of one picture."""
        luma = Image.fromarray(np.ascontiguousarray(image)).convert("L")
        luma.thumbnail((self.side, self.side), Image.Resampling.BILINEAR)
        values = np.asarray(luma, np.float32) / 255
        padded = np.pad(values, 1, mode="edge")
        around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        contrast = float(values.std())
        sharpness = float((around - 4 * values).var()) / max(contrast, _BLANK) ** 2
        return sharpness, contrast, float(values.mean())
