import pytest
import torch

from nitari.model.objective.structural import similarity


def test_equal_pictures_are_alike_and_others_are_not():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 3, 24, 24, generator=generator)
    assert float(similarity(pictures, pictures)) == pytest.approx(1, abs=1e-4)
    assert float(similarity(pictures, torch.rand(3, 3, 24, 24, generator=generator))) < 0.2


def test_lost_structure_costs_more_than_changed_light():
    pictures = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    lighter = pictures * 0.9 + 0.05
    flat = pictures.mean((2, 3), keepdim=True).expand_as(pictures)
    assert float(similarity(lighter, pictures)) > 0.9 > float(similarity(flat, pictures))
