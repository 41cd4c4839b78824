import json

import pytest
from hydra import compose, initialize_config_module

from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.train.annotate import run, show


@pytest.fixture
def configured(tmp_path, make_pictures, ingest_folder, space_of):
    """``configured(*overrides)``: the composed configuration of the job, over a collection of 12 pictures."""
    make_pictures(tmp_path / "pictures", 12)
    collection = Collection(tmp_path, "shoes")
    space_of(collection, ingest_folder(collection, tmp_path / "pictures"), "encoder")

    def make(*overrides):
        with initialize_config_module("nitari.conf", version_base="1.3"):
            return compose("annotate", overrides=["collection=shoes", f"root={tmp_path}", "workers=1", *overrides])

    return make


def test_the_result_says_what_was_found(configured):
    result = run(configured("annotator=quality"))
    assert json.loads(json.dumps(result)) == result
    assert result["counts"] == {"pictures": 12, "annotated": 12, "carried_over": 0}
    assert result["columns"]["is_blank"] == {"type": "bool", "null": 0, "different": 1, "commonest": {"False": 12}}
    quantiles = result["columns"]["quality"]["quantiles"]
    assert quantiles == sorted(quantiles)
    assert len(quantiles) == 5
    assert "12 of 12 pictures" in show(result)
    assert "is_blank" in show(result)


def test_the_settings_reach_the_step(configured):
    result = run(configured("annotator=quality", "annotator.side=32", "where='width>130'"))
    assert 0 < result["counts"]["annotated"] < 12
    assert result["columns"]["quality"]["null"] == 12 - result["counts"]["annotated"]


def test_clusters_are_shown_and_named(configured):
    result = run(configured("annotator=clusters", "annotator.k=3", "annotator.names={1: bags}"))
    assert "bags" in result["columns"]["cluster"]["commonest"]
    assert [file.rpartition("/")[2] for file in result["files"]] == ["clusters-01.jpg"]
    assert "To look at: " in show(result)


def test_a_wrong_setting_is_said_as_it_is(configured):
    with pytest.raises(ConfigError, match=r"^annotator\.sample is 2\. A map needs 10 pictures"):
        run(configured("annotator=map", "annotator.sample=2"))
