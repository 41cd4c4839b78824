"""What the contract cannot see: that the tables answer at all, and exactly within their radius."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import ConfigError, DamagedArtifactError
from nitari.filters import Selection
from nitari.index import multihash
from nitari.index.exact import Exact
from nitari.index.multihash import MultiHash
from nitari.space import Space

SPACE = Space("pdq", "hamming", 256, "uint8")


def flipped(codes: np.ndarray, bits: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(n, width) codes with ``bits`` (n,) of their bits changed."""
    order = random.random((len(codes), codes.shape[1] * 8)).argsort(axis=1).argsort(axis=1)
    return codes ^ np.packbits(order < bits[:, None], axis=1)


@pytest.fixture(autouse=True)
def _tables_for_few(monkeypatch):
    monkeypatch.setattr(multihash, "_SCAN_ROWS", 100)
    monkeypatch.setattr(multihash, "_SCAN_SHARE", 0.5)


@pytest.fixture
def codes():
    """600 families of 5 codes, 0 to 45 bits from the first."""
    random = np.random.default_rng(0)
    return flipped(random.integers(0, 256, (600, 32), np.uint8).repeat(5, 0), random.integers(0, 46, 3000), random)


@pytest.fixture
def oracle(codes):
    oracle = Exact(SPACE)
    oracle.build(codes)
    return oracle


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([8, 24, 64, 256]), st.integers(0, 40), st.integers(1, 16), st.integers(0, 10**6))
def test_all_within_the_radius_and_nothing_else(bits, radius, tables, seed):
    random = np.random.default_rng(seed)
    space, radius, tables = Space("codes", "hamming", bits, "uint8"), min(radius, bits - 1), max(tables, -(-bits // 24))
    centres = random.integers(0, 256, (40, bits // 8), np.uint8)
    codes = flipped(centres.repeat(5, 0), random.integers(0, bits // 4 + 1, 200), random)
    index = MultiHash(space, radius, min(tables, bits))
    index.build(codes)
    for query, (rows, distances) in zip(codes[:20], index.within(codes[:20]), strict=True):
        apart = space.precise(query, codes)
        assert np.array_equal(np.sort(rows), np.flatnonzero(apart <= radius))
        assert np.array_equal(distances, apart[rows])
        assert (np.diff(distances) >= 0).all()


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("share", [None, 0.5])
def test_as_exact_search_on_both_sides_of_the_radius(codes, oracle, k, share):
    index = MultiHash(SPACE)
    index.build(codes)
    where = None
    if share:
        where = Selection(None, np.flatnonzero(np.random.default_rng(1).random(len(codes)) < share))
    found, true = index.search(codes[:100], k, where=where), oracle.search(codes[:100], k, where=where)
    assert np.array_equal(found.rows, true.rows)
    assert np.array_equal(found.distances, true.distances)


def test_what_lies_within_the_radius_is_found_without_a_scan(codes, monkeypatch):
    index = MultiHash(SPACE, radius=45)
    index.build(codes)
    monkeypatch.setattr(index._exact, "search", lambda *arguments, **more: pytest.fail("everything was scanned"))
    monkeypatch.setattr(index, "_scan", lambda *arguments: pytest.fail("everything was scanned"))
    assert (index.search(codes[:50], 1).distances == 0).all()
    assert all(len(rows) for rows, _ in index.within(codes[:50]))


def test_many_equal_codes_are_scanned(codes):
    codes[500:2800] = codes[500]
    index = MultiHash(SPACE)
    index.build(codes)
    assert index._near(codes[500], None, 10) is None
    rows, distances = index.within(codes[500])[0]
    assert np.array_equal(rows, np.arange(500, 2800))
    assert not distances.any()


def test_within_a_selection(codes):
    index = MultiHash(SPACE)
    index.build(codes)
    where = Selection(None, np.arange(1, len(codes), 2))
    for (rows, _), (all_rows, _) in zip(index.within(codes[:9], where=where), index.within(codes[:9]), strict=True):
        assert np.array_equal(rows, all_rows[all_rows % 2 == 1])


def test_a_radius_that_would_take_too_many_keys_is_scanned(codes, oracle):
    index = MultiHash(SPACE, radius=120, tables=11)
    index.build(codes)
    found, true = index.search(codes[:5], 10), oracle.search(codes[:5], 10)
    assert np.array_equal(found.rows, true.rows)
    assert index.within(codes[:1])[0][1].max() <= 120


@pytest.mark.parametrize("file", ["starts.npy", "rows.npy"])
def test_damaged_files_are_never_loaded(tmp_path, codes, file):
    index = MultiHash(SPACE)
    index.build(codes)
    parameters = index.save(tmp_path)
    data = (tmp_path / file).read_bytes()
    for damaged in (data[:-1], data[:200] + bytes([data[200] ^ 1]) + data[201:], b""):
        (tmp_path / file).write_bytes(damaged)
        with pytest.raises(DamagedArtifactError, match=f"space 'pdq' is damaged: '{file}'"):
            MultiHash.load(tmp_path, SPACE, codes, parameters)
    (tmp_path / file).unlink()
    with pytest.raises(DamagedArtifactError, match="nothing"):
        MultiHash.load(tmp_path, SPACE, codes, parameters)


def test_loaded_is_as_saved(tmp_path, codes):
    index = MultiHash(SPACE, radius=40, tables=13)
    index.build(codes)
    parameters = index.save(tmp_path)
    again = MultiHash.load(tmp_path, SPACE, codes, parameters)
    for (a, b), (c, d) in zip(index.within(codes[:20]), again.within(codes[:20]), strict=True):
        assert np.array_equal(a, c)
        assert np.array_equal(b, d)
    (tmp_path / "again").mkdir()
    assert again.save(tmp_path / "again") == parameters


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"radius": -1}, "radius is -1"), ({"radius": 256}, "0 to 255"), ({"tables": 10}, "11 to 256")],
)
def test_bad_parameters_are_refused(arguments, said):
    with pytest.raises(ConfigError, match=said):
        MultiHash(SPACE, **arguments)


def test_other_metrics_are_sent_to_exact_search():
    with pytest.raises(ConfigError, match="Build it with: index=exact"):
        MultiHash(Space("form", "cosine", 8))
