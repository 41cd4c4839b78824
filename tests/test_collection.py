import pytest

from nitari.collection import Collection
from nitari.errors import ArtifactError
from nitari.steps.build import build

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "shoes")
    space_of(collection, catalog_of(collection, 12), "encoder")
    return collection


@pytest.fixture
def releases(collection):
    """Three, of which none is current."""
    return [build(collection, EXACT, weights={"encoder": weight}, switch=False) for weight in (1, 2, 3)]


def test_every_switch_is_logged_once(collection, releases):
    a, b, _ = releases
    collection.switch(a)
    collection.switch(a)
    collection.switch(b, "release")
    found = [(entry["release"], entry["before"], entry["by"]) for entry in collection.switches()]
    assert found == [(a.id, None, "build"), (b.id, a.id, "release")]


def test_going_back_goes_further_back_each_time(collection, releases):
    a, b, c = releases
    for release in releases:
        collection.switch(release)
    assert collection.served() == [a.id, b.id, c.id]
    collection.switch(b, "rollback")
    assert collection.served() == [a.id, b.id]
    collection.switch(a, "rollback")
    assert collection.served() == [a.id]
    collection.switch(c)
    assert collection.served() == [a.id, c.id]


def test_what_was_served_before_there_was_a_log_is_known(collection, releases):
    a, b, c = releases
    collection.switch(a)
    (collection.path / "releases.jsonl").unlink()
    assert collection.served() == [a.id]
    collection.switch(b)
    assert collection.served() == [a.id, b.id]
    (collection.path / "current").write_text(c.id + "\n")  # killed before the line was written
    assert collection.served() == [a.id, b.id, c.id]


def test_a_damaged_current_can_be_switched_over(collection, releases):
    (collection.path / "current").write_text("\0")
    collection.switch(releases[0])
    assert collection.current == releases[0].id


def test_what_is_dropped_leaves_nothing(collection, releases):
    check = collection.check_file(releases[0].id)
    check.parent.mkdir()
    check.write_text("{}")
    collection.drop(releases[0].path)
    assert collection.ids("release") == [release.id for release in releases[1:]]
    assert not [path for path in collection.path.rglob("*") if releases[0].id in path.name]


def test_exclusive_means_alone(collection):
    with collection.exclusive(), pytest.raises(ArtifactError, match="Another 'build' is at work"):
        build(collection, EXACT)
    with (
        collection.lock("annotate-shape"),
        pytest.raises(ArtifactError, match="annotate-shape"),
        collection.exclusive(),
    ):
        pass
