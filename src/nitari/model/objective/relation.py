"""Relations: pictures are as alike by their codes as they are by a teacher's vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.errors import ConfigError
from nitari.model.objective import Batch


class Relation(nn.Module):
    """Mean squared difference between the cosines of all pairs of a batch, by codes and by the teacher: Tung and Mori,
    "Similarity-preserving knowledge distillation" (ICCV 2019). ``space`` and ``dims`` are as for ``objective.teacher``.
    """

    def __init__(self, space: str, dims: int = 128, views: int = 1) -> None:
        super().__init__()
        self.teacher = space
        self.dims = dims
        self.views = views

    def prepare(self, network: nn.Module) -> None:
        pass

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        if batch.targets is None:
            raise ConfigError(f"The objective 'relation' needs the vectors of space '{self.teacher}', and got none")
        wanted = _cosines(batch.targets)
        losses = [(_cosines(codes) - wanted).square().mean() for codes in batch.codes[: self.views]]
        return sum(losses[1:], losses[0]) / len(losses), {}


def _cosines(vectors: Tensor) -> Tensor:
    with torch.autocast(vectors.device.type, enabled=False):
        vectors = vectors.float()
        ready = functional.normalize(vectors - vectors.mean(0), dim=1)
        return ready @ ready.T
