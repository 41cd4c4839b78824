from pathlib import Path

import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.model import data
from nitari.model.canvas import canvas
from nitari.model.data import Batches, Data, pack, passes


def read_from(pictures: np.ndarray, calls: list[list[int]] | None = None):
    def read(rows):
        if calls is not None:
            calls.append(list(rows))
        return [pictures[row] for row in rows]

    return read


def test_packing_keeps_rows_in_order_and_is_done_once(tmp_path: Path, squares: np.ndarray):
    rows = np.array([3, 5, 40])
    calls: list[list[int]] = []
    path = pack(tmp_path, "key", rows, read_from(squares, calls), 8, "stretch")
    np.testing.assert_array_equal(np.load(path), canvas(list(squares[rows]), 8))
    assert pack(tmp_path, "key", rows, read_from(squares, calls), 8, "stretch") == path
    assert len(calls) == 1
    others = [
        ("key", rows[:2], 8, "stretch"),
        ("key", rows, 16, "stretch"),
        ("key", rows, 8, "pad"),
    ]
    assert len({pack(tmp_path, k, r, read_from(squares), s, f) for k, r, s, f in others} | {path}) == 4
    other = pack(tmp_path, "other", rows, read_from(squares), 8, "stretch")
    assert list(tmp_path.iterdir()) == [other]  # what came from elsewhere is not kept for ever


def test_a_killed_packing_goes_on(tmp_path: Path, squares: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data, "CHUNK", 4)
    rows = np.arange(48)

    def fails(wanted):
        if 20 in wanted:
            raise KeyboardInterrupt
        return read_from(squares)(wanted)

    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path, "key", rows, fails, 16, "stretch", threads=1)
    assert not list(tmp_path.glob("*.npy"))
    calls: list[list[int]] = []
    path = pack(tmp_path, "key", rows, read_from(squares, calls), 16, "stretch", threads=1)
    np.testing.assert_array_equal(np.load(path), squares)
    assert calls[0] == [20, 21, 22, 23]
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


def seen(batches: Batches) -> list[np.ndarray]:
    return [batch.numpy() for batch in batches]


def test_the_order_follows_from_seed_and_epoch(squares: np.ndarray):
    def order(seed: int, epoch: int) -> np.ndarray:
        return np.concatenate(seen(Batches(squares, np.arange(48), 10, seed=seed, epoch=epoch)))

    np.testing.assert_array_equal(order(0, 0), order(0, 0))
    assert not np.array_equal(order(0, 0), order(0, 1))
    assert not np.array_equal(order(0, 0), order(1, 0))
    assert order(0, 0).shape == (40, 16, 16, 3)  # whole batches only


def test_an_interrupted_pass_goes_on_where_it_was(squares: np.ndarray):
    whole = seen(Batches(squares, np.arange(48), 10, seed=3, epoch=2))
    rest = Batches(squares, np.arange(48), 10, seed=3, epoch=2, skip=2)
    assert len(rest) == 2
    np.testing.assert_array_equal(np.stack(seen(rest)), np.stack(whole[2:]))


def test_without_a_seed_every_picture_comes_once_in_order(squares: np.ndarray):
    batches = Batches(squares, np.arange(5, 48), 10)
    assert len(batches) == 5
    np.testing.assert_array_equal(np.concatenate(seen(batches)), squares[5:])


def test_processes_share_each_batch(squares: np.ndarray):
    shares = [Batches(squares, np.arange(48), 6, seed=0, rank=rank, world=2) for rank in (0, 1)]
    assert [len(share) for share in shares] == [4, 4]
    both = np.concatenate([*seen(shares[0]), *seen(shares[1])])
    assert len(np.unique(both.reshape(48, -1), axis=0)) == 48


@pytest.mark.parametrize(
    ("n", "size", "world", "steps"), [(48, 10, 1, 4), (5, 10, 1, 1), (48, 6, 2, 4), (48, 48, 1, 1)]
)
def test_how_many_batches_a_pass_has(n: int, size: int, world: int, steps: int):
    assert passes(n, size, world) == steps


def test_a_huge_collection_is_sampled():
    mask = np.arange(1000) % 4 != 0
    train, held_out = Data(max_items=100, max_held_out=10).choose(mask, seed=0)
    assert (len(train), len(held_out)) == (100, 10)
    assert mask[train].all()
    assert not mask[held_out].any()
    assert (np.diff(train) > 0).all()
    np.testing.assert_array_equal(train, Data(max_items=100, max_held_out=10).choose(mask, seed=0)[0])
    assert not np.array_equal(train, Data(max_items=100).choose(mask, seed=1)[0])


def test_one_picture_is_too_few():
    with pytest.raises(ConfigError, match="1 of 2 pictures are chosen to train"):
        Data().choose(np.array([True, False]), 0)
