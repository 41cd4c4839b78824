import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.errors import ArtifactError, DamagedArtifactError
from nitari.extractor.encoder import EncoderExtractor
from nitari.train import fit as job
from nitari.train.registry import load
from nitari.train.tracking import client

SMALL = [
    "model.size=16",
    "model.stride=2",
    "model.dim=12",
    "model.widths=[8,12]",
    "model.top=16",
    "model.reduced=8",
    "model.decoder=8",
    "trainer.epochs=2",
    "trainer.batch=16",
    "trainer.threads=1",
    "trainer.accelerator=cpu",
]


def composed(root: Path, *more: str) -> Any:
    with initialize_config_module("nitari.conf", version_base="1.3"):
        tracking = f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"
        return compose("fit", ["collection=shoes", f"root={root}", f"tracking={tracking}", *SMALL, *more])


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory,
    make_pictures: Callable[..., list[Path]],
    ingest_folder: Callable[..., Artifact],
) -> Path:
    root = tmp_path_factory.mktemp("fit")
    make_pictures(root / "pictures", 60, size=(40, 30))
    ingest_folder(Collection(root, "shoes"), root / "pictures")
    return root


@pytest.fixture(scope="module")
def result(root: Path) -> dict[str, Any]:
    return job.run(composed(root))


def test_the_job_says_what_it_made(root: Path, result: dict[str, Any]):
    artifact = Collection(root, "shoes").latest("encoder")
    assert result["encoder"] == artifact.id
    assert result["counts"]["train"] + result["counts"]["held_out"] == 60
    assert result["side"] == 16
    assert artifact.manifest.config["model"]["size"] == 16
    text = job.show(result)
    assert f"16 px -> {artifact.manifest.info['out_dim']} numbers" in text
    assert sorted(artifact.manifest.info["beside"]) == ["colour", "hog"]
    assert result["mlflow_run"] in text
    json.dumps(result)


def test_the_run_has_curves_pictures_and_settings(root: Path, result: dict[str, Any]):
    store = client(composed(root).tracking)
    run = store.get_run(result["mlflow_run"])
    assert run.info.status == "FINISHED"
    assert run.data.params["trainer.epochs"] == "2"
    catalog = Collection(root, "shoes").latest("catalog")
    assert run.data.tags["data.digest"] == catalog.manifest.digest
    assert len(store.get_metric_history(run.info.run_id, "val_loss")) == 2
    files = {f.path for f in store.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "curves.png", "history.json", "model", "reconstructions.png"} <= files


def test_the_registered_encoder_gives_the_same_vectors(root: Path, result: dict[str, Any], tmp_path: Path):
    collection = Collection(root, "shoes")
    here = EncoderExtractor(collection.latest("encoder").path)
    images = [np.random.default_rng(i).integers(0, 256, (20 + i, 30, 3)).astype(np.uint8) for i in range(5)]
    for asked in ("newest", 1, "1"):
        there = load(composed(root).tracking, "shoes-encoder", asked, tmp_path / str(asked))
        assert there.spec == here.spec
        np.testing.assert_array_equal(there.extract(images), here.extract(images))
    with pytest.raises(ArtifactError, match="'champion'"):
        load(composed(root).tracking, "shoes-encoder", "champion")
    with pytest.raises(ArtifactError, match="'hats-encoder'"):
        load(composed(root).tracking, "hats-encoder")


def test_a_registered_encoder_that_was_damaged_is_refused(root: Path, result: dict[str, Any], tmp_path: Path):
    kept = client(composed(root).tracking).get_run(result["mlflow_run"]).info.artifact_uri
    file = Path(kept.removeprefix("file://")) / "model" / "encoder" / result["encoder"] / "weights.safetensors"
    before = file.read_bytes()
    try:
        file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        with pytest.raises(DamagedArtifactError, match=r"weights\.safetensors"):
            load(composed(root).tracking, "shoes-encoder", folder=tmp_path)
    finally:
        file.write_bytes(before)


def test_no_pickle_is_registered(root: Path, result: dict[str, Any]):
    names = {path.suffix for path in (root / "mlruns").rglob("*") if path.is_file()}
    assert names.isdisjoint({".pkl", ".pickle", ".pth", ".pt", ".ckpt"})


def test_the_same_settings_are_not_trained_again(root: Path, result: dict[str, Any]):
    again = job.run(composed(root))
    assert again["reused"]
    assert again["encoder"] == result["encoder"]
    assert again["mlflow_run"] == result["mlflow_run"]
    assert "there already" in job.show(again)
    runs = client(composed(root).tracking).search_runs(["1"])
    assert len(runs) == 1


def test_without_tracking_nothing_is_logged(root: Path, result: dict[str, Any]):
    made = job.run(composed(root, "tracking=null", "seed=1", "trainer.epochs=1"))
    assert made["mlflow_run"] is None
    assert not made["reused"]
    assert "MLflow" not in job.show(made)
