"""The command that is suggested builds what was there, through the same parser that a shell's words come to."""

import shlex

import pytest
from hydra import compose, initialize_config_module

from nitari.collection import Collection
from nitari.steps.build import build
from nitari.steps.rebuild import rebuild, words
from nitari.steps.status import stale
from nitari.train import build as job
from nitari.train.overrides import quote

HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "M": 8}
EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "shoes")
    catalog = catalog_of(collection, 40)
    space_of(collection, catalog, "encoder")
    space_of(collection, catalog, "colour", seed=1)
    return collection


def composed(command):
    with initialize_config_module("nitari.conf", version_base="1.3"):
        return compose("build", overrides=quote(shlex.split(command)[2:]))


def test_what_is_usual_is_not_said():
    asked = {"index": {"_target_": "nitari.index.hnsw.Hnsw", "M": 16}, "target": 0.99, "seed": 0, "exact_below": 10000}
    assert words(asked | {"collapse": {"space": None, "distance": None}, "indexes": {}, "text": None}) == []
    assert words(asked | {"index": {"_target_": "nitari.index.ivf.Ivf", "rerank": 30}, "k": 10}) == [
        "index=ivf",
        "index.rerank=30",
    ]


NAMES = [
    "kind",
    "the kind",
    "a,b",
    "Größe",
    "名前",
    "2024",
    "1e5",
    "true",
    "Null",
    "nan",
    'a"b',
    "a'b",
    "a\\",
    'a\\"',
    "${x}",
    "a:b",
    "[c]",
    "a=b",
]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_come_back_as_they_were(tmp_path, name):
    asked = {"index": EXACT, "text": [name, "file_name"], "facets": [name]}
    cfg = composed(rebuild(Collection(tmp_path / "a root", "shoes"), asked))
    assert job.names(cfg.text.columns) == [name, "file_name"]
    assert job.names(cfg.facets) == [name]
    assert cfg.root == str(tmp_path / "a root")


def test_the_command_builds_the_same_again(collection):
    asked = {
        "indexes": {"colour": EXACT},
        "facets": ["file_name"],
        "exact_below": 5,
        "spaces": ["encoder", "colour"],
        "weights": {"encoder": 1.0, "colour": 0.25},
        "text": ["file_name"],
        "collapse": {"space": "colour", "distance": 0.125},
        "target": 0.9,
        "seed": 3,
    }
    release = build(collection, HNSW, **asked)
    cfg = composed(rebuild(collection, release))
    job.run(cfg)
    again = collection.release()
    assert again.manifest.info["asked"]["text"] == ["file_name"]
    for key in asked:
        assert again.manifest.info["asked"][key] == release.manifest.info["asked"][key], key
    assert again.manifest.info["asked"]["index"]["M"] == 8


def test_show_and_warnings_say_it_with_all_that_was_asked(collection, space_of, caplog):
    build(collection, EXACT, text=["file_name"], weights={"encoder": 1})
    space_of(collection, collection.latest("catalog"), "encoder", seed=5)
    (entry,) = [entry for entry in stale(collection) if entry.what == "release"]
    assert "'text.columns=[file_name]'" in entry.renew
    assert "'release.weights={encoder:1" in entry.renew
    assert "index=exact" in entry.renew
    build(collection, EXACT, text=["file_name"], facets=["category"])
    build(collection, EXACT, spaces=["encoder"], switch=False)
    fact, _, command = caplog.messages[-1].partition("Keep them with: ")
    assert "text.columns=[file_name] and facets=[category]" in fact
    assert shlex.split(command)[-1] == "switch=false"
    assert "facets=[category]" in shlex.split(command)
    assert "release.spaces=[encoder]" in shlex.split(command)
    assert "text.columns=[file_name]" in shlex.split(command)
