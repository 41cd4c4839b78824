import numpy as np
import pytest

from nitari.joined import Joined

ALL = np.arange(21).reshape(7, 3)
JOINED = Joined(ALL[:4], ALL[4:])


@pytest.mark.parametrize("rows", [0, 3, 4, 6, -1, -4, np.int64(4), np.int32(-7)])
def test_one_row(rows):
    np.testing.assert_array_equal(JOINED[rows], ALL[rows])


@pytest.mark.parametrize(
    "rows",
    [slice(2, 6), slice(None), slice(5, 100), slice(4, 4), np.array([6, 0, 4, 3]), np.array([1, 2]), np.array([5])],
)
def test_several(rows):
    np.testing.assert_array_equal(JOINED[rows], ALL[rows])
    assert len(JOINED) == 7
