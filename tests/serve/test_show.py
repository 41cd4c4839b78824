import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.extractor.pixels import PixelsExtractor
from nitari.serve.show import main, size, table
from nitari.source.folder import FolderSource
from nitari.source.named import named
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest
from nitari.steps.status import stale, status


def put(collection: Collection, kind: str, space: str | None = None, **more) -> Artifact:
    work = collection.work(kind, {"space": space})
    (work / "data").write_text(kind)
    return publish(work, collection.folder(kind, space), kind, **more)


@pytest.fixture
def shoes(tmp_path: Path) -> Collection:
    return Collection(tmp_path, "shoes")


def grow(shoes: Collection) -> dict[str, Artifact]:
    """A whole way through, of empty artifacts."""
    thumbnails = put(shoes, "thumbnails")
    counts = {"total": 3, "ready": 2, "unreadable": 1, "gone": 0}
    catalog = put(shoes, "catalog", parents={"thumbnails": thumbnails}, counts=counts)
    encoder = put(shoes, "encoder", parents={"catalog": catalog})
    info = {"space": {"name": "encoder", "metric": "cosine", "dim": 8, "dtype": "float32"}, "extractor": {}}
    embeddings = put(shoes, "embeddings", "encoder", parents={"catalog": catalog, "encoder": encoder}, info=info)
    index = put(shoes, "index", "encoder", parents={"embeddings": embeddings})
    parents = {"catalog": catalog, "embeddings:encoder": embeddings, "index:encoder": index}
    release = put(shoes, "release", parents=parents)
    shoes.switch(release)
    return {"catalog": catalog, "release": release}


def renewals(shoes: Collection) -> list[str]:
    return [entry.renew for entry in stale(shoes)]


def test_stale_follows_the_way_through(shoes: Collection):
    assert renewals(shoes) == [shoes.command("ingest", "source.path=…")]
    made = grow(shoes)
    assert renewals(shoes) == []
    put(shoes, "catalog", parents={}, counts=made["catalog"].manifest.counts)
    assert renewals(shoes) == [shoes.command("extract", "extractor=encoder"), shoes.command("build")]


def test_a_new_encoder_makes_its_space_stale(shoes: Collection):
    grow(shoes)
    put(shoes, "encoder", parents={})
    entries = stale(shoes)
    assert [entry.what for entry in entries] == ["embeddings/encoder", "release"]
    assert "made from encoder" in entries[0].why


