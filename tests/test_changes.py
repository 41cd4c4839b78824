import json
from pathlib import Path

import pytest

from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import DamagedArtifactError


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    return Changes(Collection(tmp_path, "shoes"))


def test_what_is_removed_stays_so_until_it_is_restored(changes: Changes):
    assert changes.remove(["a", "b", "a"]) == 2
    assert changes.remove(["b", "c"]) == 1
    assert changes.restore(["b", "unknown"]) == 1
    assert Changes(changes.collection).removed() == {"a", "c"}


def test_the_stamp_tells_whether_anything_changed(changes: Changes):
    before = changes.stamp
    assert changes.stamp == before
    changes.remove(["a"])
    assert changes.stamp != before


def test_a_line_that_was_half_written_is_no_removal_and_spoils_no_later_one(changes: Changes):
    changes.remove(["a"])
    file = changes.collection.path / "removed.jsonl"
    with file.open("a") as out:
        out.write('{"item_id": "b", "rem')
    assert changes.removed() == {"a"}
    changes.remove(["c"])
    assert changes.removed() == {"a", "c"}
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 2


def test_a_damaged_line_is_named(changes: Changes):
    changes.remove(["a", "b"])
    file = changes.collection.path / "removed.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0][:-3], lines[1], ""]))
    with pytest.raises(DamagedArtifactError, match="Line 1 of"):
        changes.removed()


def test_a_damaged_addition_is_told_with_what_was_lost_and_what_mends_it(changes: Changes):
    folder = changes.collection.path / "additions" / "1-a"
    (folder / "catalog" / "2-b").mkdir(parents=True)
    manifest = {"counts": {"ready": 3}, "info": {"sources": {"late": {"kind": "folder", "path": "/my photos"}}}}
    (folder / "catalog" / "2-b" / "manifest.json").write_text(json.dumps(manifest))
    (folder / "spaces.json").write_text("{")
    with pytest.raises(DamagedArtifactError) as caught:
        changes.spaces("1-a")
    root = changes.collection.path.parent
    assert str(caught.value).startswith("Addition '1-a' cannot be read: 'spaces.json' is damaged: Expecting")
    assert "No search finds its 3 pictures from '/my photos'" in str(caught.value)
    mend = f"rm -r {folder} && nitari append collection=shoes root={root} path='/my photos' source=late"
    assert str(caught.value).endswith(f"Bring them back with: {mend}")


def test_a_damaged_addition_that_says_nothing_is_named_all_the_same(changes: Changes):
    (changes.collection.path / "additions" / "1-a").mkdir(parents=True)
    with pytest.raises(DamagedArtifactError, match=r"'1-a' .* does not say which\. .* path=PATH source=SOURCE$"):
        changes.spaces("1-a")
