import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.numpy import load_file

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, NitariError
from nitari.extractor import create
from nitari.extractor.encoder import EncoderExtractor
from nitari.extractor.hog import HogExtractor
from nitari.model import checkpoint
from nitari.model.augment import Augment
from nitari.model.data import Data
from nitari.model.trainer import Settings
from nitari.steps import fit as step
from nitari.steps.encoder import Encode
from nitari.steps.extract import extract, renew
from nitari.steps.fit import Fitted, finished, fit
from nitari.steps.holdout import training_mask
from nitari.steps.pictures import Pictures
from nitari.steps.recipe import Recipe
from nitari.steps.status import status

N = 60
TINY = {
    "_target_": "nitari.model.autoencoder.Autoencoder",
    "size": 16,
    "dim": 12,
    "stride": 2,
    "learned": 4,
    "gradients": 4,
    "widths": [8, 12],
    "top": 16,
    "reduced": 8,
    "pool": 2,
    "decoder": 8,
}
VGG = {"_target_": "nitari.model.vgg.Vgg", "depth": 11, "width": 1 / 32, "size": 32, "decoder": 4}
AGREE = {
    "_target_": "nitari.model.objective.weighted.Weighted",
    "terms": {
        "reconstruction": {"_target_": "nitari.model.objective.reconstruction.Reconstruction"},
        "agreement": {"_target_": "nitari.model.objective.agreement.Agreement", "width": 8},
    },
    "weights": {"reconstruction": 1.0, "agreement": 1.0},
}
SETTINGS = Settings(epochs=3, batch=8, threads=1, accelerator="cpu", precision="float32", save_every=0)
RECIPE = Recipe(TINY, AGREE, Augment(), Data(), SETTINGS, Encode(int8=False, postprocess={"pca": 6, "whiten": True}))


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory,
    make_pictures: Callable[..., list[Path]],
    ingest_folder: Callable[..., Artifact],
) -> Path:
    root = tmp_path_factory.mktemp("template")
    make_pictures(root / "pictures", N, size=(40, 30))
    ingest_folder(
        Collection(root, "shoes"), root / "pictures", columns=lambda name: {"kind": "odd" if "3" in name else "even"}
    )
    return root


@pytest.fixture
def collection(tmp_path: Path, template: Path) -> Collection:
    shutil.copytree(template / "shoes", tmp_path / "shoes")
    return Collection(tmp_path, "shoes")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, template: Path) -> tuple[Collection, Fitted]:
    root = tmp_path_factory.mktemp("fitted")
    shutil.copytree(template / "shoes", root / "shoes")
    collection = Collection(root, "shoes")
    return collection, fit(collection, RECIPE, threads=1, config={"seed": 0}, mlflow_run="run")


def weights(artifact: Artifact) -> dict[str, np.ndarray]:
    return load_file(artifact.file("weights.safetensors"))


def numbers(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "pictures_per_second"} for row in history]


def test_an_encoder_is_published_with_all_that_belongs_to_it(fitted: tuple[Collection, Fitted]):
    collection, made = fitted
    artifact, catalog = made.artifact, Catalog(collection.latest("catalog"))
    assert sorted(artifact.manifest.files) == [
        "encoder.onnx",
        "held_out.parquet",
        "history.json",
        "postprocess.safetensors",
        "reconstructions.png",
        "weights.safetensors",
    ]
    artifact.verify(full=True)
    artifact.expect_parent("catalog", catalog.artifact)
    info = artifact.manifest.info
    assert {k: info[k] for k in ("side", "fit", "mirror", "dim", "out_dim", "where")} == {
        "side": 16,
        "fit": "stretch",
        "mirror": True,
        "dim": 12,
        "out_dim": 6,
        "where": None,
    }
    assert artifact.manifest.mlflow_run == "run"
    mask = training_mask(catalog)
    held_out = pq.read_table(artifact.file("held_out.parquet")).column("item_id").to_pylist()
    assert held_out == catalog.item_ids[: catalog.n_ready][~mask].astype(str).tolist()
    assert artifact.manifest.counts == {"train": int(mask.sum()), "held_out": int((~mask).sum()), "steps": 21}
    with Image.open(artifact.file("reconstructions.png")) as sheet:
        assert sheet.size == (16 * min(10, len(held_out)), 48)
    assert not list((collection.path / "work").iterdir())


