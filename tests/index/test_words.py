"""Words index int8 signatures only, which the contract's spaces are not: the same promises, on signatures."""

import numpy as np
import pytest

from nitari.errors import ConfigError, DamagedArtifactError, QueryError
from nitari.filters import Selection
from nitari.index import Index, words
from nitari.index.exact import Exact
from nitari.index.words import Words
from nitari.space import Space

SPACE = Space("signature", "normalized_l2", 648, "int8")


@pytest.fixture(autouse=True)
def _tables_for_few(monkeypatch):
    monkeypatch.setattr(words, "_SCAN_ROWS", 100)


@pytest.fixture(scope="module")
def signatures():
    """1,000 random signatures whose neighbouring numbers resemble each other, as those of pictures do."""
    random = np.random.default_rng(0)
    return (
        np.clip(random.normal(size=(1000, 81, 1)) + random.normal(size=(1000, 81, 8)), -2, 2)
        .astype(np.int8)
        .reshape(1000, -1)
    )


@pytest.fixture
def copies(signatures):
    """Of the first 200, with a third of the numbers, all in one place, drawn anew."""
    random = np.random.default_rng(1)
    changed = signatures[:200].copy()
    for one, start in zip(changed, random.integers(0, 432, 200), strict=True):
        one[start : start + 216] = random.integers(-2, 3, 216)
    return changed


@pytest.fixture
def index(signatures):
    index = Words(SPACE)
    index.build(signatures)
    return index


@pytest.fixture
def oracle(signatures):
    oracle = Exact(SPACE)
    oracle.build(signatures)
    return oracle


def test_copies_are_found_without_a_scan(index, copies, monkeypatch):
    monkeypatch.setattr(index._exact, "search", lambda *arguments, **more: pytest.fail("everything was scanned"))
    assert isinstance(index, Index)
    assert index.search(copies, 1).rows[:, 0].tolist() == list(range(200))


def test_distances_are_exact_and_ascending(index, copies, signatures):
    rows, distances = index.search(copies, 5)
    for query, near, apart in zip(SPACE.check(copies), rows, distances, strict=True):
        assert np.array_equal(apart, SPACE.precise(query, signatures[near]))
        assert (np.diff(apart) >= 0).all()
        assert len(set(near.tolist())) == 5


@pytest.mark.parametrize("k", [1000, 3000])
def test_what_shares_no_word_is_found_by_a_scan(index, oracle, copies, k):
    found, true = index.search(copies[:3], k), oracle.search(copies[:3], k)
    assert np.array_equal(found.rows, true.rows)
    assert np.array_equal(found.distances, true.distances)


def test_a_flat_picture_is_answered_too(index, oracle):
    flat = np.zeros((1, 648), np.int8)
    assert np.array_equal(index.search(flat, 1000).rows, oracle.search(flat, 1000).rows)
    assert np.array_equal(index.search(flat, 3).distances, oracle.search(flat, 3).distances)


@pytest.mark.parametrize("n", [0, 50, 101, 600])
def test_only_what_a_selection_admits(index, copies, n):
    rows = np.arange(1000 - n, 1000)
    found = index.search(copies[:20], 10, where=Selection(None, rows)).rows
    expected = min(10, n)
    assert np.isin(found[:, :expected], rows).all()
    assert (found[:, expected:] == -1).all()


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_loaded_is_as_saved(tmp_path, signatures, copies, n):
    index = Words(SPACE, words=30, length=12, candidates=50)
    index.build(signatures[:n])
    parameters = index.save(tmp_path)
    again = Words.load(tmp_path, SPACE, signatures[:n], parameters)
    before, after = index.search(copies, 7), again.search(copies, 7)
    assert np.array_equal(before.rows, after.rows)
    assert np.array_equal(before.distances, after.distances)
    (tmp_path / "again").mkdir()
    assert again.save(tmp_path / "again") == parameters


def test_damaged_files_are_never_loaded(tmp_path, index, signatures):
    parameters = index.save(tmp_path)
    data = (tmp_path / "rows.npy").read_bytes()
    (tmp_path / "rows.npy").write_bytes(data[:300] + bytes([data[300] ^ 1]) + data[301:])
    with pytest.raises(DamagedArtifactError, match="space 'signature' is damaged"):
        Words.load(tmp_path, SPACE, signatures, parameters)
    with pytest.raises(DamagedArtifactError, match="built from 1000 vectors"):
        Words.load(tmp_path, SPACE, signatures[:999], parameters)


def test_bad_requests_are_refused(index, signatures):
    with pytest.raises(QueryError, match="k is 0"):
        index.search(signatures[:1], 0)
    with pytest.raises(QueryError, match="numbers a vector"):
        index.search(signatures[:1, :-1], 3)
    with pytest.raises(QueryError, match="row 1000"):
        index.search(signatures[:1], 3, where=Selection(None, np.array([2, 1000])))


@pytest.mark.parametrize("arguments", [{"words": 0}, {"words": 649}, {"length": 21}, {"candidates": 0}])
def test_bad_parameters_are_refused(arguments):
    with pytest.raises(ConfigError, match=f"{next(iter(arguments))} is"):
        Words(SPACE, **arguments)


@pytest.mark.parametrize(
    "space", [Space("form", "cosine", 648), Space("signature", "normalized_l2", 648), Space("form", "l2", 648, "int8")]
)
def test_other_spaces_are_sent_to_exact_search(space):
    with pytest.raises(ConfigError, match="Build it with: index=exact"):
        Words(space)
