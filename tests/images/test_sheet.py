import numpy as np
import pytest

from nitari.images.sheet import BACKGROUND, contact_sheet

RED = np.full((40, 80, 3), (200, 0, 0), np.uint8)
BLUE = np.full((300, 100, 3), (0, 0, 200), np.uint8)


def colours(image):
    return {tuple(int(v) for v in colour) for colour in np.unique(np.asarray(image).reshape(-1, 3), axis=0)}


def test_every_picture_is_shown_whole():
    sheet = contact_sheet([[RED, BLUE], [BLUE]], cell=60)
    pixels = np.asarray(sheet)
    red = np.argwhere((pixels == (200, 0, 0)).all(axis=2))
    assert (np.ptp(red, axis=0) + 1).tolist() == [30, 60]  # letterboxed
    assert {(200, 0, 0), (0, 0, 200), BACKGROUND} <= colours(sheet)


def test_nothing_is_enlarged():
    pixels = np.asarray(contact_sheet([[RED]], cell=128))
    red = np.argwhere((pixels == (200, 0, 0)).all(axis=2))
    assert (np.ptp(red, axis=0) + 1).tolist() == [40, 80]


def test_captions_and_labels_take_room_and_ink():
    plain = contact_sheet([[RED, BLUE]])
    full = contact_sheet([[RED, BLUE]], [["query", "a very long caption " * 9]], ["bags\nof leather"], title="形 form")
    assert full.height > plain.height
    assert full.width == plain.width
    assert len(colours(full)) > len(colours(plain))


def test_right_and_wrong_are_marked():
    marks = [contact_sheet([[RED, BLUE]], correct=[[None, value]]) for value in (True, False, None)]
    assert len({mark.tobytes() for mark in marks}) == 3
    assert contact_sheet([[RED, BLUE]], correct=[]).tobytes() == marks[2].tobytes()


@pytest.mark.parametrize("rows", [[], [[]], [[], [RED]]], ids=str)
def test_empty_rows(rows):
    assert contact_sheet(rows, [[]], []).width > 0


def test_extreme_shapes():
    line = np.zeros((1, 5000, 3), np.uint8)
    assert contact_sheet([[line, line.transpose(1, 0, 2), np.zeros((1, 1, 3), np.uint8)]], cell=32).height < 100
