import numpy as np
import pytest

from nitari.annotator.colours import ColoursAnnotator
from nitari.errors import ConfigError


def on(ground: tuple[int, int, int], thing: tuple[int, int, int], share: float = 0.25) -> np.ndarray:
    picture = np.full((64, 64, 3), ground, np.uint8)
    side = round(64 * share**0.5 / 2)
    picture[32 - side : 32 + side, 32 - side : 32 + side] = thing
    return picture


def described(*pictures: np.ndarray, **settings: object) -> list[dict]:
    return ColoursAnnotator(**settings).annotate(pictures).to_pylist()


def test_a_plain_background_does_not_count():
    found = described(on((255, 255, 255), (220, 20, 20)))[0]
    assert (found["main_colour"], found["background_colour"]) == ("red", "white")
    assert found["main_rgb"] == "#dc1414"
    assert found["main_share"] > 0.7
    assert described(on((255, 255, 255), (220, 20, 20)), background=None)[0]["main_colour"] == "white"


def test_a_coloured_ground_is_what_people_see():
    found = described(on((255, 128, 0), (255, 255, 255)))[0]
    assert (found["main_colour"], found["second_colour"], found["background_colour"]) == ("orange", "white", None)


def test_one_colour_has_no_second_and_no_background():
    found = described(np.full((20, 20, 3), 255, np.uint8))[0]
    assert (found["main_colour"], found["second_colour"], found["background_colour"]) == ("white", None, None)
    assert found["main_share"] == 1
    assert found["main_rgb"] == "#ffffff"


@pytest.mark.parametrize("settings", [{"k": 1}, {"background": 0.2}])
def test_bad_settings_are_refused(settings: dict):
    with pytest.raises(ConfigError, match=f"annotator.{next(iter(settings))} is"):
        ColoursAnnotator(**settings)
