"""Traps of nmslib that the contract cannot provoke at will."""

import logging
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from nitari.errors import ConfigError, DamagedArtifactError, QueryError
from nitari.filters import Selection
from nitari.index import create
from nitari.index.exact import Exact
from nitari.index.hnsw import FILE, Graph, Hnsw, _Gate
from nitari.space import Space
from nitari.target import resolve

SPACE = Space("form", "cosine", 8)


@pytest.fixture(scope="module")
def vectors(make_vectors):
    return make_vectors(SPACE, 500, 5)


@pytest.fixture
def index(vectors):
    index = Hnsw(SPACE)
    index.build(vectors)
    return index


@pytest.fixture
def oracle(vectors):
    oracle = Exact(SPACE)
    oracle.build(vectors)
    return oracle


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows[:3],
        lambda rows: rows[:0],
        lambda rows: np.repeat(rows[:2], 5),
        lambda rows: np.where(rows == rows[0], -1, rows),
        lambda rows: np.where(rows == rows[0], 10**6, rows),
    ],
    ids=["short", "none", "repeated", "negative", "beyond"],
)
def test_a_bad_answer_of_the_graph_is_completed(index, oracle, vectors, monkeypatch, spoil):
    monkeypatch.setattr("nitari.index.hnsw._STEP", 0)  # never too few vectors for the graph
    engine = index._whole.engine.engine
    honest = engine.candidates
    monkeypatch.setattr(engine, "candidates", lambda *arguments: [spoil(rows) for rows in honest(*arguments)])
    found, true = index.search(vectors[:3], 10), oracle.search(vectors[:3], 10)
    assert np.array_equal(found.rows, true.rows)
    assert np.array_equal(found.distances, true.distances)


def test_damaged_files_are_never_loaded(tmp_path, index, vectors, monkeypatch):
    parameters = index.save(tmp_path)
    data = (tmp_path / FILE).read_bytes()
    monkeypatch.setattr(Graph, "_new", lambda self: pytest.fail("native code was reached"))
    for damaged in (data[:-1], data[:100] + b"\0" + data[101:], b""):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(DamagedArtifactError, match="space 'form' is damaged"):
            Hnsw.load(tmp_path, SPACE, vectors, parameters)
    (tmp_path / FILE).unlink()
    with pytest.raises(DamagedArtifactError, match="nothing"):
        Hnsw.load(tmp_path, SPACE, vectors, parameters)


def test_a_copy_of_a_file_damaged_meanwhile_is_refused(tmp_path, index, vectors):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    loaded = Hnsw.load(tmp_path / "a", SPACE, vectors, index.save(tmp_path / "a"))
    (tmp_path / "a" / FILE).write_bytes(b"")  # what nmslib leaves when a loaded index is saved again
    with pytest.raises(DamagedArtifactError):
        loaded.save(tmp_path / "b")


def test_other_dimensions_are_refused_before_loading(tmp_path, index, vectors):
    parameters = index.save(tmp_path)
    with pytest.raises(DamagedArtifactError, match="dim 8; it stands beside 500 of dim 7"):
        Hnsw.load(tmp_path, Space("form", "cosine", 7), vectors[:, :7], parameters)


@pytest.mark.parametrize("arguments", [{"M": 1}, {"ef_construction": 0}, {"ef_search": 0}])
def test_bad_parameters_are_refused(arguments):
    with pytest.raises(ConfigError, match=f"{next(iter(arguments))} is"):
        Hnsw(SPACE, **arguments)


def test_metrics_of_exact_search_are_sent_there():
    for space in (Space("codes", "hamming", 64, "uint8"), Space("signature", "normalized_l2", 8)):
        with pytest.raises(ConfigError, match="Build it with: index=exact"):
            Hnsw(space)


def test_a_wide_search_does_not_narrow_another():
    """nmslib keeps one ef_search for all: those that want another value wait until nobody searches."""
    value = []
    gate = _Gate(value.append)
    seen, stop = [], time.monotonic() + 0.5

    def search(wanted):
        while time.monotonic() < stop and len(seen) < 500:
            with gate.at(wanted):
                before = value[-1]
                time.sleep(0)
                seen.append((before, value[-1]) == (wanted, wanted))

    threads = [threading.Thread(target=search, args=(ef,)) for ef in (10, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen)
    assert len(set(value)) > 1


def test_real_categories_are_found(make_vectors):
    """A selection of what is far from the query starves an over-fetching graph; half of all at random narrows it."""
    space = Space("form", "cosine", 24)
    vectors = make_vectors(space, 40_000, 1)
    index, oracle = Hnsw(space, M=8, ef_construction=80, ef_search=100, threads=1), Exact(space)
    index.build(vectors)
    oracle.build(vectors)
    distances = space.distances(vectors[:1], vectors)[0]
    far = np.flatnonzero(distances > np.quantile(distances, 0.4))
    for rows in (far, np.flatnonzero(np.random.default_rng(2).random(40_000) < 0.6)):
        found = index.search(vectors[:50], 10, where=Selection(None, rows))
        true = oracle.search(vectors[:50], 10, where=Selection(None, rows))
        assert np.isin(found.rows, rows).all()
        assert (found.distances <= true.distances[:, -1:] + 1e-6).mean() >= 0.95


def test_importing_nmslib_is_silent():
    code = "import logging; logging.basicConfig(level=0)\nfrom nitari.index.hnsw import _import; _import()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert logging.getLogger("nmslib").getEffectiveLevel() >= logging.WARNING


def test_only_indexes_of_nitari_are_created():
    for target in (
        "os.path.join",
        "nitari.index.exact.np",
        "nitari.index.exact.Path",
        "nitari.index.nothing.Index",
        "",
    ):
        with pytest.raises(ConfigError):
            create({"_target_": target}, SPACE)
    with pytest.raises(ConfigError, match="cannot be found"):
        resolve("nitari.index.exact.Nothing", "index")


def test_more_rows_than_nmslib_numbers(monkeypatch, vectors):
    monkeypatch.setattr("nitari.index.hnsw._MAX_ROWS", 99)
    with pytest.raises(ConfigError, match="at most 99"):
        Hnsw(SPACE).build(vectors)


def test_a_query_of_another_space_is_refused(index, vectors):
    with pytest.raises(QueryError, match="Space 'form' has 8 numbers a vector"):
        index.search(vectors[:, :4], 3)
