"""The pipeline's further extractors and annotators, on small pictures without a training."""

import sys
from typing import Any

import pytest
from hydra import compose, initialize_config_module

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError, MissingExtraError
from nitari.train import build, extract, pipeline

N = 12


@pytest.fixture
def configured(tmp_path, make_pictures):
    """``configured(*overrides, job="pipeline")``: the composed configuration, of a folder with pictures."""
    make_pictures(tmp_path / "pictures", N)

    def make(*overrides: str, job: str = "pipeline") -> Any:
        shared = ["collection=shoes", f"root={tmp_path}", "workers=1", "extractor=pixels"]
        source = ["source=folder", f"source.path={tmp_path / 'pictures'}"] if job == "pipeline" else []
        with initialize_config_module("nitari.conf", version_base="1.3"):
            return compose(job, overrides=[*shared, *source, *overrides])

    return make


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("extractors=[hog,colr]", "There is no extractor 'colr'. Choose from: "),
        ("annotators=[colours,mapp]", "There is no annotator 'mapp'. Choose from: "),
        ("extractors=[vgg]", "Run it first: nitari extract collection=… extractor=vgg extractor.weights=…"),
    ],
)
def test_what_cannot_be_run_is_said_before_the_first_step(configured, tmp_path, capfd, words, said):
    with pytest.raises(ConfigError) as caught:
        pipeline.run(configured(words))
    assert said in str(caught.value)
    assert not (tmp_path / "shoes").exists()
    assert "ingest" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "words", ["text.columns=[file_nam]", "text.columns=file_nam", "facets=[file_nam]", "labels=file_nam"]
)
def test_a_column_that_will_not_be_there_is_said_before_the_training(configured, tmp_path, words):
    with pytest.raises(ConfigError, match=rf"{words.partition('=')[0]} names 'file_nam'. Did you mean 'file_name'\?"):
        pipeline.run(configured(words))
    collection = Collection(tmp_path, "shoes")
    assert collection.find("catalog") is not None
    assert collection.find("encoder") is None
    pipeline.check_columns(configured("text.columns=[main_colour]", "facets=[shape]"))
    for words, said in (
        ("labels=2024", "labels names '2024'"),
        ("facets=[2024]", "facets names '2024'"),
        ("text.columns=[width]", "which holds int32"),
    ):
        with pytest.raises(ConfigError, match=said):
            pipeline.check_columns(configured(words))


def test_where_nitari_is_not_on_the_path_it_is_put_there(monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "which", lambda name: "/usr/bin/nitari")
    assert pipeline._activate() == []
    monkeypatch.setattr(pipeline, "which", lambda name: None)
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a b" / "python"))
    assert pipeline._activate() == []
    (tmp_path / "a b" / "activate").touch()
    monkeypatch.chdir(tmp_path)
    assert pipeline._activate() == ["  . 'a b/activate'"]


def test_an_extractor_with_open_settings_is_run_as_its_space_was_made(configured, tmp_path, resnet, ingest_folder):
    collection = Collection(tmp_path, "shoes")
    ingest_folder(collection, tmp_path / "pictures")
    pretrained = {
        "extractor": "pretrained",
        "extractor.model": "resnet18",
        "extractor.weights": resnet,
        "extractor.side": 32,
    }
    extract.run(configured(*(f"{key}={value}" for key, value in pretrained.items()), job="extract"))
    first = collection.latest("embeddings", "pretrained")
    (tmp_path / "pictures" / "more.jpg").write_bytes(next((tmp_path / "pictures").iterdir()).read_bytes())
    ingest_folder(collection, tmp_path / "pictures")

    found = pipeline.extractors(configured("extractors=[pretrained,colour]"))
    assert list(found) == ["chosen", "pretrained", "colour"]
    assert found["pretrained"]["counts"] == {"vectors": N + 1, "carried_over": N, "zero": 0}
    second = collection.latest("embeddings", "pretrained")
    assert second.id == found["pretrained"]["embeddings"] != first.id
    assert second.manifest.info["extractor"] == first.manifest.info["extractor"]
    assert extract.show(found["pretrained"])


def test_the_page_has_its_facets_its_map_and_its_words_unless_they_are_unwanted(configured, tmp_path, ingest_folder):
    """The map is one of the space that was extracted; where the source has a column itself, its own is kept."""
    collection = Collection(tmp_path, "shoes")
    ingest_folder(collection, tmp_path / "pictures", lambda name: {"quality": "good"})
    cfg = configured()
    pipeline.extractors(cfg)
    assert list(pipeline.annotators(cfg)) == ["colours", "shape", "map"]
    build.run(cfg)
    catalog = Catalog.pinned(collection, collection.release())
    assert {"main_colour", "shape", "map_x"} <= set(catalog.attributes)
    assert set(catalog.column("quality").to_pylist()) == {"good"}
    assert collection.latest("annotation", "map").manifest.parents.keys() == {"catalog", "embeddings:pixels"}
    assert "text" in collection.release().manifest.parents
    before = {name: collection.ids("annotation", name) for name in collection.spaces("annotation")}
    pipeline.annotators(cfg)
    assert {name: collection.ids("annotation", name) for name in collection.spaces("annotation")} == before

    bare = configured("annotators=[]", "text.columns=null")
    assert pipeline.annotators(bare) == {}
    build.run(bare)
    assert "text" not in collection.release().manifest.parents


def test_the_demo_shows_what_the_pipeline_makes(configured):
    assert configured(job="demo").annotators == configured().annotators


def test_a_missing_extra_is_said_before_the_first_step(configured, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match=r"nitari\[ocr\]"):
        pipeline.run(configured("annotators=[ocr]"))
    assert not (tmp_path / "shoes").exists()