def test_shows_one_json_document(shoes: Collection, capsys: pytest.CaptureFixture[str]):
    made = grow(shoes)
    assert main(["collection=shoes", f"root={shoes.path.parent}", "format=json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["collection"] == "shoes"
    assert shown["items"] == {"total": 3, "ready": 2, "unreadable": 1, "gone": 0}
    assert shown["spaces"]["encoder"]["dim"] == 8
    assert shown["release"]["id"] == made["release"].id
    assert shown["stale"] == []
    assert status(shoes)["bytes"] > 0


def test_the_table_and_the_list(shoes: Collection, capsys: pytest.CaptureFixture[str]):
    made = grow(shoes)
    main(["collection=shoes", f"root={shoes.path.parent}"])
    text = capsys.readouterr().out
    assert "3 items (2 ready, 1 unreadable)" in text
    assert made["release"].id in text
    assert "Nothing is stale." in text
    main([f"root={shoes.path.parent}"])
    assert capsys.readouterr().out == "shoes\n"


@pytest.fixture
def shop(tmp_path: Path, make_pictures: Callable[..., list[Path]]) -> Collection:
    """Twelve pictures, scanned."""
    make_pictures(tmp_path / "pictures", 12)
    collection = Collection(tmp_path, "shop")
    renewed(collection, tmp_path / "pictures")
    return collection


def renewed(shop: Collection, pictures: Path, name: str = "main") -> None:
    source = FolderSource(str(pictures), name)
    ingest(shop, source.listing(), source_name=name, about=source.about, workers=1)
    extract(shop, PixelsExtractor(), threads=1)
    build(shop, {"_target_": "nitari.index.exact.Exact"})


def append_to(shop: Collection, path: Path, name: str = "main") -> str:
    source = named(str(path), name)
    return append(shop, source.listing(), source_name=name, about=source.about, workers=1).addition


def test_a_scanned_index_is_no_file_of_no_bytes(shop: Collection):
    text = table(status(shop))
    assert "no file of its own: it scans the vectors of the space" in text
    assert " 0 B" not in text
    assert "Appended" not in text
    assert "Removed" not in text


def test_what_came_and_went_is_told_with_what_takes_it_in(shop: Collection, tmp_path: Path, make_pictures):
    pictures = tmp_path / "pictures"
    made = make_pictures(tmp_path / "more", 3, seed=7)
    for path in made:
        path.rename(pictures / f"new-{path.name}")
    append_to(shop, pictures)
    first = Catalog(shop.latest("catalog")).item_ids[0].decode()
    Changes(shop).remove([first, "neverthere"])
    text = table(status(shop))
    assert "Appended and not built in: 3 pictures" in text
    assert f"Run: nitari ingest collection=shop root={tmp_path} source=folder source.path={pictures}\n" in text
    assert "Removed: 2 pictures, which no search finds; 1 still kept" in text
    assert f"nitari purge collection=shop root={tmp_path}" in text
    source = FolderSource(str(pictures))
    ingest(shop, source.listing(), source_name="main", about=source.about, workers=1)
    assert status(shop)["pending"]["pictures"] == 3
    assert status(shop)["pending"]["ingest"] == []
    renewed(shop, pictures)
    found = status(shop)["pending"]
    assert (found["pictures"], found["removed"], found["held"]) == (0, 2, 0)
    assert not any(found[key] for key in ("move", "ingest", "damaged", "purge"))


def test_what_lies_elsewhere_is_moved_before_its_source_is_ingested(shop: Collection, tmp_path: Path, make_pictures):
    elsewhere, own = tmp_path / "elsewhere", tmp_path / "own"
    (alone, _), _ = make_pictures(elsewhere, 2, seed=7), make_pictures(own, 2, seed=8)
    append_to(shop, alone)
    append_to(shop, own, "own")
    append_to(shop, elsewhere, "late")
    found = status(shop)["pending"]
    assert found["move"] == [f"Put '{alone}' into '{tmp_path / 'pictures'}'"]
    root = f"nitari ingest collection=shop root={tmp_path} source=folder source.path="
    assert found["ingest"] == [
        f"{root}{tmp_path / 'pictures'}",
        f"{root}{own} source.name=own",
        f"{root}{elsewhere} source.name=late",
    ]


def test_a_new_source_is_ingested_once_from_where_the_first_folder_of_it_is(
    shop: Collection, tmp_path: Path, make_pictures
):
    alone, elsewhere, own = (tmp_path / name for name in ("alone", "elsewhere", "own"))
    (file,), _, _ = make_pictures(alone, 1, seed=7), make_pictures(own, 2, seed=8), make_pictures(elsewhere, 2, seed=9)
    for path in (file, own, elsewhere):
        append_to(shop, path, "late")
    found = status(shop)["pending"]
    assert found["move"] == [f"Put '{file}' into '{own}'", f"Put the pictures of '{elsewhere}' into '{own}'"]
    assert found["ingest"] == [
        f"nitari ingest collection=shop root={tmp_path} source=folder source.path={own} source.name=late"
    ]


def test_a_damaged_addition_is_told(shop: Collection, tmp_path: Path, make_pictures):
    made = append_to(shop, make_pictures(tmp_path / "more", 1, seed=7)[0])
    next(Changes(shop).addition(made).path.glob("catalog/*/catalog.parquet")).write_bytes(b"")
    text = table(status(shop))
    assert f"Addition '{made}' cannot be read" in text
    assert "&& nitari append collection=shop" in text


def test_errors_name_the_remedy(tmp_path: Path):
    with pytest.raises(ArtifactError, match="no collection 'bags'"):
        main(["collection=bags", f"root={tmp_path}"])
    with pytest.raises(ConfigError, match="Choose one of: table, json"):
        main(["format=xml"])


def test_sizes():
    assert [size(n) for n in (0, 999, 1500, 2.5e9)] == ["0 B", "999 B", "1.5 kB", "2.5 GB"]
