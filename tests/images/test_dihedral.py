import numpy as np

from nitari.images.dihedral import dihedral


def test_the_eight_views_are_different_and_closed_under_turning_and_mirroring():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    views = {view.tobytes() for view in dihedral(pixels)}
    assert len(views) == 8
    for view in dihedral(pixels):
        assert {other.tobytes() for other in dihedral(view)} == views


def test_the_first_is_the_picture_itself():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(dihedral(pixels)[0], pixels)
    assert [view.shape for view in dihedral(pixels)] == [(2, 3, 3), (3, 2, 3)] * 4