def test_training_lowers_the_loss_and_writes_it_down(fitted: tuple[Collection, Fitted]):
    _, made = fitted
    assert [row["step"] for row in made.history] == [7, 14, 21]
    assert made.history[-1]["train_loss"] < made.history[0]["train_loss"]
    assert {"val_loss", "val_reconstruction", "val_agreement", "val_copy_recall", "learning_rate"} <= set(
        made.history[0]
    )
    assert made.history == json.loads(made.artifact.file("history.json").read_text())


def test_the_extractor_gives_the_same_vectors_through_torch_and_from_its_spec(fitted: tuple[Collection, Fitted]):
    collection, made = fitted
    spec = {"_target_": "nitari.extractor.encoder.EncoderExtractor", "encoder": made.artifact.id}
    extractor = create(spec, folder=collection.folder)
    images = [np.random.default_rng(i).integers(0, 256, (20 + i, 30, 3)).astype(np.uint8) for i in range(5)]
    vectors = extractor.extract(images)
    assert vectors.shape == (5, 6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for other in ({"runtime": "torch"}, {"runtime": "auto"}, {"batch": 2}):
        again = create(extractor.spec | other, folder=collection.folder).extract(images)
        np.testing.assert_allclose(again, vectors, atol=2e-4)
    half = create(extractor.spec | {"runtime": "torch-bf16"}, folder=collection.folder).extract(images)
    assert (half * vectors).sum(axis=1).min() > 0.99


def test_the_same_recipe_is_not_trained_twice(fitted: tuple[Collection, Fitted]):
    collection, made = fitted
    again = fit(collection, RECIPE)
    assert again.artifact.id == made.artifact.id
    assert again.history == made.history
    assert finished(collection, dataclasses.replace(RECIPE, seed=1)) is None


def test_the_seed_decides(collection: Collection, fitted: tuple[Collection, Fitted]):
    again = fit(collection, RECIPE)
    assert numbers(again.history) == numbers(fitted[1].history)
    for name, value in weights(fitted[1].artifact).items():
        np.testing.assert_array_equal(weights(again.artifact)[name], value)


@pytest.mark.parametrize("stop", [1, 7, 12])
def test_an_interrupted_training_goes_on_at_the_same_step(
    collection: Collection, fitted: tuple[Collection, Fitted], monkeypatch: pytest.MonkeyPatch, stop: int
):
    """Interrupted just after a state was saved, and once more with that step's work lost."""
    save = step.Journal._save

    def interrupt(self: Any, trainer: Any, module: Any) -> None:
        save(self, trainer, module)
        if module.done == stop:
            raise RuntimeError("interrupted")

    monkeypatch.setattr(step.Journal, "_save", interrupt)
    with pytest.raises(RuntimeError, match="interrupted"):
        fit(collection, RECIPE)
    assert collection.find("encoder") is None
    monkeypatch.setattr(step.Journal, "_save", save)
    seen: list[int] = []
    again = fit(
        collection,
        RECIPE,
        progress=lambda label: lambda done, total: seen.append(done // 8) if label == "training" else None,
    )
    assert seen[0] == stop + 1
    assert numbers(again.history) == numbers(fitted[1].history)
    for name, value in weights(fitted[1].artifact).items():
        np.testing.assert_array_equal(weights(again.artifact)[name], value)


def _fit(root: Path) -> None:
    fit(Collection(root, "shoes"), RECIPE)


def test_a_killed_training_gives_the_same_encoder(collection: Collection, fitted: tuple[Collection, Fitted]):
    process = multiprocessing.get_context("spawn").Process(target=_fit, args=(collection.path.parent,))
    process.start()
    assert process.pid is not None
    while not list((collection.path / "work").glob("fit-*/state-*.safetensors")):
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    again = fit(collection, RECIPE)
    assert numbers(again.history) == numbers(fitted[1].history)
    for name, value in weights(fitted[1].artifact).items():
        np.testing.assert_array_equal(weights(again.artifact)[name], value)
    assert len(collection.ids("encoder")) == 1


def change(recipe: Recipe = RECIPE, **settings: Any) -> Recipe:
    trainer = {k: settings.pop(k) for k in list(settings) if hasattr(SETTINGS, k)}
    return dataclasses.replace(recipe, trainer=dataclasses.replace(SETTINGS, **trainer), **settings)


def test_a_filter_chooses_what_trains(collection: Collection):
    made = fit(collection, change(where="kind=even", epochs=1))
    catalog = Catalog(collection.latest("catalog"))
    selected = catalog.select("kind=odd")
    assert selected is not None
    held_out = pq.read_table(made.artifact.file("held_out.parquet")).column("item_id").to_pylist()
    assert held_out == catalog.item_ids[selected.rows].astype(str).tolist()
    assert made.artifact.manifest.info["where"] == "kind=even"


def test_steps_and_minutes_end_it(collection: Collection):
    short = fit(collection, change(max_steps=10))
    assert [row["step"] for row in short.history] == [7, 10]
    assert short.history[-1]["learning_rate"] < 1e-4
    timed = fit(collection, change(epochs=100_000, max_minutes=0.01))
    assert 1 <= timed.artifact.manifest.counts["steps"] < 5000


def test_patience_stops_early(collection: Collection, monkeypatch: pytest.MonkeyPatch):
    found(monkeypatch, "val_loss", [3.0, 2.0, 2.5, 2.6, 2.7, 2.8])
    stopped = fit(collection, change(epochs=6, patience=2))
    assert [row["val_loss"] for row in stopped.history] == [3.0, 2.0, 2.5, 2.6]


def test_weights_of_the_last_epoch_among_the_best_are_kept(collection: Collection, monkeypatch: pytest.MonkeyPatch):
    found(monkeypatch, "val_copy_recall", [0.2, 1.0, 1.0, 0.1])
    kept = fit(collection, change(epochs=4)).artifact
    assert kept.manifest.info["kept"] == {"epoch": 3, "copy_recall": 1.0, "best_copy_recall": 1.0}
    found(monkeypatch, "val_copy_recall", [0.2, 1.0, 1.0])
    stopped = fit(collection, change(epochs=4, max_steps=21)).artifact
    assert stopped.manifest.info["kept"]["epoch"] == 3
    assert kept.file("weights.safetensors").read_bytes() != stopped.file("weights.safetensors").read_bytes()


def found(monkeypatch: pytest.MonkeyPatch, name: str, values: list[float]) -> None:
    """Validation finds these values, epoch by epoch."""
    left = iter(values)
    end = step.Journal.on_train_epoch_end

    def told(self: Any, trainer: Any, module: Any) -> None:
        if name in trainer.callback_metrics:
            trainer.callback_metrics[name] = next(left, values[-1])
        end(self, trainer, module)

    monkeypatch.setattr(step.Journal, "on_train_epoch_end", told)


def test_a_space_follows_the_newest_encoder_or_stays_with_its_own(collection: Collection):
    first = fit(collection, change(epochs=1, max_steps=2)).artifact
    extract(collection, EncoderExtractor(first.path, follow=True), threads=1)
    extract(collection, EncoderExtractor(first.path, name="first"), threads=1)
    second = fit(collection, change(epochs=1, max_steps=3)).artifact
    followed, stayed = (renew(collection, name, lambda: pytest.fail("there is one")) for name in ("encoder", "first"))
    assert followed.manifest.parents["encoder"]["id"] == second.id
    assert stayed.manifest.parents["encoder"]["id"] == first.id


def test_learning_from_a_column(collection: Collection):
    pytest.importorskip("pytorch_metric_learning", reason="needs the extra 'labels'")
    objective = {
        "_target_": "nitari.model.objective.weighted.Weighted",
        "terms": {"labels": {"_target_": "nitari.model.objective.labels.Labels", "column": "kind", "width": 4}},
        "weights": {"labels": 1.0},
    }
    made = fit(collection, change(objective=objective, epochs=1))
    assert made.history[-1]["train_labels"] > 0
    objective["terms"]["labels"]["column"] = "status"  # all are ready: one value, nothing to learn
    with pytest.raises(ConfigError, match="'status' has 1 different values"):
        fit(collection, change(objective=objective, epochs=1))


def test_vgg_trains_and_exports(collection: Collection):
    made = fit(collection, change(model=VGG, epochs=1, lr=1e-3))
    extractor = create(
        {"_target_": "nitari.extractor.encoder.EncoderExtractor", "encoder": made.artifact.id, "runtime": "torch"},
        folder=collection.folder,
    )
    assert made.artifact.manifest.info["dim"] == 16
    assert extractor.extract([np.zeros((9, 9, 3), np.uint8)]).shape == (1, 6)


def test_raw_codes_are_an_option(collection: Collection):
    made = fit(collection, change(encode=Encode(mirror=False, postprocess=None), epochs=1))
    assert "postprocess.safetensors" not in made.artifact.manifest.files
    assert made.artifact.manifest.info["out_dim"] == 12


def test_companions_share_the_space(collection: Collection):
    hog = {"_target_": "nitari.extractor.hog.HogExtractor", "size": 16, "cell": 4, "postprocess": {"pca": 5}}
    colour = {"_target_": "nitari.extractor.colour.ColourExtractor", "grids": [1]}
    encode = Encode(
        postprocess={"pca": 6}, beside={"hog": hog, "colour": colour}, weights={"hog": 0.5, "colour": 0}, reduce=None
    )
    made = fit(collection, dataclasses.replace(change(epochs=1), encode=encode)).artifact
    assert made.manifest.info["out_dim"] == 11
    assert "beside-hog.safetensors" in made.manifest.files
    extractor = create(
        {"_target_": "nitari.extractor.encoder.EncoderExtractor", "encoder": made.id},
        folder=collection.folder,
    )
    pictures = [np.random.default_rng(i).integers(0, 256, (20, 30, 3)).astype(np.uint8) for i in range(3)]
    vectors = extractor.extract(pictures)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    share = np.square(vectors[:, 6:]).sum(axis=1)
    np.testing.assert_allclose(share, 0.25 / 1.25, atol=1e-5)
    plain = extractor.spec | {"raw": True}
    assert create(plain, folder=collection.folder).space.dim == made.manifest.info["dim"]


def test_code_and_companions_are_brought_to_fewer_numbers(collection: Collection):
    colour = {"_target_": "nitari.extractor.colour.ColourExtractor", "grids": [1]}
    encode = Encode(postprocess={"pca": 6}, beside={"colour": colour}, weights={"colour": 0.5}, reduce={"pca": 9})
    made = fit(collection, dataclasses.replace(change(epochs=1), encode=encode)).artifact
    assert made.manifest.info["out_dim"] == 9
    extractor = create(
        {"_target_": "nitari.extractor.encoder.EncoderExtractor", "encoder": made.id},
        folder=collection.folder,
    )
    assert extractor.extract([np.zeros((9, 9, 3), np.uint8)]).shape == (1, 9)


def test_fewer_numbers_tell_the_same(collection: Collection):
    """Companions come in one order when they are fitted and when they are used."""
    hog = {"_target_": "nitari.extractor.hog.HogExtractor", "size": 16, "cell": 4, "postprocess": {"pca": 4}}
    colour = {"_target_": "nitari.extractor.colour.ColourExtractor", "grids": [1], "postprocess": {"pca": 5}}
    how = {"postprocess": {"pca": 6}, "beside": {"hog": hog, "colour": colour}, "weights": {"hog": 0.9, "colour": 0.4}}
    vectors = []
    pictures = Pictures(collection, Catalog(collection.latest("catalog"))).read(range(N), 16)
    for reduce in (None, {"pca": 14}):
        made = fit(collection, dataclasses.replace(change(epochs=1), encode=Encode(**how, int8=False, reduce=reduce)))
        extractor = EncoderExtractor(made.artifact.path)
        vectors.append(extractor.extract(pictures))
    whole, reduced = vectors
    centred = whole - whole.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    assert reduced.shape == (N, 14)
    assert np.corrcoef((centred @ centred.T).ravel(), (reduced @ reduced.T).ravel())[0, 1] > 0.98


def test_weights_of_an_encoder_that_was_trained_alike_are_taken(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
):
    first = fit(collection, change(epochs=1))
    other = fit(collection, change(epochs=1, seed=5)).artifact
    with monkeypatch.context() as patched:
        patched.setattr(step, "trainer", lambda *a, **k: pytest.fail("it was trained again"))
        again = fit(collection, dataclasses.replace(change(epochs=1), encode=Encode(int8=False, postprocess=None)))
    assert again.artifact.manifest.info["weights_of"] == first.artifact.id != other.id
    assert again.history == first.history
    for name, value in weights(first.artifact).items():
        np.testing.assert_array_equal(weights(again.artifact)[name], value)
    for artifact in (first.artifact, again.artifact):
        path = artifact.path / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
    trained = fit(collection, dataclasses.replace(change(epochs=1), encode=Encode(int8=False, mirror=False)))
    assert trained.artifact.manifest.info["weights_of"] is None


def test_what_follows_the_network_may_change_without_training_anew(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
):
    def fails(*arguments: Any) -> None:
        raise NitariError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(step, "write", fails)
        with pytest.raises(NitariError, match="no room"):
            fit(collection, change(epochs=1))
    monkeypatch.setattr(step, "trainer", lambda *a, **k: pytest.fail("it was trained again"))
    made = fit(collection, dataclasses.replace(change(epochs=1), encode=Encode(int8=False, postprocess=None)))
    assert made.artifact.manifest.counts["steps"] == 7


def test_what_cannot_be_a_companion_is_said(collection: Collection):
    colour = {"_target_": "nitari.extractor.colour.ColourExtractor"}
    for weights, said in (({}, "Give each one a weight"), ({"colour": -1.0}, r"encode\.weights\.colour is -1\.0")):
        encode = Encode(beside={"colour": colour}, weights=weights)
        with pytest.raises(ConfigError, match=said):
            fit(collection, dataclasses.replace(change(epochs=1), encode=encode))


def test_what_cannot_train_is_said(collection: Collection, tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"where is 'kind=none', which chooses nothing to train on\. No picture has kind=none"
    ):
        fit(collection, change(where="kind=none"))
    with pytest.raises(ConfigError, match="needs a decoder"):
        fit(collection, change(model=TINY | {"decoder": 0}))
    assert status(collection)["unfinished"] == []
    with pytest.raises(ArtifactError, match="nitari ingest collection=empty"):
        fit(Collection(tmp_path, "empty"), RECIPE)
    with pytest.raises(ConfigError, match=r"trainer\.accelerator is 'tpu'.*auto"):
        fit(collection, change(accelerator="tpu"))
    with pytest.raises(NitariError, match=r"diverged.*trainer\.lr"):
        fit(collection, change(lr=1e30))
    assert collection.find("encoder") is None


@pytest.mark.slow
def test_two_processes_train_together(collection: Collection):
    made = fit(collection, change(strategy="ddp", devices=2, epochs=1, batch=4))
    assert [row["step"] for row in made.history] == [7]
    assert np.isfinite(made.history[0]["val_loss"])


PLAIN = {
    "_target_": "nitari.model.objective.weighted.Weighted",
    "terms": {"reconstruction": {"_target_": "nitari.model.objective.reconstruction.Reconstruction"}},
    "weights": {"reconstruction": 1.0},
}
AS_IT_IS = Augment(area=1, reach=1, aspect=1, turn=0, flip=0, light=0, hue=0, jitter=0, grey=0, box=0, coarse=0)


@pytest.mark.slow
def test_two_processes_learn_as_one_with_twice_the_batch(collection: Collection):
    """Where nothing is drawn; what remains different is what each normalises by its own half of the batch."""
    same = {"objective": PLAIN, "augment": AS_IT_IS, "encode": Encode(int8=False, postprocess=None, mirror=False)}
    curves = []
    for how in ({"batch": 8}, {"batch": 4, "strategy": "ddp", "devices": 2}):
        made = fit(collection, dataclasses.replace(change(model=VGG, epochs=2, **how), **same))
        curves.append([[row["step"], row["train_loss"], row["val_loss"]] for row in made.history])
    np.testing.assert_allclose(*curves, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "steps"), [(1, 2, [3, 6, 9]), (2, 1, [7, 14, 21])])
def test_training_goes_on_with_another_number_of_processes(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, before: int, after: int, steps: list[int]
):
    def with_processes(count: int, epochs: int) -> Recipe:
        return change(epochs=epochs, devices=count, strategy="ddp" if count > 1 else "auto")

    with monkeypatch.context() as patched:
        patched.setattr(Collection, "discard", lambda self, work: None)
        first = fit(collection, with_processes(before, 1))
    state = checkpoint.load(step.work(collection, with_processes(before, 1)))
    assert state is not None
    state.notes |= {"finished": False, "total": 3 * state.notes["total"]}  # as if interrupted after the first of three
    folder = step.work(collection, with_processes(after, 3))
    assert folder == step.work(collection, with_processes(before, 3))
    checkpoint.save(folder, state.notes["done"], state)
    made = fit(collection, with_processes(after, 3))
    assert [row["step"] for row in made.history] == steps
    assert [row["epoch"] for row in made.history] == [1, 2, 3]
    kept = [{k: v for k, v in row.items() if k != "step"} for row in (made.history[0], first.history[0])]
    assert kept[0] == kept[1]
    assert made.history[-1]["train_loss"] < made.history[0]["train_loss"]


def test_ctrl_c_interrupts_and_training_goes_on(
    collection: Collection, fitted: tuple[Collection, Fitted], monkeypatch: pytest.MonkeyPatch
):
    save = step.Journal._save

    def interrupt(self: Any, trainer: Any, module: Any) -> None:
        save(self, trainer, module)
        if module.done == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(step.Journal, "_save", interrupt)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(collection, RECIPE)
    assert signal.getsignal(signal.SIGINT) is before
    assert collection.find("encoder") is None
    monkeypatch.setattr(step.Journal, "_save", save)
    assert numbers(fit(collection, RECIPE).history) == numbers(fitted[1].history)


def test_a_teacher_is_a_space_of_the_collection(collection: Collection):
    taught = {
        "_target_": "nitari.model.objective.weighted.Weighted",
        "terms": {"teacher": {"_target_": "nitari.model.objective.teacher.Teacher", "space": "hog", "dims": 64}},
        "weights": {"teacher": 1.0},
    }
    recipe = dataclasses.replace(RECIPE, objective=taught)
    with pytest.raises(ArtifactError, match=r"nitari extract collection=shoes .*extractor=hog"):
        fit(collection, recipe, threads=1)
    extract(collection, HogExtractor(size=16), threads=1)
    made = fit(collection, recipe, threads=1)
    assert made.history[-1]["train_teacher"] < made.history[0]["train_teacher"]
    assert finished(collection, recipe) is not None
    extract(collection, HogExtractor(size=32), threads=1)
    assert finished(collection, recipe) is None  # another teacher makes another encoder
