"""Ingest reads each original once: what is new, what changed, and nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError, DamagedArtifactError
from nitari.files import sha256_of
from nitari.images.decode import Limits
from nitari.source.folder import FolderSource
from nitari.source.table import TableSource
from nitari.steps import ingest as step
from nitari.steps.ingest import ingest
from nitari.steps.pictures import Pictures
from nitari.thumbnails import Thumbnails

MakePictures = Callable[..., list[Path]]


class Place:
    """A folder of pictures and the collection it is ingested into; ``read`` counts what the last ingest had to read."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "pictures"
        self.collection = Collection(path / "collections", "shoes")
        self.read = 0

    def ingest(self, **more: object) -> Artifact:
        source = FolderSource(str(self.folder))
        seen: list[int] = []

        def progress(done: int, total: int) -> None:
            seen.append(done)

        settings: dict = {"source_name": source.name, "workers": 1, "progress": progress, **more}
        try:
            return ingest(self.collection, source.listing(), **settings)
        finally:
            self.read = seen[-1] - seen[0] if seen else 0

    def statuses(self) -> dict[str, tuple[str, str | None]]:
        catalog = Catalog(self.collection.latest("catalog"))
        rows = catalog.records(range(catalog.n_items), ["file_name", "status", "reason"])
        return {row["file_name"]: (row["status"], row["reason"]) for row in rows}


@pytest.fixture
def place(tmp_path: Path, make_pictures: MakePictures) -> Place:
    place = Place(tmp_path)
    make_pictures(place.folder, 12)
    return place


def test_thumbnails_are_the_shrunk_originals(place: Place):
    catalog = Catalog(place.ingest(sizes=(32, 96)))
    thumbnails = Thumbnails(place.collection.parent(catalog.artifact, "thumbnails"))
    pictures = Pictures(place.collection, catalog)
    assert thumbnails.sizes == [32, 96]
    for row, (small, large) in enumerate(
        zip(thumbnails.read(range(12), 32), thumbnails.read(range(12), 96), strict=True)
    ):
        assert (max(small.shape), max(large.shape)) == (32, 96)
        record = catalog.records([row], ["file_name", "height", "width"])[0]
        assert pictures.original(row).shape == (record["height"], record["width"], 3)
        uploaded = pictures.thumbnail_of((place.folder / record["file_name"]).read_bytes(), 96)
        assert np.array_equal(uploaded, large)
        assert len(pictures.read([row], 64)) == 1


def test_again_reads_nothing_and_publishes_nothing(place: Place):
    first = place.ingest()
    assert place.read == 12
    assert place.ingest().id == first.id
    assert place.read == 0


def test_new_changed_and_gone(place: Place):
    place.ingest()
    names = sorted(path.name for path in place.folder.iterdir())
    before = {r["item_id"] for r in Catalog(place.collection.latest("catalog")).records(range(12), ["item_id"])}
    Image.new("RGB", (40, 30), "red").save(place.folder / "new.png")
    Image.new("RGB", (40, 30), "blue").save(place.folder / names[0])
    (place.folder / names[1]).unlink()
    catalog = Catalog(place.ingest())
    assert place.read == 2
    assert place.statuses()[names[1]] == ("gone", None)
    assert catalog.n_ready == 12
    kept = {r["item_id"] for r in catalog.records(range(catalog.n_items), ["item_id"])}
    assert before < kept
    changed = Thumbnails(place.collection.parent(catalog.artifact, "thumbnails")).read([catalog.row(names[0])], 96)[0]
    assert np.abs(changed.reshape(-1, 3).mean(0) - (0, 0, 255)).max() < 5


