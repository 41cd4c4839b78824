"""A published encoder run by torch: for graphics processors, and to compare with ONNX Runtime."""

from __future__ import annotations

import numpy as np
import torch
from safetensors.torch import load_file

from nitari.artifact import Artifact
from nitari.model import create
from nitari.model.export import Encoder

WEIGHTS = "weights.safetensors"


class TorchRuntime:
    """(n, side, side, 3) uint8 -> (n, d) float32 codes, on ``device`` (the GPU where there is one)."""

    def __init__(self, artifact: Artifact, device: str | None = None, *, bf16: bool = False) -> None:
        self.device = torch.device(device or ("cuda" if has_gpu() else "cpu"))
        self.bf16 = bf16
        spec = dict(artifact.manifest.info["model"])
        network = create(spec | ({"weights": None} if "weights" in spec else {}))
        network.load_state_dict(load_file(artifact.file(WEIGHTS, full=True)))
        self.network = Encoder(network).eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.array(pictures)).to(self.device)  # a copy: memory maps are read-only
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return self.network(batch).float().cpu().numpy()


def has_gpu() -> bool:
    return torch.cuda.is_available()
