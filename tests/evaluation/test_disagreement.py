from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.evaluation import disagreement
from nitari.evaluation.neighbours import Shown, found_by
from nitari.evaluation.subject import open_subject, same_picture
from nitari.steps.pictures import Pictures


def test_a_space_shares_all_with_itself_and_little_with_chance(painted: Collection, tmp_path: Path):
    catalog = Catalog(painted.latest("catalog"))
    colour, chance = (
        open_subject(painted, catalog, painted.latest("embeddings", name)) for name in ("colour", "random")
    )
    rows = np.arange(catalog.n_ready)
    shown = Shown(rows[:12], np.zeros(12), rows, same_picture(catalog), None)
    one, two = (found_by(subject, shown, shown.rows, 0)[0] for subject in (colour, chance))
    np.testing.assert_array_equal(disagreement.overlap(one, one), np.ones(12))
    shared = disagreement.overlap(one, two)
    assert shared.mean() == pytest.approx(10 / 46, abs=0.12)
    disagreement.write(tmp_path / "sheet.jpg", Pictures(painted, catalog), colour, chance, shown, shared, 3)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.height > 6 * 96
