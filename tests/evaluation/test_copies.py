import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.evaluation.copies import copy_recall, make_copies, per_copy, summarise
from nitari.evaluation.subject import Subject, open_subject, same_picture
from nitari.steps.pictures import Pictures


def opened(collection: Collection, *spaces: str) -> tuple[Catalog, Pictures, list[Subject]]:
    catalog = Catalog(collection.latest("catalog"))
    subjects = [open_subject(collection, catalog, collection.latest("embeddings", space)) for space in spaces]
    return catalog, Pictures(collection, catalog), subjects


def test_copies_find_their_originals(painted: Collection):
    catalog, pictures, subjects = opened(painted, "pixels", "colour", "random")
    rows = np.arange(0, catalog.n_ready, 4)
    copies = make_copies(pictures, subjects, rows, threads=2)
    assert copies.vectors["pixels"].shape == (len(rows), 10, 16)
    groups = same_picture(catalog)
    tables = {subject.name: copy_recall(subject, copies, groups) for subject in subjects}
    for table in tables.values():
        assert table.shape == (len(rows), 10, 3)
        assert (np.diff(table, axis=2) >= 0).all()  # what is found among 1 is found among 5
    by_name = {name: tables["pixels"][:, at, 0].mean() for at, name in enumerate(copies.distortions)}
    assert by_name["jpeg"] > 0.9
    assert by_name["scale"] > 0.9
    assert tables["random"].mean() < 0.3
    found = summarise(tables["pixels"], copies.distortions, seed=0, resamples=200)
    assert list(found) == ["copy_recall_at_1", "copy_recall_at_5", "copy_recall_at_10"]
    first = found["copy_recall_at_1"]
    assert first["value"] == pytest.approx(tables["pixels"][:, :, 0].mean())
    assert first["low"] <= first["value"] <= first["high"]
    assert first["queries"] == len(rows)
    assert first["by_distortion"]["jpeg"]["value"] == pytest.approx(by_name["jpeg"])
    frame = per_copy(catalog, copies, tables["pixels"], "pixels")
    assert len(frame) == 10 * len(rows)
    assert frame.groupby("distortion")["copy_recall_at_1"].mean()["jpeg"] == pytest.approx(by_name["jpeg"])


def test_an_exact_duplicate_counts_as_the_original(painted: Collection):
    catalog, pictures, subjects = opened(painted, "pixels")
    rows = np.array([catalog.row("red-00.jpg"), catalog.row("red-copy.jpg")])
    copies = make_copies(pictures, subjects, rows, distortions=["jpeg"])
    assert copy_recall(subjects[0], copies, same_picture(catalog)).tolist() == [[[1, 1, 1]], [[1, 1, 1]]]
    assert copy_recall(subjects[0], copies, np.arange(catalog.n_ready))[:, 0, 0].tolist() == [0.5, 0.5]


def test_copies_do_not_depend_on_company_or_threads(painted: Collection):
    _, pictures, subjects = opened(painted, "pixels", "colour")
    many = make_copies(pictures, subjects, np.arange(12), threads=3, seed=4)
    few = make_copies(pictures, subjects, np.array([7, 2]), seed=4)
    for space in ("pixels", "colour"):
        np.testing.assert_allclose(few.vectors[space], many.vectors[space][[7, 2]], atol=1e-6)
    other = make_copies(pictures, subjects, np.array([7, 2]), seed=5)
    assert not np.allclose(other.vectors["pixels"], few.vectors["pixels"])


def test_originals_that_are_gone_are_left_out_and_named(
    painted: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    catalog, pictures, subjects = opened(painted, "pixels")
    names = catalog.ready("file_name").to_pylist()
    folder = Path(catalog.records([0], ["location"])[0]["location"]).parent
    away = shutil.move(folder / names[1], tmp_path / "away")
    try:
        with caplog.at_level(logging.WARNING):
            copies = make_copies(pictures, subjects, np.arange(3), distortions=["mirror"])
        assert copies.rows.tolist() == [0, 2]
        assert f"'{names[1]}' is left out" in caplog.text
        with pytest.raises(ConfigError, match=r"None of the 1 originals .* protocol\.max_queries=0"):
            make_copies(pictures, subjects, np.array([1]))
    finally:
        shutil.move(away, folder / names[1])


def test_unknown_distortions_are_refused(painted: Collection):
    _, pictures, subjects = opened(painted, "pixels")
    with pytest.raises(ConfigError, match="no distortion 'melt'"):
        make_copies(pictures, subjects, np.arange(2), distortions=["crop", "melt"])
