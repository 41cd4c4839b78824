"""The whole way on a small real collection that nobody prepared, through the commands a user types."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nitari.catalog import Catalog
from nitari.cli import main
from nitari.collection import Collection
from nitari.embeddings import Embeddings

N_PICTURES = 160
SMALL = [
    "workers=2",
    "trainer.epochs=2",
    "trainer.batch=32",
    "protocol.max_queries=8",
    "protocol.throughput_items=16",
    "protocol.resamples=100",
]
METRICS = ["precision_at_1", "precision_at_10", "recall_at_10", "map_at_100", "ndcg_at_10", "ann_recall_at_10"]


def sample() -> list[Path]:
    spec = find_spec("diagrams")
    if spec is None or spec.origin is None:
        pytest.skip("the extra 'samples' is not installed")
    files = sorted((Path(spec.origin).parent.parent / "resources").rglob("*.png"))
    assert len(files) > 2000
    return files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real pictures in folders, a metadata.csv that knows some of them, and files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    files = sample()
    rows = ["file_name,category,price"]
    for number, file in enumerate(files[:: len(files) // N_PICTURES][:N_PICTURES]):
        name = f"{file.parent.name}/{number:03d}-{file.name}"
        (folder / file.parent.name).mkdir(exist_ok=True)
        (folder / name).write_bytes(file.read_bytes())
        if number % 10:
            rows.append(f'"{name}",{file.parent.parent.name},{number}')
    whole = files[0].read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "notes.txt").write_text("not even named like one")
    Image.new("L", (9000, 9000)).save(folder / "bomb.png")
    rows.append("missing.png,none,1")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def nitari(place: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command with format=json; returns its one document."""

    def run(job: str, *words: str, code: int = 0) -> Any:
        shared = [f"root={place / 'collections'}", "format=json"]
        if job not in ("recommend", "show", "doctor"):
            shared.append(f"tracking=sqlite:///{place / 'mlruns' / 'mlflow.db'}")
        capfd.readouterr()
        assert main([job, "collection=shoes", *shared, *words]) == code
        out, err = capfd.readouterr()
        return json.loads(out) if code == 0 else err

    return run


@pytest.mark.slow
def test_pipeline_accounts_for_everything(folder: Path, nitari: Callable[..., Any]):
    results = nitari("pipeline", "source=folder", f"source.path={folder}", "labels=category", *SMALL)
    evaluation = results["evaluate"]
    assert set(evaluation["spaces"]) >= {"encoder", "pixels", "colour", "random"}
    for space in evaluation["spaces"].values():
        for metric in METRICS:
            value = space[metric]
            assert value is None or value["low"] <= value["value"] <= value["high"], (metric, value)
        assert set(space["copy_recall_at_1"]["by_distortion"]) == {
            "crop",
            "scale",
            "jpeg",
            "brightness",
            "contrast",
            "blur",
            "rotation",
            "mirror",
            "text",
            "border",
        }
    encoder = evaluation["spaces"]["encoder"]
    assert encoder["ann_recall_at_10"]["value"] >= 0.99
    assert encoder["copy_recall_at_1"]["value"] > evaluation["spaces"]["random"]["copy_recall_at_1"]["value"]

    shown = nitari("show")
    assert shown["items"] == {"total": N_PICTURES + 6, "ready": N_PICTURES, "unreadable": 6, "gone": 0}
    assert shown["stale"] == []


@pytest.mark.slow
def test_every_refused_file_says_why(folder: Path, place: Path):
    catalog = Catalog(Collection(place / "collections", "shoes").latest("catalog"))
    records = catalog.records(range(catalog.n_ready, catalog.n_items), ["file_name", "status", "reason", "message"])
    assert {record["file_name"] for record in records} == {
        "truncated.png",
        "empty.jpg",
        "text.jpg",
        "notes.txt",
        "bomb.png",
        "missing.png",
    }
    assert all(record["reason"] and record["message"] for record in records)


