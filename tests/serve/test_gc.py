import json

import pytest

from nitari.cli import main as nitari
from nitari.collection import Collection
from nitari.serve import gc
from nitari.steps.build import build

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "shoes")
    space_of(collection, catalog_of(collection, 10), "encoder")
    for weight in (1, 2, 3):
        build(collection, EXACT, weights={"encoder": weight})
    return collection


def test_what_goes_is_told_before_and_after(collection, capsys):
    words = [f"root={collection.path.parent}", "collection=shoes", "keep=1"]
    assert gc.main([*words, "dry=true", "format=json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["dry"]
    assert len(planned["freed"]) == 2
    assert gc.main(words) == 0
    text = capsys.readouterr().out
    assert all(entry["path"] in text for entry in planned["freed"])
    assert f"Freed {planned['bytes'] / 1000:.1f} kB. Kept releases: {collection.current}" in text


def test_help_shows_every_setting(capsys):
    assert nitari(["gc", "--help"]) == 0
    text = capsys.readouterr().out
    for key in gc.SETTINGS:
        assert f"\n    {key}  " in text, key
