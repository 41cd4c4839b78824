import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from nitari.annotator.quality import QualityAnnotator
from nitari.annotator.shape import ShapeAnnotator
from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, FilterError, NitariError
from nitari.recommend.recommender import Recommender
from nitari.steps.annotate import annotate, renew
from nitari.steps.build import build
from nitari.steps.status import stale

N = 40
EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture(scope="module")
def template(tmp_path_factory, make_pictures, ingest_folder) -> Path:
    root = tmp_path_factory.mktemp("template")
    make_pictures(root / "pictures", N)
    (root / "pictures" / "bad.jpg").write_bytes(b"not a picture")
    ingest_folder(Collection(root, "shoes"), root / "pictures", lambda name: {"half": "ab"[hash(name[8:12]) % 2]})
    return root


@pytest.fixture
def collection(tmp_path: Path, template: Path) -> Collection:
    """A copy, with its pictures beside it in ``pictures``."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Collection(tmp_path, "shoes")


class Counting(QualityAnnotator):
    """Counts the pictures it is given; raises at the one that would exceed ``limit``."""

    def __init__(self, limit: int | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seen = 0
        self.limit = limit
        self.lock = threading.Lock()

    def annotate(self, images: Any) -> pa.Table:
        with self.lock:
            self.seen += len(images)
            if self.limit is not None and self.seen > self.limit:
                raise KeyboardInterrupt
        return super().annotate(images)


def values(collection: Collection, name: str = "quality") -> list[Any]:
    return Catalog.newest(collection).ready(name).to_pylist()


def test_columns_stand_beside_the_catalogs_own(collection: Collection):
    artifact = annotate(collection, QualityAnnotator(), threads=2, shard=7)
    assert artifact.manifest.counts == {"pictures": N, "annotated": N, "carried_over": 0}
    catalog = Catalog.newest(collection)
    assert catalog.attributes == ["half", *QualityAnnotator().columns]
    assert len(catalog.column("quality")) == N + 1
    assert catalog.column("quality").null_count == 1
    assert catalog.records([N], ["quality", "status"]) == [{"quality": None, "status": "unreadable"}]
    selection = catalog.select("quality>0 and is_blank=false")
    assert selection is not None
    assert len(selection.rows) == N
    assert "quality" not in Catalog(catalog.artifact).schema.names
    assert not list((collection.path / "work").glob("annotate-*"))


def test_again_is_no_work(collection: Collection):
    first = annotate(collection, Counting())
    again = Counting()
    assert annotate(collection, again).id == first.id
    assert again.seen == 0


@pytest.mark.parametrize("shard", [5, 1000])
def test_a_killed_run_goes_on_and_ends_the_same(collection: Collection, shard: int):
    annotate(collection, QualityAnnotator(), shard=shard)
    expected = values(collection)
    shutil.rmtree(collection.folder("annotation"))
    for limit in (4, 12, 17):
        with pytest.raises(KeyboardInterrupt):
            annotate(collection, Counting(limit), threads=1, shard=shard)
        assert collection.find("annotation", "quality") is None
    rest = Counting()
    annotate(collection, rest, threads=1, shard=shard)
    assert values(collection) == expected
    assert rest.seen <= (N if shard == 1000 else 15)


def test_only_new_and_changed_pictures_are_looked_at(
    collection: Collection, tmp_path: Path, ingest_folder: Callable[..., Artifact]
):
    annotate(collection, QualityAnnotator())
    old = dict(zip(Catalog.newest(collection).ready("file_name").to_pylist(), values(collection), strict=True))
    folder = tmp_path / "pictures"
    names = sorted(path.name for path in folder.glob("picture*"))
    (folder / names[0]).unlink()
    Image.new("RGB", (80, 60), "red").save(folder / names[1])
    Image.new("RGB", (80, 60), "blue").save(folder / "another.png")
    ingest_folder(collection, folder)
    assert "quality" not in Catalog.newest(collection).schema.names
    rest = Counting()
    artifact = annotate(collection, rest)
    assert rest.seen == 2
    assert artifact.manifest.counts == {"pictures": N, "annotated": N, "carried_over": N - 2}
    new = dict(zip(Catalog.newest(collection).ready("file_name").to_pylist(), values(collection), strict=True))
    assert new[names[1]] == new["another.png"] == 0
    assert all(new[name] == old[name] for name in names[2:])


def test_where_says_what_is_looked_at_and_the_rest_stays(collection: Collection):
    some = Counting()
    annotate(collection, ShapeAnnotator())
    annotate(collection, some, where="half=a and aspect>0")
    half = np.array(values(collection, "half")) == "a"
    assert some.seen == half.sum()
    assert [value is not None for value in values(collection)] == half.tolist()
    rest = Counting()
    artifact = annotate(collection, rest)
    assert rest.seen == N - half.sum()
    assert artifact.manifest.counts["carried_over"] == half.sum()
    assert None not in values(collection)
    again = Counting()
    assert annotate(collection, again, where="half=b").id == artifact.id
    assert again.seen == 0


def test_other_settings_look_again_and_going_back_costs_nothing(collection: Collection):
    first = annotate(collection, Counting())
    other = Counting(side=32)
    annotate(collection, other)
    assert other.seen == N
    back = Counting()
    third = annotate(collection, back)
    assert back.seen == 0
    assert third.id != first.id
    assert collection.annotations(collection.latest("catalog"))["quality"].id == third.id


def test_a_column_that_is_there_already_is_refused_by_name(collection: Collection):
    annotate(collection, QualityAnnotator())
    with pytest.raises(ConfigError, match="'brightness' is annotator 'quality''s already"):
        annotate(collection, QualityAnnotator(name="second"))
    taken = ShapeAnnotator()
    taken.columns = {"half": pa.string()}
    with pytest.raises(ConfigError, match="has a column 'half' already"):
        annotate(collection, taken)


def test_what_an_annotator_gives_is_checked(collection: Collection):
    class Wrong(QualityAnnotator):
        def annotate(self, images: Any) -> pa.Table:
            return super().annotate(images).slice(1)

    with pytest.raises(NitariError, match=rf"gave {N - 1} rows of .* for {N} pictures"):
        annotate(collection, Wrong())


def test_damaged_columns_are_made_again(collection: Collection, caplog: pytest.LogCaptureFixture):
    first = annotate(collection, QualityAnnotator())
    expected = values(collection)
    file = first.path / "columns.parquet"
    data = bytearray(file.read_bytes())
    data[40] ^= 0xFF
    file.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        again = annotate(collection, QualityAnnotator())
    assert again.id != first.id
    assert "It is annotated again" in caplog.text
    assert values(collection) == expected


def test_a_release_pins_annotations_and_its_recommender_filters_by_them(
    collection: Collection, space_of: Callable[..., Artifact], caplog: pytest.LogCaptureFixture
):
    catalog = collection.latest("catalog")
    space_of(collection, catalog, "encoder")
    bare = build(collection, EXACT)
    annotation = annotate(collection, ShapeAnnotator())
    assert [entry.renew for entry in stale(collection)][-1].startswith(collection.command("build"))
    release = build(collection, EXACT)
    assert release.id != bare.id
    assert release.manifest.parents["annotation:shape"]["id"] == annotation.id
    assert build(collection, EXACT).id == release.id
    recommender = Recommender.open(collection)
    item = recommender.catalog.records([0])[0]["item_id"]
    page = recommender.recommend(item, where="shape=portrait", k=N)
    assert 0 < len(page.results) < N
    assert {result.attributes["shape"] for result in page.results} == {"portrait"}
    with pytest.raises(FilterError, match="no column 'shape'"):
        Recommender.open(collection, bare.id).recommend(item, where="shape=portrait")


def test_stale_annotations_are_named_left_out_and_renewed(
    collection: Collection, tmp_path: Path, ingest_folder, space_of, caplog: pytest.LogCaptureFixture
):
    annotate(collection, ShapeAnnotator(square=0.5))
    Image.new("RGB", (80, 60), "blue").save(tmp_path / "pictures" / "another.png")
    space_of(collection, ingest_folder(collection, tmp_path / "pictures"), "encoder")
    assert collection.command("annotate", "annotator=shape") in [entry.renew for entry in stale(collection)]
    with caplog.at_level(logging.WARNING):
        assert "annotation:shape" not in build(collection, EXACT).manifest.parents
    assert "Annotator 'shape' has not seen the newest catalog" in caplog.text
    assert renew(collection, "shape").manifest.info["annotator"]["square"] == 0.5
    assert "annotation:shape" in build(collection, EXACT).manifest.parents


def test_an_annotator_of_a_stale_space_says_what_to_run(collection: Collection, space_of, tmp_path, ingest_folder):
    from nitari.annotator.clusters import ClustersAnnotator

    with pytest.raises(ArtifactError, match=r"nitari extract collection=shoes .*extractor=encoder"):
        annotate(collection, ClustersAnnotator(k=2))
    space_of(collection, collection.latest("catalog"), "encoder")
    Image.new("RGB", (80, 60), "blue").save(tmp_path / "pictures" / "another.png")
    ingest_folder(collection, tmp_path / "pictures")
    with pytest.raises(ArtifactError, match="Space 'encoder' was extracted from catalog"):
        annotate(collection, ClustersAnnotator(k=2))


def test_bad_settings_are_refused(collection: Collection, tmp_path: Path):
    with pytest.raises(ConfigError, match="threads 0"):
        annotate(collection, QualityAnnotator(), threads=0)
    with pytest.raises(ConfigError, match="compares all pictures"):
        annotate(collection, ShapeAnnotator(), where="half=a")
    with pytest.raises(FilterError, match="no column 'prize'"):
        annotate(collection, QualityAnnotator(), where="prize<3")
    with pytest.raises(ArtifactError, match="nitari ingest collection=empty"):
        annotate(Collection(tmp_path, "empty"), QualityAnnotator())
    with collection.lock("annotate-quality"), pytest.raises(ArtifactError, match="Another 'annotate-quality'"):
        annotate(collection, QualityAnnotator())


def test_what_a_filter_uses_of_annotations_is_known(collection: Collection):
    made = {"shape": annotate(collection, ShapeAnnotator()), "quality": annotate(collection, QualityAnnotator())}
    catalog = Catalog.newest(collection)
    assert catalog.used(None) == catalog.used("half=a") == {}
    assert catalog.used("not (half=a or aspect>1)") == {"shape": made["shape"].manifest.digest}
    assert set(catalog.used("shape in (square)", ["is_blank"])) == {"shape", "quality"}
    assert set(catalog.parents) == {"catalog", "annotation:shape", "annotation:quality"}
