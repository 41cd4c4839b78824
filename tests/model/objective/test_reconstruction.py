from typing import Any

import pytest
import torch

from nitari.errors import ConfigError
from nitari.model import create
from nitari.model.objective import Batch
from nitari.model.objective.reconstruction import Reconstruction


class Grey(torch.nn.Module):
    decoder = object()

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return codes.mean() + torch.zeros(len(codes), 3, 8, 8)


def test_a_grey_picture_scores_one():
    pictures = torch.rand(4, 3, 8, 8)
    loss, _ = Reconstruction()(Batch(Grey(), (pictures,), (pictures.mean().expand(4, 2),), pictures))
    torch.testing.assert_close(loss, torch.tensor(1.0), atol=1e-2, rtol=0)


def test_a_network_without_a_decoder_is_refused(tiny: dict[str, Any]):
    with pytest.raises(ConfigError, match="needs a decoder"):
        Reconstruction().prepare(create(tiny | {"decoder": 0}))
