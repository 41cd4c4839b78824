import math

import pytest
import torch

from nitari.model.codes import effective_rank, measures


def test_codes_that_find_their_pictures_and_fill_the_space():
    clean = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    found = measures(clean, clean)
    assert float(found["copy_recall"]) == 1
    assert float(found["alignment"]) == pytest.approx(0, abs=1e-6)
    assert 7 < float(found["effective_rank"]) <= 8
    assert float(found["uniformity"]) < -2


def test_a_collapsed_space_is_seen():
    line = torch.linspace(-1, 1, 64)[:, None] * torch.ones(1, 8)
    assert float(effective_rank(line)) == pytest.approx(1, abs=1e-3)
    spread = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    assert float(measures(line, line)["uniformity"]) > float(measures(spread, spread)["uniformity"])


def test_codes_all_alike_give_numbers():
    assert all(math.isfinite(float(value)) for value in measures(torch.ones(4, 3), torch.ones(4, 3)).values())
    assert math.isfinite(float(measures(torch.ones(1, 3), torch.ones(1, 3))["uniformity"]))
