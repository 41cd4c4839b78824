import pytest
import torch

from nitari.errors import ConfigError
from nitari.model.augment import Augment

OFF = Augment(area=1, reach=1, aspect=1, turn=0, flip=0, jitter=0, grey=0, box=0, coarse=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(16, 3, 24, 24, generator=generator())


def test_all_off_changes_nothing(pictures: torch.Tensor):
    torch.testing.assert_close(OFF(pictures, generator()), pictures, atol=1e-5, rtol=0)


def test_the_seed_decides_and_pictures_differ(pictures: torch.Tensor):
    one, again = Augment()(pictures, generator(1)), Augment()(pictures, generator(1))
    torch.testing.assert_close(one, again, atol=0, rtol=0)
    other = Augment()(pictures, generator(2))
    assert (one - other).abs().mean((1, 2, 3)).min() > 1e-3
    same = pictures[:1].expand(16, -1, -1, -1)
    assert len({float(p.sum()) for p in Augment()(same, generator())}) == 16


def test_shape_and_range_stay(pictures: torch.Tensor):
    for size in (16, 24, 33):
        out = Augment()(torch.rand(5, 3, size, size), generator())
        assert out.shape == (5, 3, size, size)
        assert out.min() >= 0
        assert out.max() <= 1
    before = pictures.clone()
    Augment()(pictures, generator())
    torch.testing.assert_close(pictures, before)


@pytest.mark.parametrize("wrong", [{"hue": 2}, {"flip": -0.1}, {"box": 1.5}, {"turn": 200}, {"light": float("nan")}])
def test_what_no_picture_can_be_given_is_refused(wrong: dict[str, float]):
    with pytest.raises(ConfigError, match=f"augment.{next(iter(wrong))} is"):
        Augment(**wrong)


def test_mirroring(pictures: torch.Tensor):
    mirrored = Augment(**vars(OFF) | {"flip": 1.0})(pictures, generator())
    torch.testing.assert_close(mirrored, pictures.flip(3), atol=1e-5, rtol=0)


def test_grey_has_no_colour_and_keeps_the_luminance(pictures: torch.Tensor):
    grey = Augment(**vars(OFF) | {"grey": 1.0})(pictures, generator())
    torch.testing.assert_close(grey[:, 0], grey[:, 1], atol=2e-3, rtol=0)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    torch.testing.assert_close(grey[:, 0], (pictures * weights).sum(1), atol=2e-3, rtol=0)


def test_hue_keeps_the_luminance():
    pictures = 0.4 + 0.2 * torch.rand(8, 3, 8, 8, generator=generator())
    turned = Augment(**vars(OFF) | {"jitter": 1.0, "hue": 0.2, "light": 0.0})(pictures, generator())
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    assert (turned - pictures).abs().max() > 0.02
    torch.testing.assert_close((turned * weights).sum(1), (pictures * weights).sum(1), atol=2e-3, rtol=0)


def test_a_box_covers_part_of_the_picture(pictures: torch.Tensor):
    covered = Augment(**vars(OFF) | {"box": 1.0})(pictures, generator())
    share = (covered - pictures).abs().sum(1).gt(1e-3).float().mean((1, 2))
    assert share.min() > 0
    assert share.max() <= 0.25


def test_a_larger_canvas_is_filled_with_one_colour():
    black = torch.zeros(64, 3, 24, 24)
    out = Augment(**vars(OFF) | {"area": 1.0, "reach": 2.0})(black, generator())
    filled = [p for p in out if p.max() > 0]
    assert filled
    for p in filled:
        assert len(torch.unique(p.reshape(3, -1).T, dim=0)) == 2


def test_coarse_pictures_lose_detail(pictures: torch.Tensor):
    coarse = Augment(**vars(OFF) | {"coarse": 1.0})(pictures, generator())
    assert coarse.var((2, 3)).mean() < 0.6 * pictures.var((2, 3)).mean()


@pytest.mark.parametrize("wrong", [{"area": 0.0}, {"area": 1.5}, {"reach": 0.5}, {"aspect": 0.5}])
def test_wrong_settings_are_named(wrong: dict[str, float]):
    with pytest.raises(ConfigError, match="area"):
        Augment(**wrong)
