"""Teacher: from an augmented view, what another extractor says of the picture as it was."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from nitari.errors import ConfigError
from nitari.model.objective import Batch


class Teacher(nn.Module):
    """1 - cosine between a linear reading of each view's code and the clean picture's vector in another space.

    ``space`` is a published space of the collection, extracted once; its vectors are reduced to ``dims`` numbers by PCA,
    unwhitened: whitening a teacher's features costs precision. Hinton, Vinyals and Dean, arXiv:1503.02531, with features
    in the place of classes.
    """

    def __init__(self, space: str, dims: int = 128, views: int = 1) -> None:
        super().__init__()
        self.teacher = space
        self.dims = dims
        self.views = views
        self.read: nn.Module = nn.Identity()

    def prepare(self, network: nn.Module) -> None:
        self.read = nn.Linear(int(network.dim), self.dims)  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        if batch.targets is None:
            raise ConfigError(f"The objective 'teacher' needs the vectors of space '{self.teacher}', and got none")
        codes = batch.codes[: self.views]
        read = [functional.cosine_similarity(self.read(code).float(), batch.targets, dim=1) for code in codes]
        return 1 - sum(read[1:], read[0]).mean() / len(read), {}
