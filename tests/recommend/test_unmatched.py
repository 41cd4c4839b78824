import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.recommend.unmatched import unmatched

ROWS = [("bag", 1), ("bag", 2), ("shoe", 3), ("a hat", 4), (None, None), ("shoe", 6)]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory, make_pictures, ingest_folder):
    root = tmp_path_factory.mktemp("root")
    make_pictures(root / "pictures", len(ROWS))
    columns = lambda name: dict(zip(("kind", "price"), ROWS[int(name[8:12])], strict=True))  # noqa: E731
    return Catalog(ingest_folder(Collection(root, "shop"), root / "pictures", columns))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("kind=bag", ""),
        ("kind=bagg", "No picture has kind=bagg. kind has bag (2), shoe (2), 'a hat' (1)"),
        ("price>7 and kind=bag", "No picture has price>7. price goes from 1 to 6"),
        ("price>2 and kind=bag", "Pictures have each of price>2, kind=bag, but none has all"),
        ("kind=bag and (price=7 or kind=boot)", "No picture has (price=7) or (kind=boot)."),
        (
            "not (kind is null or kind is not null)",
            "No picture has not ((kind is null) or (not (kind is null))). kind has",
        ),
    ],
)
def test_what_admits_nothing_is_named_with_what_there_is(catalog, where, said):
    assert unmatched(catalog, where).startswith(said)
    assert bool(unmatched(catalog, where)) == bool(said)