@pytest.mark.slow
def test_recommends_by_item_name_and_picture(folder: Path, place: Path, nitari: Callable[..., Any]):
    catalog = Catalog(Collection(place / "collections", "shoes").latest("catalog"))
    item = catalog.records([5])[0]
    page = nitari("recommend", f"like={item['item_id']}", "k=12", f"sheet={place / 'sheet.jpg'}")
    assert page["release"]
    assert len(page["results"]) == 12
    assert item["item_id"] not in [result["item_id"] for result in page["results"]]
    scores = [result["score"] for result in page["results"]]
    assert scores == sorted(scores, reverse=True)
    result = page["results"][0]
    assert set(result) == {"item_id", "score", "similarity", "distance", "rank", "copies", "attributes"}
    with Image.open(place / "sheet.jpg") as sheet:
        assert sheet.size[0] > 300

    assert nitari("recommend", f"like={item['file_name']}", "k=12")["results"] == page["results"]

    uploaded = nitari("recommend", f"like={folder / item['file_name']}", "k=3")["results"]
    assert uploaded[0]["item_id"] == item["item_id"]
    assert uploaded[0]["score"] > 0.999


@pytest.mark.slow
def test_recommends_within_a_filter(place: Path, nitari: Callable[..., Any]):
    item = Catalog(Collection(place / "collections", "shoes").latest("catalog")).records([0])[0]["item_id"]
    page = nitari("recommend", f"like={item}", "k=50", "where=price<30 and category is not null")
    assert all(result["attributes"]["price"] < 30 for result in page["results"])
    assert len(page["results"]) >= 20
    assert "no item '000'" in nitari("recommend", "like=000", code=2)
    assert "no column 'prize'" in nitari("recommend", f"like={item}", "where=prize<30", code=2)


@pytest.mark.slow
def test_each_job_again_finds_nothing_to_do(folder: Path, place: Path, nitari: Callable[..., Any]):
    collection = Collection(place / "collections", "shoes")
    before = {kind: collection.latest(kind).id for kind in ("catalog", "thumbnails")}
    nitari("ingest", "source=folder", f"source.path={folder}")
    nitari("extract", "extractor=encoder")
    assert {kind: collection.latest(kind).id for kind in before} == before
    assert nitari("show")["stale"] == []


@pytest.mark.slow
def test_new_changed_and_gone_pictures(folder: Path, place: Path, nitari: Callable[..., Any]):
    collection = Collection(place / "collections", "shoes")
    old = Embeddings(collection.latest("embeddings", "encoder"))
    old_catalog = Catalog(collection.latest("catalog"))
    unnamed = old_catalog.select("category is null")  # metadata.csv does not miss these when they are gone
    assert unnamed is not None
    names = [record["file_name"] for record in old_catalog.records(unnamed.rows[:3], ["file_name"])]
    (folder / "new.png").write_bytes((folder / names[0]).read_bytes())
    (folder / names[1]).unlink()
    Image.new("RGB", (50, 40), "red").save(folder / names[2])
    nitari("ingest", "source=folder", f"source.path={folder}")
    shown = nitari("show")
    assert shown["items"] == {"total": N_PICTURES + 7, "ready": N_PICTURES, "unreadable": 6, "gone": 1}
    assert [entry["what"] for entry in shown["stale"]][:1] != []
    nitari("extract", "extractor=encoder")
    nitari("build", "release.spaces=[encoder]")
    catalog = Catalog(collection.latest("catalog"))
    fresh = Embeddings(collection.latest("embeddings", "encoder"))
    assert len(fresh) == N_PICTURES
    kept, changed = catalog.row(names[0]), catalog.row(names[2])
    np.testing.assert_allclose(fresh.vectors[kept], old.vectors[old_catalog.row(names[0])], atol=1e-6)
    np.testing.assert_allclose(fresh.vectors[catalog.row("new.png")], fresh.vectors[kept], atol=1e-5)
    assert not np.allclose(fresh.vectors[changed], old.vectors[old_catalog.row(names[2])], atol=1e-3)
    assert nitari("recommend", f"like={names[0]}", "k=1")["results"][0]["attributes"] is not None
    assert "gone" in nitari("recommend", f"like={names[1]}", code=2)
