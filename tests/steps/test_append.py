import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.extractor.colour import ColourExtractor
from nitari.extractor.pixels import PixelsExtractor
from nitari.recommend.recommender import Recommender
from nitari.serve import append as serve
from nitari.source.folder import FolderSource
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest

EXACT = {"_target_": "nitari.index.exact.Exact"}
POST = {"center": True, "pca": 8, "whiten": 0.5}


@pytest.fixture
def shoes(tmp_path: Path, make_pictures: Callable[..., list[Path]]) -> Collection:
    make_pictures(tmp_path / "pictures", 12)
    collection = Collection(tmp_path, "shoes")
    ingest(collection, FolderSource(str(tmp_path / "pictures")).listing(), source_name="main", workers=1)
    extract(collection, PixelsExtractor(), postprocess=POST, threads=1)
    build(collection, EXACT)
    return collection


def more(tmp_path: Path, make_pictures: Callable[..., list[Path]], collection: Collection) -> list[Path]:
    made = make_pictures(tmp_path / "aside", 3, seed=7)
    for path in made:
        path.rename(tmp_path / "pictures" / f"new-{path.name}")
    (tmp_path / "pictures" / "broken.jpg").write_bytes(b"not a picture")
    return made


def test_what_is_new_gets_the_vectors_it_will_have_after_the_next_ingest(
    tmp_path: Path, shoes: Collection, make_pictures
):
    more(tmp_path, make_pictures, shoes)
    listing = FolderSource(str(tmp_path / "pictures")).listing()
    done = append(shoes, listing, source_name="main", workers=1)
    assert (done.counts["ready"], done.known, done.removed) == (3, 12, 0)
    assert [refusal["reason"] for refusal in done.refused] == ["not_a_picture"]
    changes = Changes(shoes)
    assert changes.ids() == [done.addition]
    small = changes.addition(done.addition)
    vectors = Embeddings(small.latest("embeddings", "pixels")).vectors
    ids = Catalog(small.latest("catalog")).item_ids[:3]
    ingest(shoes, listing, source_name="main", workers=1)
    extract(shoes, PixelsExtractor(), postprocess=POST, threads=1)
    whole = Catalog(shoes.latest("catalog"))
    rows = [whole.row(item.decode()) for item in ids]
    assert np.allclose(Embeddings(shoes.latest("embeddings", "pixels")).vectors[rows], vectors, atol=1e-6)


def test_another_picture_of_the_same_name_follows_a_killed_append(
    tmp_path: Path, shoes: Collection, make_pictures, monkeypatch
):
    for seed, folder in enumerate(("a", "b")):
        make_pictures(tmp_path / folder, 1, seed=20 + seed)[0].rename(tmp_path / folder / "photo.png")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    one = FolderSource(str(tmp_path / "a"), "hand").listing()
    monkeypatch.setattr("nitari.steps.append.extract", killed)
    with pytest.raises(KeyboardInterrupt):
        append(shoes, one, source_name="hand", about={"path": "a"}, workers=1)
    monkeypatch.undo()
    other = FolderSource(str(tmp_path / "b"), "hand").listing()
    done = append(shoes, other, source_name="hand", about={"path": "b"}, workers=1)
    assert done.counts["ready"] == 1
    addition = Changes(shoes).addition(done.addition)
    fingerprint = Catalog(addition.latest("catalog")).ready("fingerprint")[0].as_py()
    assert fingerprint == other.column("fingerprint")[0].as_py()


def test_nothing_new_adds_nothing(tmp_path: Path, shoes: Collection, make_pictures):
    more(tmp_path, make_pictures, shoes)
    listing = FolderSource(str(tmp_path / "pictures")).listing()
    append(shoes, listing, source_name="main", workers=1)
    again = append(shoes, listing, source_name="main", workers=1)
    assert again.addition is None
    assert again.known == 15


def test_removed_items_are_neither_appended_nor_ingested_again(tmp_path: Path, shoes: Collection, make_pictures):
    more(tmp_path, make_pictures, shoes)
    listing = FolderSource(str(tmp_path / "pictures")).listing()
    catalog = Catalog(shoes.latest("catalog"))
    gone = catalog.item_ids[3].decode()
    new = next(item for item in listing.column("item_id").to_pylist() if item.encode() not in set(catalog.item_ids))
    Changes(shoes).remove([gone, new])
    assert append(shoes, listing, source_name="main", workers=1).removed == 2
    ingest(shoes, listing, source_name="main", workers=1)
    after = Catalog(shoes.latest("catalog"))
    ready = set(after.item_ids[: after.n_ready])
    assert not {gone.encode(), new.encode()} & ready
    assert after.records([list(after.item_ids).index(gone.encode())], ["status"]) == [{"status": "gone"}]
    Changes(shoes).restore([gone])
    ingest(shoes, listing, source_name="main", workers=1)
    back = Catalog(shoes.latest("catalog"))
    assert gone.encode() in back.item_ids[: back.n_ready]


def test_another_source_leaves_a_removed_item_removed(tmp_path: Path, shoes: Collection, make_pictures):
    gone = Catalog(shoes.latest("catalog")).item_ids[3]
    Changes(shoes).remove([gone.decode()])
    make_pictures(tmp_path / "others", 2, seed=5)
    ingest(shoes, FolderSource(str(tmp_path / "others"), "others").listing(), source_name="others", workers=1)
    after = Catalog(shoes.latest("catalog"))
    assert after.n_ready == 13
    assert gone in after.item_ids[after.n_ready :]


