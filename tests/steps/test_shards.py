import threading
from pathlib import Path

import numpy as np
import pytest

from nitari.steps.shards import Tally, fill, parts, resumable


def nothing() -> None:
    pass


def test_parts_cover_everything_once():
    assert [list(range(10))[part] for part in parts(10, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(parts(0, 4)) == []


def test_what_was_stored_is_kept(tmp_path: Path):
    array = resumable(tmp_path / "a.npy", (4, 2), "float16")
    assert not array.any()
    array[1] = 3
    array.flush()
    again = resumable(tmp_path / "a.npy", (4, 2), "float16")
    assert again[1].tolist() == [3, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_an_error_stops_the_work_and_the_next_run_does_the_rest(tmp_path: Path):
    out = resumable(tmp_path / "out.npy", (40,), "int64")
    failing = True

    def store(part: slice) -> None:
        if failing and part.start >= 20:
            raise OSError("pulled the plug")
        out[part] += 1

    with pytest.raises(OSError, match="pulled the plug"):
        fill(tmp_path / "done.npy", 40, 5, store, out.flush, threads=1, report=lambda rows: None)
    marked = np.load(tmp_path / "done.npy", allow_pickle=False)
    assert marked[:4].all()
    assert not marked[4:].any()
    failing = False
    reported: list[int] = []
    fill(tmp_path / "done.npy", 40, 5, store, out.flush, threads=2, report=reported.append)
    assert out.tolist() == [1] * 40
    assert (reported[0], sum(reported)) == (20, 40)


def test_a_part_is_marked_only_after_it_was_flushed(tmp_path: Path):
    stored: set[int] = set()
    flushed: set[int] = set()

    def flush() -> None:
        marked = np.load(tmp_path / "done.npy", allow_pickle=False)
        assert set(np.flatnonzero(marked)) <= flushed
        flushed.update(stored)

    fill(tmp_path / "done.npy", 8, 1, lambda part: stored.add(part.start), flush, threads=2, report=lambda rows: None)
    assert flushed == set(range(8))


def test_works_in_as_many_threads_as_asked_for(tmp_path: Path):
    both = threading.Barrier(2, timeout=10)
    fill(tmp_path / "done.npy", 2, 1, lambda part: both.wait() and None, nothing, threads=2, report=lambda rows: None)


def test_no_rows_need_no_work(tmp_path: Path):
    fill(tmp_path / "done.npy", 0, 5, lambda part: pytest.fail("called"), nothing, threads=1, report=pytest.fail)


def test_tally_adds_up():
    seen: list[tuple[int, int]] = []
    tally = Tally(lambda done, total: seen.append((done, total)), 7)
    tally(3)
    tally(4)
    assert seen == [(3, 7), (7, 7)]
