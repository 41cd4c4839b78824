import json

import pytest
from hydra import compose, initialize_config_module

from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.train.build import run, show


@pytest.fixture
def configured(tmp_path, catalog_of, space_of):
    """``configured(*overrides)``: the composed configuration of the job, over a collection of two spaces."""
    collection = Collection(tmp_path, "shoes")
    catalog = catalog_of(collection, 300)
    space_of(collection, catalog, "encoder")
    space_of(collection, catalog, "place", metric="l2")

    def make(*overrides):
        with initialize_config_module("nitari.conf", version_base="1.3"):
            return compose("build", overrides=["collection=shoes", f"root={tmp_path}", *overrides])

    return make


def test_the_result_says_what_was_built_and_how_good_it_is(configured):
    result = run(configured("workers=1", "exact_below=0"))
    assert result["current"] is True
    assert json.loads(json.dumps(result)) == result
    assert result["weights"] == {"encoder": 1.0, "place": 0.0}
    space = result["spaces"]["encoder"]
    assert (space["index"], space["vectors"], space["dim"]) == ("Hnsw", 300, 16)
    assert space["ann_recall_at_10"]["value"] >= 0.99
    assert {"build_seconds", "ef_search", "p50_us", "p99_us", "queries_per_second"} <= set(space)
    table = show(result)
    assert "ann_recall_at_10 [95%]" in table
    assert f"Release {result['release']} (current)" in table


def test_a_small_collection_is_scanned_and_each_space_may_have_its_own_index(configured):
    result = run(configured("facets=[category]", "release.indexes={place:ivf}"))
    assert {name: space["index"] for name, space in result["spaces"].items()} == {"encoder": "Exact", "place": "Ivf"}
    assert "n_probe" in show(result)
    with pytest.raises(ConfigError, match=r"'nothing'\. There are: annoy, exact, hnsw"):
        run(configured("release.indexes={place:nothing}"))


def test_the_settings_reach_the_step(configured):
    first = run(configured("index=exact"))
    result = run(
        configured(
            "index=exact", "switch=false", "release.spaces=[place]", "release.weights={place:2}", "target=0.9", "seed=3"
        )
    )
    assert list(result["spaces"]) == ["place"]
    assert result["spaces"]["place"]["index"] == "Exact"
    assert result["weights"] == {"place": 2.0}
    assert (first["current"], result["current"]) == (True, False)
    assert "not the current one" in show(result)