def test_a_mistaken_path_marks_nothing_gone(place: Place, tmp_path: Path, make_pictures: MakePictures):
    first = place.ingest(about={"path": "right"})
    place.folder = tmp_path / "other"
    make_pictures(place.folder, 3, seed=1)
    for path in sorted(place.folder.iterdir()):
        path.rename(path.with_stem(f"other-{path.stem}"))
    with pytest.raises(
        ConfigError, match=r"Source 'main' was {'path': 'right'} and is now {'path': 'wrong'}: 12 of its 12 .*name"
    ):
        place.ingest(about={"path": "wrong"})
    with pytest.raises(
        ConfigError, match=r"'main' is the source of 12 pictures: 12 of its 12 .*See whether all of it is there"
    ):
        place.ingest(about={"path": "right"})
    assert place.collection.latest("catalog").id == first.id
    with pytest.raises(ConfigError, match=r"most_gone is 2\. Give a share"):
        place.ingest(most_gone=2)
    catalog = Catalog(place.ingest(about={"path": "wrong"}, most_gone=1))
    assert (catalog.n_ready, catalog.n_items) == (3, 15)


def test_a_source_that_moved_keeps_its_pictures(place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    place.ingest(about={"path": "here"})
    place.folder = place.folder.rename(tmp_path / "there")
    catalog = Catalog(place.ingest(about={"path": "there"}))
    assert (catalog.n_ready, catalog.n_items) == (12, 12)
    assert not caplog.messages
    sorted(place.folder.iterdir())[0].unlink()
    place.ingest(about={"path": "elsewhere"})
    assert "1 of its 12 pictures are not there any more. To keep both" in caplog.text


def test_other_pictures_under_the_same_names_replace_nothing(place: Place, tmp_path: Path, make_pictures: MakePictures):
    first = place.ingest(about={"path": "right"})
    names = sorted(path.name for path in place.folder.iterdir())
    place.folder = tmp_path / "other"
    for path, name in zip(make_pictures(place.folder, 12, seed=1), names, strict=True):
        path.rename(path.with_name(name))
    with pytest.raises(
        ConfigError, match=r"now {'path': 'wrong'}: 0 of its 12 .*, \d+ are other pictures by their size"
    ):
        place.ingest(about={"path": "wrong"})
    assert place.collection.latest("catalog").id == first.id
    place.ingest(about={"path": "right"})  # changed where they are
    assert place.collection.latest("catalog").id != first.id


def test_what_a_table_names_and_is_not_there_is_gone(place: Place, tmp_path: Path, make_pictures: MakePictures):
    files = make_pictures(tmp_path / "disk", 12)
    table = tmp_path / "table.csv"
    table.write_text("path\n" + "".join(f"{file}\n" for file in files))
    listing = TableSource(str(table)).listing()
    first = ingest(place.collection, listing, source_name="main", workers=1)
    (tmp_path / "disk").rename(tmp_path / "away")
    with pytest.raises(ConfigError, match=r"'main' is the source of 12 pictures: 12 of its 12 pictures are not there"):
        ingest(place.collection, TableSource(str(table)).listing(), source_name="main", workers=1)
    assert place.collection.latest("catalog").id == first.id


def test_what_comes_back_is_ready_again(place: Place):
    place.ingest()
    path = sorted(place.folder.iterdir())[0]
    data = path.read_bytes()
    path.unlink()
    place.ingest()
    path.write_bytes(data)
    place.ingest()
    assert place.statuses()[path.name] == ("ready", None)


def test_bad_pictures_are_listed_with_their_reasons(place: Place):
    whole = sorted(place.folder.glob("*.png"))[0].read_bytes()
    (place.folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (place.folder / "empty.jpg").write_bytes(b"")
    (place.folder / "text.jpg").write_text("not a picture")
    Image.new("L", (3000, 3000)).save(place.folder / "large.png")
    place.ingest(limits=Limits(max_pixels=1e6))
    found = place.statuses()
    assert {name: found[name] for name in ("cut.png", "empty.jpg", "text.jpg", "large.png")} == {
        "cut.png": ("unreadable", "truncated"),
        "empty.jpg": ("unreadable", "empty"),
        "text.jpg": ("unreadable", "not_a_picture"),
        "large.png": ("unreadable", "too_many_pixels"),
    }
    assert sum(status == "ready" for status, _ in found.values()) == 12


def test_a_killed_run_is_taken_up(place: Place, monkeypatch: pytest.MonkeyPatch):
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(step, "_publish", killed)
    with pytest.raises(KeyboardInterrupt):
        place.ingest()
    monkeypatch.undo()
    place.ingest()
    assert place.read == 0
    assert Catalog(place.collection.latest("catalog")).n_ready == 12


def test_what_a_killed_run_read_hides_nothing_that_is_back(place: Place, monkeypatch: pytest.MonkeyPatch):
    before = place.ingest()
    file = sorted(path for path in place.folder.rglob("*") if path.is_file())[3]
    aside = place.folder.with_name("aside")
    shutil.copy2(file, aside)
    Image.new("RGB", (40, 30), (1, 2, 3)).save(file)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(step, "_publish", killed)
    with pytest.raises(KeyboardInterrupt):
        place.ingest()
    assert place.read == 1
    monkeypatch.undo()
    aside.replace(file)  # with the time it had
    assert place.ingest().id == before.id
    assert place.read == 0


def test_other_sizes_are_read_again(place: Place):
    place.ingest()
    artifact = place.ingest(sizes=(64,))
    assert place.read == 12
    assert Thumbnails(place.collection.parent(artifact, "thumbnails")).sizes == [64]


def test_two_sources_leave_each_other_alone(place: Place, tmp_path: Path, make_pictures: MakePictures):
    place.ingest()
    make_pictures(tmp_path / "more", 3, seed=1)
    other = FolderSource(str(tmp_path / "more"), name="more")
    catalog = Catalog(ingest(place.collection, other.listing(), source_name="more", workers=1))
    assert catalog.n_ready == 15
    assert len({row["item_id"] for row in catalog.records(range(15), ["item_id"])}) == 15


def test_a_damaged_thumbnail_is_noticed(place: Place):
    catalog = Catalog(place.ingest())
    artifact = place.collection.parent(catalog.artifact, "thumbnails")
    shard = next(artifact.path.rglob("*.tar"))
    data = bytearray(shard.read_bytes())
    data[700] ^= 255
    shard.write_bytes(data)
    with pytest.raises(DamagedArtifactError):
        Thumbnails(artifact).read(range(12), 96)


@pytest.mark.parametrize("wrong", [{"sizes": ()}, {"sizes": (4,)}, {"background": (1, 2)}, {"quality": 0}])
def test_settings_out_of_range(place: Place, wrong: dict):
    with pytest.raises(ConfigError):
        place.ingest(**wrong)


def test_thumbnails_that_stay_are_not_read_again(
    place: Place, make_pictures: MakePictures, monkeypatch: pytest.MonkeyPatch
):
    before = place.collection.parent(place.ingest(), "thumbnails")
    (shard,) = (name for name in before.manifest.files if name.endswith(".tar"))
    for path in make_pictures(place.folder / "more", 2, seed=5):
        path.rename(place.folder / f"more-{path.name}")
    read: list[str] = []
    monkeypatch.setattr("nitari.artifact.sha256_of", lambda path: read.append(path.name) or sha256_of(path))
    after = place.collection.parent(place.ingest(), "thumbnails")
    assert after.manifest.files[shard] == before.manifest.files[shard]
    assert Path(shard).name not in read
    assert len(read) == 3  # the new shard, its index and the catalog
    monkeypatch.undo()
    after.verify(full=True)


def test_damaged_thumbnails_are_made_again_and_no_others(place: Place, make_pictures: MakePictures):
    place.ingest()
    for path in make_pictures(place.folder / "more", 2, seed=5):
        path.rename(place.folder / f"more-{path.name}")
    before = place.ingest()
    thumbnails = place.collection.parent(before, "thumbnails")
    first, second = sorted(thumbnails.path.rglob("*.tar"))
    data = bytearray(first.read_bytes())
    data[700] ^= 255
    first.write_bytes(data)
    catalog = place.ingest()
    assert (catalog.id != before.id, place.read) == (True, 12)
    again = place.collection.parent(catalog, "thumbnails")
    again.verify(full=True)
    assert second.name in {path.name for path in again.path.rglob("*.tar")}
    again.file("index-96.parquet").write_bytes(b"")
    place.ingest()
    assert place.read == 14
    shutil.rmtree(place.collection.parent(place.collection.latest("catalog"), "thumbnails").path)
    place.ingest()
    assert place.read == 14
    assert place.ingest().id == place.collection.latest("catalog").id
    assert place.read == 0