def test_a_catalog_reads_what_was_added_as_ready_rows(
    tmp_path: Path, shoes: Collection, make_pictures, ingest_folder: Callable[..., Artifact]
):
    other = Collection(tmp_path, "other")
    make_pictures(tmp_path / "more", 2, seed=9)
    ingest_folder(other, tmp_path / "more")
    import pyarrow.parquet as pq

    artifact = shoes.latest("catalog")
    added = pq.read_table(other.latest("catalog").file("catalog.parquet"))
    plain = Catalog(artifact)
    whole = plain.extended(added)
    assert (whole.n_ready, whole.n_items) == (plain.n_ready + 2, plain.n_items + 2)
    names = whole.ready("file_name").to_pylist()
    assert names == plain.ready("file_name").to_pylist() + added.column("file_name").to_pylist()
    assert whole.row(added.column("item_id")[1].as_py()) == plain.n_ready + 1
    assert whole.ready("folder").to_pylist()[-2:] == [None, None]
    selection = whole.select(f"file_name={names[-1]}")
    assert selection is not None
    assert plain.n_ready + 1 in selection.rows


def test_what_was_appended_is_in_a_release_of_other_spaces(tmp_path: Path, shoes: Collection, make_pictures, caplog):
    """And stays in the releases before it, for a way back."""
    more(tmp_path, make_pictures, shoes)
    first = shoes.current
    done = append(shoes, FolderSource(str(tmp_path / "pictures")).listing(), source_name="main", workers=1)
    extract(shoes, ColourExtractor(), threads=1)
    release = build(shoes, EXACT)
    assert release.manifest.info["spaces"] == ["colour", "pixels"]
    assert len(Changes(shoes).ids()) == 2
    build(shoes, EXACT, weights={"colour": 1})
    assert len(Changes(shoes).ids()) == 2
    for one in (release.id, first):
        caplog.clear()
        served = Recommender.open(shoes, one)
        found = served.recommend(served.catalog.ids([served.catalog.n_ready - 1]), k=50, collapse=False)
        assert len(found.results) == 14
    small = Changes(shoes).addition(max(Changes(shoes).ids(), key=lambda one: one != done.addition))
    assert sorted(small.spaces()) == ["colour", "pixels"]


@pytest.mark.parametrize("other_spaces", [True, False])
def test_a_damaged_addition_stops_no_build(tmp_path: Path, shoes: Collection, make_pictures, caplog, other_spaces):
    more(tmp_path, make_pictures, shoes)
    done = append(shoes, FolderSource(str(tmp_path / "pictures")).listing(), source_name="main", workers=1)
    if other_spaces:
        extract(shoes, ColourExtractor(), threads=1)
    next(Changes(shoes).addition(done.addition).path.glob("catalog/*/manifest.json")).write_text("{")
    assert build(shoes, EXACT).id == shoes.current
    assert done.addition in caplog.text


def test_the_advice_for_a_damaged_addition_mends_it(tmp_path: Path, shoes: Collection, make_pictures, caplog):
    more(tmp_path, make_pictures, shoes)
    pictures = FolderSource(str(tmp_path / "pictures"))
    done = append(shoes, pictures.listing(), source_name="main", about=pictures.about, workers=1)
    file = next(Changes(shoes).addition(done.addition).path.glob("embeddings/pixels/*/vectors.npy"))
    file.write_bytes(file.read_bytes()[:-1])
    assert Recommender.open(shoes).catalog.n_ready == 12
    assert "'vectors.npy' has" in caplog.text
    assert "No search finds its 3 pictures from" in caplog.text
    assert "Renew it" not in caplog.text
    remove, again = caplog.text.strip().rpartition("Bring them back with: ")[2].split(" && ")
    subprocess.run(shlex.split(remove), check=True)
    job, *words = shlex.split(again)[1:]
    assert (job, serve.main([*words, "threads=1"])) == ("append", 0)
    assert Recommender.open(shoes).catalog.n_ready == 15


@pytest.mark.parametrize("file", ["spaces.json", "catalog/*/catalog.parquet"])
def test_a_damaged_addition_is_named_and_stops_no_other(
    tmp_path: Path, shoes: Collection, make_pictures, caplog, file: str
):
    more(tmp_path, make_pictures, shoes)
    pictures = FolderSource(str(tmp_path / "pictures"))
    done = append(shoes, pictures.listing(), source_name="main", about=pictures.about, workers=1)
    next(Changes(shoes).addition(done.addition).path.glob(file)).write_bytes(b"")
    again = append(shoes, pictures.listing(), source_name="main", about=pictures.about, workers=1)
    assert (again.counts["ready"], again.known) == (3, 12)
    assert f"Addition '{done.addition}' cannot be read: " in caplog.text
    assert Path(file).name in caplog.text
    assert Recommender.open(shoes).catalog.n_ready == 15


def test_what_the_catalog_took_in_is_not_extracted_again(tmp_path: Path, shoes: Collection, make_pictures):
    more(tmp_path, make_pictures, shoes)
    listing = FolderSource(str(tmp_path / "pictures")).listing()
    append(shoes, listing, source_name="main", workers=1)
    ingest(shoes, listing, source_name="main", workers=1)
    extract(shoes, PixelsExtractor(), postprocess=POST, threads=1)
    extract(shoes, ColourExtractor(), threads=1)
    build(shoes, EXACT)
    assert len(Changes(shoes).ids()) == 1
