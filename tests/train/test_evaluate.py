"""The jobs extract and evaluate as a user runs them, on small pictures without an encoder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from nitari.artifact import Artifact
from nitari.cli import main
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError
from nitari.serve import show
from nitari.steps.status import status
from nitari.train import build, evaluate, extract

N = 40
SMALL = ["workers=1", "protocol.max_queries=3", "protocol.throughput_items=16", "protocol.resamples=50"]


def columns(name: str) -> dict[str, str]:
    number = int(Path(name).stem.split("-")[1])
    return {"kind": f"k{number % 2}", "split": "validation" if number % 4 == 0 else "train"}


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory,
    make_pictures: Callable[..., list[Path]],
    ingest_folder: Callable[..., Artifact],
) -> Path:
    root = tmp_path_factory.mktemp("root")
    make_pictures(root / "pictures", N)
    ingest_folder(Collection(root, "shoes"), root / "pictures", columns)
    return root


def run(job: Any, root: Path, *words: str) -> dict[str, Any]:
    shared = ["collection=shoes", f"root={root}", "tracking=null"]
    with initialize_config_module("nitari.conf", version_base="1.3"):
        result = job.run(compose(job.__name__.split(".")[-1], overrides=[*shared, *words]))
    assert job.show(result)
    return dict(result)


def test_extract_says_what_it_made_and_then_that_it_is_there(root: Path):
    result = run(
        extract, root, "extractor=pixels", "extractor.name=tiny", "extractor.postprocess.pca=6", "dtype=float16"
    )
    assert result["space"] == {"name": "tiny", "metric": "cosine", "dim": 6, "dtype": "float16"}
    assert result["counts"] == {"vectors": N, "carried_over": 0, "zero": 0}
    assert "embeddings/tiny/" in extract.show(result)
    again = run(
        extract, root, "extractor=pixels", "extractor.name=tiny", "extractor.postprocess.pca=6", "dtype=float16"
    )
    assert again["embeddings"] == result["embeddings"]


def test_extract_needs_an_encoder_to_extract_with(root: Path):
    with pytest.raises(ArtifactError, match="nitari fit collection=shoes"):
        run(extract, root, "extractor=encoder")


def test_baselines_are_extracted_when_they_are_missing(root: Path, capfd: pytest.CaptureFixture[str]):
    result = run(evaluate, root, "labels=kind", *SMALL)
    assert list(result["spaces"]) == ["pixels", "colour", "hog", "random"]
    collection = Collection(root, "shoes")
    assert {"pixels", "colour", "random"} <= set(collection.spaces())
    assert collection.latest("evaluation").id == result["evaluation"]
    shown = evaluate.show(result)
    assert "pixels" in shown
    assert result["files"]["neighbours.jpg"] in shown
    assert Path(result["files"]["neighbours.jpg"]).is_file()
    before = {name: collection.ids("embeddings", name) for name in collection.spaces()}
    run(evaluate, root, "spaces=[colour]", *SMALL)
    assert {name: collection.ids("embeddings", name) for name in collection.spaces()} == before


def test_what_was_made_to_compare_with_is_served_once_it_is_extracted(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Or where a build names it; nothing is computed again."""
    shutil.copytree(root / "shoes" / "catalog", tmp_path / "shoes" / "catalog")
    shutil.copytree(root / "shoes" / "thumbnails", tmp_path / "shoes" / "thumbnails")
    collection = Collection(tmp_path, "shoes")
    run(evaluate, tmp_path, "spaces=[pixels,hog]", *SMALL)
    assert {name: space["comparison"] for name, space in status(collection)["spaces"].items()} == {
        "pixels": True,
        "hog": True,
    }
    assert not any(entry["what"] == "release" for entry in status(collection)["stale"])
    with pytest.raises(ArtifactError, match=r"only spaces made to compare with: hog, pixels.*release\.spaces=\[hog\]"):
        run(build, tmp_path)
    assert list(run(build, tmp_path, "release.spaces=[hog,pixels]")["spaces"]) == ["hog", "pixels"]

    before = Embeddings(collection.latest("embeddings", "hog"))
    monkeypatch.setattr("nitari.extractor.hog.HogExtractor.extract", None)
    made = run(extract, tmp_path, "extractor=hog")
    assert made["counts"]["carried_over"] == N
    assert (Embeddings(collection.latest("embeddings", "hog")).vectors == before.vectors).all()
    assert run(extract, tmp_path, "extractor=hog")["embeddings"] == made["embeddings"]
    assert {name: space["comparison"] for name, space in status(collection)["spaces"].items()} == {
        "pixels": True,
        "hog": False,
    }
    assert "to compare with" in show.table(status(collection)).partition("space pixels")[2].partition("\n")[0]
    with caplog.at_level("WARNING"):
        assert list(run(build, tmp_path)["spaces"]) == ["hog"]
    assert "has space 'pixels', which was made only to compare with" in caplog.text
    monkeypatch.undo()
    run(evaluate, tmp_path, "spaces=[hog]", *SMALL)
    assert collection.latest("embeddings", "hog").id == made["embeddings"]


