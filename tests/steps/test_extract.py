import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.extractor.colour import ColourExtractor
from nitari.extractor.pixels import PixelsExtractor
from nitari.extractor.stored import restore
from nitari.steps import extract as step
from nitari.steps.extract import extract, renew
from nitari.steps.pictures import Pictures

N = 60
PCA = {"pca": 8}


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
    """A copy, with its pictures beside it in ``pictures``."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Collection(tmp_path, "shoes")


class Counting(PixelsExtractor):
    """Counts the pictures it is given; raises at the one that would exceed ``limit``."""

    def __init__(self, limit: int | None = None, **arguments: Any) -> None:
        super().__init__(size=8, **arguments)
        self.seen = 0
        self.limit = limit
        self.lock = threading.Lock()

    def extract(self, images: Any) -> np.ndarray:
        with self.lock:
            self.seen += len(images)
            if self.limit is not None and self.seen > self.limit:
                raise KeyboardInterrupt
        return super().extract(images)


def vectors(artifact: Artifact) -> np.ndarray:
    return np.array(Embeddings(artifact).vectors)


def test_vectors_are_those_of_a_bare_loop(collection: Collection):
    artifact = extract(collection, ColourExtractor(), threads=2, shard=7)
    catalog = Catalog(collection.latest("catalog"))
    images = Pictures(collection, catalog).read(range(N), 32)
    np.testing.assert_allclose(vectors(artifact), ColourExtractor().extract(images), atol=1e-6)
    manifest = artifact.manifest
    assert manifest.counts == {"vectors": N, "carried_over": 0, "zero": 0}
    assert manifest.parents["catalog"]["id"] == catalog.artifact.id
    assert manifest.info["space"] == ColourExtractor().space.to_dict()
    assert sorted(manifest.files) == ["vectors.npy"]
    assert not list((collection.path / "work").glob("extract-*"))


def test_again_is_no_work(collection: Collection):
    first = extract(collection, Counting(), postprocess=PCA)
    again = Counting()
    assert extract(collection, again, postprocess=PCA).id == first.id
    assert again.seen == 0
    assert collection.ids("embeddings", "pixels") == [first.id]


def test_post_processing_is_fitted_on_training_pictures_and_restored(collection: Collection):
    artifact = extract(collection, PixelsExtractor(postprocess={"pca": 8, "whiten": True}))
    found = vectors(artifact)
    assert found.shape == (N, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    catalog = Catalog(collection.latest("catalog"))
    images = Pictures(collection, catalog).read(range(N), 16)
    restored = restore(collection, artifact)
    np.testing.assert_allclose(restored.extract(images), found, atol=1e-5)
    assert restored.space == Embeddings(artifact).space
    assert restored.space.dim == 8
    trained = step.training_mask(catalog)
    assert 0 < trained.sum() < N
    assert restored.fitted is not None
    raw = PixelsExtractor().extract(images)
    np.testing.assert_allclose(restored.fitted.mean, raw[trained].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("shard", [5, 1000])
def test_a_killed_run_goes_on_and_ends_the_same(
    collection: Collection, tmp_path: Path, shard: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(step, "SAMPLE", 25)  # so that both phases have several shards
    expected = vectors(
        extract(collection, PixelsExtractor(size=8, name="whole"), postprocess=PCA, threads=1, shard=shard)
    )
    for limit in (4, 17, 38):
        with pytest.raises(KeyboardInterrupt):
            extract(collection, Counting(limit), postprocess=PCA, threads=1, shard=shard)
        assert collection.find("embeddings", "pixels") is None
    rest = Counting()
    reports: list[tuple[int, int]] = []
    artifact = extract(collection, rest, postprocess=PCA, threads=1, shard=shard, progress=lambda *r: reports.append(r))
    assert np.array_equal(vectors(artifact), expected)
    assert rest.seen <= (N if shard == 1000 else 30)
    assert reports[-1] == (N, N)
    assert not list((collection.path / "work").glob("extract-*"))


def test_only_new_and_changed_pictures_are_extracted(
    collection: Collection, tmp_path: Path, ingest_folder: Callable[..., Artifact]
):
    first = extract(collection, Counting(), postprocess=PCA)
    old_catalog = Catalog(collection.latest("catalog"))
    folder = tmp_path / "pictures"
    names = sorted(path.name for path in folder.iterdir())
    (folder / names[0]).unlink()
    (folder / names[1]).unlink()
    Image.new("RGB", (80, 60), "red").save(folder / names[1])
    Image.new("RGB", (80, 60), "blue").save(folder / "another.png")
    ingest_folder(collection, folder)
    catalog = Catalog(collection.latest("catalog"))
    rest = Counting()
    second = extract(collection, rest, postprocess=PCA)
    assert rest.seen == 2
    assert second.manifest.counts == {"vectors": N, "carried_over": N - 2, "zero": 0}
    assert second.manifest.info["postprocess_digest"] == first.manifest.info["postprocess_digest"]
    old, new = vectors(first), vectors(second)
    for name in names[2:]:
        assert np.array_equal(new[catalog.row(name)], old[old_catalog.row(name)])
    images = Pictures(collection, catalog).read(range(N), 8)
    np.testing.assert_allclose(restore(collection, second).extract(images), new, atol=1e-5)


def test_post_processing_is_fitted_anew_on_a_collection_that_has_become_another(
    collection: Collection, tmp_path: Path, ingest_folder: Callable[..., Artifact], make_pictures: Callable[..., Any]
):
    first = extract(collection, Counting(), postprocess=PCA)
    make_pictures(tmp_path / "pictures" / "more", 2 * N, seed=9)
    ingest_folder(collection, tmp_path / "pictures")
    second = extract(collection, Counting(), postprocess=PCA)
    assert second.manifest.counts["carried_over"] == 0
    assert second.manifest.info["postprocess_digest"] != first.manifest.info["postprocess_digest"]


def test_other_settings_make_another_space_and_going_back_costs_nothing(collection: Collection):
    first = extract(collection, Counting(), postprocess=PCA)
    other = extract(collection, Counting(), postprocess={"pca": 4})
    assert Embeddings(other).space.dim == 4
    back = Counting()
    third = extract(collection, back, postprocess=PCA)
    assert back.seen == 0
    assert third.id not in (first.id, other.id)
    assert np.array_equal(vectors(third), vectors(first))
    assert collection.latest("embeddings", "pixels").id == third.id


def test_half_precision_halves_the_file(collection: Collection):
    full = extract(collection, ColourExtractor(name="full"))
    half = extract(collection, ColourExtractor(name="half"), dtype="float16")
    assert vectors(half).dtype == np.float16
    np.testing.assert_allclose(vectors(half), vectors(full), atol=1e-3)
    assert restore(collection, half).space.dtype == "float16"


def test_damaged_vectors_are_made_again(collection: Collection, caplog: pytest.LogCaptureFixture):
    first = extract(collection, ColourExtractor())
    good = vectors(first)
    file = first.path / "vectors.npy"
    data = bytearray(file.read_bytes())
    data[-3] ^= 0xFF
    file.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        second = extract(collection, ColourExtractor())
    assert second.id != first.id
    assert "is damaged: 'vectors.npy'" in caplog.text
    assert np.array_equal(vectors(second), good)


def test_a_damaged_thumbnail_is_named_and_stops_the_job(collection: Collection):
    thumbnails = Pictures(collection, Catalog(collection.latest("catalog"))).thumbnails
    shard = next(thumbnails.artifact.path.rglob("*.tar"))
    data = bytearray(shard.read_bytes())
    data[1000] ^= 0xFF
    shard.write_bytes(data)
    with pytest.raises(DamagedArtifactError, match=r"fails its checksum.*nitari ingest"):
        extract(collection, ColourExtractor())
    assert collection.find("embeddings", "colour") is None


def test_vectors_that_are_not_finite_become_zeros(collection: Collection, caplog: pytest.LogCaptureFixture):
    class Broken(PixelsExtractor):
        def extract(self, images: Any) -> np.ndarray:
            found = super().extract(images)
            found[0, 0] = np.nan
            return found

    with caplog.at_level(logging.WARNING):
        artifact = extract(collection, Broken(), shard=20)
    assert artifact.manifest.counts["zero"] == 3
    assert np.isfinite(vectors(artifact)).all()
    assert "picture-0000.jpg" in caplog.text


def test_larger_pictures_than_any_thumbnail_come_from_originals(
    collection: Collection,
    tmp_path: Path,
    ingest_folder: Callable[..., Artifact],
    caplog: pytest.LogCaptureFixture,
):
    ingest_folder(collection, tmp_path / "pictures")
    next((tmp_path / "pictures").iterdir()).unlink()
    with caplog.at_level(logging.WARNING):
        artifact = extract(collection, PixelsExtractor(size=128, name="large"))
    assert artifact.manifest.counts == {"vectors": N, "carried_over": 0, "zero": 0}
    assert "is shown by its thumbnail" in caplog.text
    assert artifact.manifest.info["identity"]["input"]["size"] == "original at 128"


def test_renew_follows_the_settings_it_finds(
    collection: Collection, tmp_path: Path, ingest_folder: Callable[..., Artifact]
):
    first = renew(collection, "pixels", lambda: PixelsExtractor(size=4, postprocess=PCA))
    assert renew(collection, "pixels", lambda: pytest.fail("there is one")).id == first.id
    Image.new("RGB", (80, 60), "blue").save(tmp_path / "pictures" / "another.png")
    ingest_folder(collection, tmp_path / "pictures")
    second = renew(collection, "pixels", lambda: pytest.fail("there is one"))
    assert second.manifest.counts == {"vectors": N + 1, "carried_over": N, "zero": 0}
    assert second.manifest.info["identity"] == first.manifest.info["identity"]


def test_one_at_a_time(collection: Collection):
    with (
        collection.lock("extract-colour"),
        pytest.raises(ArtifactError, match="Another 'extract-colour' is at work"),
    ):
        extract(collection, ColourExtractor())


def test_what_other_settings_left_unfinished_is_removed(collection: Collection):
    for limit, size in ((20, 4), (20, 5)):
        with pytest.raises(KeyboardInterrupt):
            extract(collection, Counting(limit), postprocess={"pca": size}, threads=1, shard=5)
    assert len(list((collection.path / "work").glob("extract-*"))) == 1
    (collection.path / "work" / "extract-pixels-raw-0123456789abcdef").mkdir()
    extract(collection, Counting(), postprocess={"pca": 4})
    assert [p.name for p in (collection.path / "work").glob("extract-*")] == ["extract-pixels-raw-0123456789abcdef"]


def test_bad_settings_are_refused(collection: Collection, tmp_path: Path):
    with pytest.raises(ConfigError, match="threads 0"):
        extract(collection, ColourExtractor(), threads=0)
    with pytest.raises(ArtifactError, match="nitari ingest collection=empty"):
        extract(Collection(tmp_path, "empty"), ColourExtractor())
