import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ConfigError, DamagedArtifactError
from nitari.extractor.stored import restore
from nitari.extractor.visual_words import WORDS, Training, VisualWordsExtractor
from nitari.steps import vocabulary as step
from nitari.steps.build import build
from nitari.steps.extract import extract, renew
from nitari.steps.holdout import training_mask
from nitari.steps.pictures import Pictures
from nitari.steps.vocabulary import vocabulary

pytest.importorskip("cv2", reason="needs the extra 'local'")
pytest.importorskip("sklearn", reason="needs the extra 'train'")

N = 30
SMALL = Training(words=4, dim=8, sides=[96], most=40, sample=10)
PCA = {"center": False, "pca": 6}


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory,
    make_pictures: Callable[..., list[Path]],
    ingest_folder: Callable[..., Artifact],
) -> Path:
    root = tmp_path_factory.mktemp("template")
    make_pictures(root / "pictures", N)
    ingest_folder(Collection(root, "shoes"), root / "pictures")
    return root


@pytest.fixture
def collection(tmp_path: Path, template: Path) -> Collection:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Collection(tmp_path, "shoes")


def words(artifact: Artifact) -> np.ndarray:
    return load_file(artifact.file(WORDS))["words"]


def test_a_vocabulary_is_published_once(collection: Collection):
    made = vocabulary(collection, SMALL, threads=2)
    assert made.path.parent.name == "vocabularies"
    assert words(made).shape == (4, 8)
    assert made.manifest.counts["words"] == 4
    assert made.manifest.parents["catalog"]["id"] == collection.latest("catalog").id
    assert vocabulary(collection, SMALL).id == made.id
    assert vocabulary(collection, SMALL, seed=1).id != made.id
    assert not list((collection.path / "work").glob("vocabulary-*"))


def test_held_out_pictures_do_not_train(collection: Collection, monkeypatch: pytest.MonkeyPatch):
    mask = training_mask(Catalog(collection.latest("catalog")), "width > 150")
    assert not mask.all()
    monkeypatch.setattr(step, "training_mask", lambda catalog: mask)
    seen: list[int] = []
    read = Pictures.read

    def watched(self, rows, side):
        seen.extend(rows)
        return read(self, rows, side)

    monkeypatch.setattr(Pictures, "read", watched)
    vocabulary(collection, SMALL)
    np.testing.assert_array_equal(np.sort(seen), np.flatnonzero(mask))
    seen.clear()
    vocabulary(collection, Training(words=4, dim=8, sides=[96], most=40, sample=10, max_items=5))
    assert len(seen) == 5
    assert mask[seen].all()


def test_a_stopped_run_goes_on_and_ends_with_the_same_words(collection: Collection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(step, "SHARD", 4)
    expected = words(vocabulary(collection, SMALL, threads=1))
    shutil.rmtree(collection.folder("vocabulary"))
    read, asked = Pictures.read, []

    def failing(self, rows, side):
        asked.append(len(rows))
        if len(asked) == 4:
            raise KeyboardInterrupt
        return read(self, rows, side)

    monkeypatch.setattr(Pictures, "read", failing)
    with pytest.raises(KeyboardInterrupt):
        vocabulary(collection, SMALL, threads=1)
    assert not collection.ids("vocabulary")
    asked[:] = [0] * 4
    np.testing.assert_array_equal(words(vocabulary(collection, SMALL, threads=1)), expected)
    assert sum(asked) == N - 3 * 4 - (~training_mask(Catalog(collection.latest("catalog")))).sum()


def test_too_few_features_are_named(collection: Collection):
    with pytest.raises(ConfigError, match=r"too few for extractor\.training\.words=5000"):
        vocabulary(collection, Training(words=5000, dim=8, sides=[96], most=5, sample=2))


def test_a_space_pins_its_vocabulary_and_is_brought_back(collection: Collection):
    made = vocabulary(collection, SMALL)
    embeddings = extract(collection, VisualWordsExtractor(made.path), postprocess=PCA, threads=2)
    assert embeddings.manifest.parents["vocabulary"] == made.reference
    pictures = Pictures(collection, Catalog(collection.latest("catalog"))).read(range(N), 96)
    np.testing.assert_allclose(
        restore(collection, embeddings).extract(pictures), Embeddings(embeddings).vectors, atol=1e-5
    )
    release = build(collection, {"_target_": "nitari.index.exact.Exact"})
    assert release.manifest.parents["vocabulary:visual_words"] == made.reference


def test_a_space_is_renewed_with_its_own_vocabulary(
    collection: Collection,
    tmp_path: Path,
    make_pictures: Callable[..., list[Path]],
    ingest_folder: Callable[..., Artifact],
):
    made = vocabulary(collection, SMALL)
    first = extract(collection, VisualWordsExtractor(made.path), postprocess=PCA)
    vocabulary(collection, SMALL, seed=1)
    make_pictures(tmp_path / "pictures" / "more", 5, seed=1)
    ingest_folder(collection, tmp_path / "pictures")
    renewed = renew(collection, "visual_words", lambda: pytest.fail("it is there"))
    assert renewed.id != first.id
    assert renewed.manifest.parents["vocabulary"] == made.reference
    assert renewed.manifest.counts["carried_over"] > N / 2


def test_a_damaged_vocabulary_is_refused_and_made_anew(collection: Collection, caplog: pytest.LogCaptureFixture):
    made = vocabulary(collection, SMALL)
    extract(collection, VisualWordsExtractor(made.path), postprocess=PCA)
    (made.path / WORDS).write_bytes(b"nothing of the kind")
    with pytest.raises(DamagedArtifactError, match=rf"vocabulary 'vocabularies/{made.id}' is damaged"):
        renew(collection, "visual_words", lambda: pytest.fail("it is there"))
    with caplog.at_level(logging.WARNING):
        assert vocabulary(collection, SMALL).id != made.id
    assert "It is not used again" in caplog.text