def test_a_whole_setting_is_measured_beside_the_spaces(root: Path):
    setting = "settings={mix: {weights: {colour: 1, pixels: .5}, fuse: rank}}"
    result = run(evaluate, root, "labels=kind", "spaces=[colour]", setting, *SMALL)
    assert list(result["spaces"]) == ["colour", "pixels", "mix"]
    assert set(result["differences"]) == {"pixels", "mix"}
    assert "mix: colour 1, pixels 0.5; fuse rank" in evaluate.show(result)


def test_a_space_that_has_no_extractor_is_refused(root: Path):
    with pytest.raises(ConfigError, match=r"no space 'colours' yet.*colour"):
        run(evaluate, root, "spaces=[colours]", *SMALL)


def test_filters_as_a_user_types_them_and_one_document_on_standard_output(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    words = ["queries=split=validation", "gallery=split=train", "labels=kind", "format=json", "spaces=[colour,random]"]
    store = f"tracking=sqlite:///{tmp_path / 'mlflow.db'}"
    assert main(["evaluate", "collection=shoes", f"root={root}", store, *words, *SMALL]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["queries"] == N // 4
    assert result["gallery"] == N - N // 4
    assert result["protocol"]["queries"] == "split=validation"

    from mlflow.tracking import MlflowClient

    logged = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_run(result["mlflow_run"])
    assert logged.info.status == "FINISHED"
    assert logged.data.params["queries"] == "split=validation"
    assert logged.data.metrics["precision_at_10/colour"] == pytest.approx(
        result["spaces"]["colour"]["precision_at_10"]["value"]
    )
    assert logged.data.tags["evaluation"] == result["evaluation"]
    kept = {path.name for path in Path(logged.info.artifact_uri).rglob("*")}
    assert {"results.json", "neighbours.jpg", "metrics.png", "queries.parquet", "config.yaml"} <= kept
    assert np.isfinite(list(logged.data.metrics.values())).all()


def test_feedback_is_measured_and_logged_like_any_evaluation(root: Path, tmp_path: Path):
    from nitari.feedback import Feedback

    events = [{"event": "shown", "item_id": item, "query": "q", "arm": arm} for item, arm in (("a", "r1"), ("b", "r2"))]
    Feedback(Collection(root, "shoes")).append([*events, {"event": "clicked", "item_id": "b", "query": "q"}])
    store = f"tracking=sqlite:///{tmp_path / 'mlflow.db'}"
    result = run(evaluate, root, "feedback=true", store)
    assert result["compared"][0]["wins"] == {"r1": 0, "r2": 1}
    assert "r2 against r1" in evaluate.show(result)
    assert Collection(root, "shoes").latest("evaluation").id == result["evaluation"]

    from mlflow.tracking import MlflowClient

    logged = MlflowClient(store.removeprefix("tracking=")).get_run(result["mlflow_run"])
    assert logged.data.metrics["preference/r2"] == 1
    assert logged.data.tags["job"] == "evaluate feedback"
    again = run(evaluate, root, f"feedback={Feedback(Collection(root, 'shoes')).folder}")
    assert again["compared"] == result["compared"]
