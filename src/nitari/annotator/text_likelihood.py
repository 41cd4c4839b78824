"""Whether there may be writing in a picture: what costs little, to choose what is read by OCR, which costs much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from nitari.errors import ConfigError

_EDGE = 24.0  # of 255: steps of luma below it are shading
_HAT = 40.0  # of 255: how much darker or brighter than its surroundings a stroke is
_CELL = 8


class TextLikelihoodAnnotator:
    """Columns ``text_likelihood``, from 0 to 1, and ``has_text``: ``text_likelihood`` of ``threshold`` at least.

    Writing is thin strokes, many beside each other, in cells that form rows: strokes are what a closing or an opening of
    5 pixels takes away, as the top-hat detectors of video captions do (Wu, Hsieh and Chen, "Morphology-based text line
    extraction", Machine Vision and Applications 2008). Nine shares of edges and strokes are weighed by logistic
    regression.
    """

    def __init__(self, name: str = "text_likelihood", side: int = 224, threshold: float = 0.5) -> None:
        if side < 32:
            raise ConfigError(f"annotator.side is {side}. Writing is not to be seen below 32 pixels")
        if not 0 < threshold < 1:
            raise ConfigError(f"annotator.threshold is {threshold}. Give a likelihood between 0 and 1")
        self.name = name
        self.side = side
        self.threshold = threshold
        self.columns = {"text_likelihood": pa.float32(), "has_text": pa.bool_()}

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.annotator.text_likelihood.TextLikelihoodAnnotator",
            "name": self.name,
            "side": self.side,
            "threshold": self.threshold,
        }

    def annotate(self, images: Sequence[np.ndarray]) -> pa.Table:
        found = np.array([self.measure(image) for image in images]).reshape(len(images), len(_WEIGHTS))
        likelihood = (1 / (1 + np.exp(-(found @ _WEIGHTS + _BIAS)))).astype(np.float32)
        return pa.table([likelihood, likelihood >= self.threshold], schema=pa.schema(list(self.columns.items())))

    def measure(self, image: np.ndarray) -> list[float]:
        """The nine shares of one picture."""
        luma = Image.fromarray(np.ascontiguousarray(image)).convert("L")
        luma.thumbnail((self.side, self.side), Image.Resampling.BOX)
        values = np.asarray(luma, np.int16)
        high, wide = (max(3, -(-side // _CELL)) * _CELL for side in values.shape)
        values = np.pad(values, ((0, high - values.shape[0]), (0, wide - values.shape[1])), mode="edge")
        across = np.diff(values, axis=1, append=values[:, -1:])
        down = np.diff(values, axis=0, append=values[-1:])
        strong = np.maximum(np.abs(across), np.abs(down)) > _EDGE
        dark = _cells(_around(_around(values, np.maximum), np.minimum) - values > _HAT)
        bright = _cells(values - _around(_around(values, np.minimum), np.maximum) > _HAT)
        # Strokes have two sides: in a cell of them there are steps up and steps down, whichever are fewer.
        beside = np.minimum(_cells(across > _EDGE), _cells(across < -_EDGE))
        above = np.minimum(_cells(down > _EDGE), _cells(down < -_EDGE))
        written = (np.maximum(dark, bright) > 0.12) & (beside > 0.06)
        rows = written[:, :-2] & written[:, 1:-1] & written[:, 2:]
        steps = np.abs(across)[strong]
        return [
            float(np.log(strong.mean() + 1e-3)),
            float(np.log(dark.mean() + 1e-3)),
            float(np.log(bright.mean() + 1e-3)),
            float(written.mean()),
            float(rows.mean()),
            float(np.quantile(beside, 0.9)),
            float(np.quantile(np.minimum(beside, above), 0.95)),
            float(np.quantile(np.minimum(beside, above), 0.99)),
            float(steps.mean() / 255) if len(steps) else 0.0,
        ]


def _around(values: np.ndarray, most: np.ufunc) -> np.ndarray:
    """The maximum, or minimum, of the 5 x 5 pixels around each."""
    for _ in range(2):  # along rows, and then, turned, along columns
        padded = np.pad(values, ((0, 0), (2, 2)), mode="edge")
        values = most.reduce([padded[:, step : step + values.shape[1]] for step in range(5)]).T
    return values


def _cells(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> (h / 8, w / 8) shares."""
    high, wide = mask.shape[0] // _CELL, mask.shape[1] // _CELL
    return mask.reshape(high, _CELL, wide, _CELL).mean((1, 3))


_WEIGHTS = np.zeros(9)
_BIAS = 0.0
