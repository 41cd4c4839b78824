from datetime import date

import numpy as np
import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.recommend.unmatched import unmatched

ROWS = [("bag", 1), ("bag", 2), ("shoe", 3), ("a hat", 4), (None, None), ("shoe", 6)]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory, make_pictures, ingest_folder):
    root = tmp_path_factory.mktemp("root")
    make_pictures(root / "pictures", len(ROWS))

    def columns(name):
        number = int(name[8:12])
        kind, price = ROWS[number]
        more = {"views": 1234567 + number, "day": date(2026, 1, 1 + number)}
        return {"kind": kind, "price": price, **more, "words": "one two\nthree four five six seven eight nine ten"}

    return Catalog(ingest_folder(Collection(root, "shop"), root / "pictures", columns))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("kind=bag", ""),
        ("kind=bagg", "No picture has kind=bagg. kind has bag (2), shoe (2), 'a hat' (1)"),
        ("price>7 and kind=bag", "No picture has price>7. price goes from 1 to 6"),
        ("price>2 and kind=bag", "Pictures have each of price>2, kind=bag, but none has all"),
        (
            "price>2 and (kind=bag and price<1000)",
            "Pictures have each of price>2, kind=bag, price<1000, but none has all",
        ),
        ("views<5", "No picture has views<5. views goes from 1234567 to 1234572"),
        ("day='2020-01-01'", "No picture has day=2020-01-01. day goes from 2026-01-01 to 2026-01-06"),
        ("words=x", "No picture has words=x. words has 'one two three four five six seven eight…' (6)"),
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


def test_what_was_removed_is_not_told(catalog):
    hat = np.array([catalog.column("kind").to_pylist().index("a hat")])
    assert unmatched(catalog, "kind='a hat'", hat) == "No picture has kind='a hat'. kind has bag (2), shoe (2)"
    assert unmatched(catalog, "kind='a hat'", np.empty(0, np.int64)) == ""
