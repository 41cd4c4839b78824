"""Text that is in the picture, read by RapidOCR: PaddleOCR's networks, which its wheel brings, on ONNX Runtime."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

from nitari.errors import ConfigError, MissingExtraError
from nitari.images.shrink import shrink

_LEAST = 16  # pixels of the shorter side below which nobody could read anything


class OcrAnnotator:
    """Columns ``text``, lines from top to bottom, and ``text_confidence``, their mean by length; no text: "" and null.

    Detection by DBNet (Liao et al., "Real-time scene text detection with differentiable binarization", AAAI 2020),
    recognition of Chinese, Japanese and Latin script by PP-OCR (Li et al., "PP-OCRv3", arXiv 2206.03001). Reading takes
    about a second, so a picture is first looked at in ``look`` pixels of its longer side, and read in ``side`` where
    something in it looks like text: lines 7 pixels high there are seen, smaller ones often missed. Lines below
    ``confidence`` are left out. Each thread has networks of its own: about 250 MB at work.
    """

    shard = 16

    def __init__(self, name: str = "ocr", side: int = 960, look: int = 480, confidence: float = 0.5) -> None:
        if not 32 <= look <= side:
            raise ConfigError(
                f"annotator.look is {look} and annotator.side {side}. Give pixels from 32, look up to side"
            )
        if not 0 <= confidence < 1:
            raise ConfigError(f"annotator.confidence is {confidence}. Give a number from 0 to below 1")
        if find_spec("rapidocr") is None:  # said at once, and not after a training
            raise MissingExtraError("rapidocr", "ocr")
        self.name = name
        self.side = side
        self.look = look
        self.confidence = confidence
        self.columns = {"text": pa.string(), "text_confidence": pa.float32()}
        self._own = threading.local()

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.annotator.ocr.OcrAnnotator",
            "name": self.name,
            "side": self.side,
            "look": self.look,
            "confidence": self.confidence,
        }

    def annotate(self, images: Sequence[np.ndarray]) -> pa.Table:
        found = [self._read(image) for image in images]
        values = [[text for text, _ in found], [sure for _, sure in found]]
        return pa.table(values, schema=pa.schema(list(self.columns.items())))

    def _read(self, image: np.ndarray) -> tuple[str, float | None]:
        image = shrink(image, self.side)
        if min(image.shape[:2]) < _LEAST or not self._looks_written(image):
            return "", None
        found = self._engine(image[..., ::-1], use_cls=True, use_rec=True)  # it takes BGR
        lines = [" ".join(line.split()) for line in found.txts or ()]
        if not any(lines):
            return "", None
        return " ".join(lines), float(np.average(found.scores, weights=[len(line) for line in lines]))

    def _looks_written(self, image: np.ndarray) -> bool:
        """Whether the detector finds anything in a small version; of a picture that is small already, reading decides."""
        small = shrink(image, self.look)
        if small is image:
            return True
        return len(self._engine(small[..., ::-1], use_cls=False, use_rec=False)) > 0

    @property
    def _engine(self) -> Any:
        """This thread's RapidOCR, which keeps what it works on in attributes."""
        if not hasattr(self._own, "engine"):
            from rapidocr import RapidOCR

            self._own.engine = RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.text_score": self.confidence,
                    "Global.max_side_len": self.side,
                    "Det.limit_type": "max",  # its default enlarges small pictures: ten times the time, few more words
                    "Det.limit_side_len": self.side,
                    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
            )
        return self._own.engine
