"""The encoder as ONNX: uint8 pictures in, scaling inside, raw codes out; checked against torch before it is kept."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from nitari.errors import NitariError
from nitari.model.module import scaled

TOLERANCE = 1e-3  # of the codes' standard deviation


class Encoder(nn.Module):
    """(n, side, side, 3) uint8 -> (n, d) float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        return cast(Any, self.network).encode(scaled(pictures))


def export(network: nn.Module, path: Path) -> float:
    """Write ``path`` and return the largest difference from torch, in standard deviations of the codes.

    Raises NitariError where that is more than rounding.
    """
    encoder = Encoder(network).float().cpu().eval().to(memory_format=torch.contiguous_format)
    side = int(cast(Any, network).size)
    pictures = torch.randint(0, 256, (3, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own, about its own future
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            encoder,
            (pictures,),
            str(path),
            dynamo=True,
            external_data=False,
            input_names=["pictures"],
            output_names=["code"],
            dynamic_shapes={"pictures": {0: torch.export.Dim("n")}},
            verbose=False,
        )
        expected = encoder(pictures).numpy()
    found = _run(path, pictures.numpy())
    difference = float(np.abs(found - expected).max() / max(float(expected.std()), 1e-6))
    if not difference < TOLERANCE:
        raise NitariError(
            f"The exported encoder differs from torch's by {difference:.1e} standard deviations. Please report it"
        )
    return difference


def _run(path: Path, pictures: np.ndarray) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return cast(np.ndarray, session.run(None, {"pictures": pictures})[0])
