"""Pictures for training: packed once at the network's size into one memory map, whole batches read straight from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as lightning
import torch

from nitari.errors import ConfigError
from nitari.files import sync, write_atomic
from nitari.model.canvas import canvas
from nitari.model.module import Pictures, Training
from nitari.threads import pool

Read = Callable[[Sequence[int]], list[np.ndarray]]
CHUNK = 512  # pictures between two notes of how far packing has come


@dataclass(frozen=True)
class Data:
    """``fit``: how a picture becomes a square (see ``canvas``). ``max_items``: at most so many train, a seeded sample.
    ``max_held_out``: at most so many of the held-out pictures are looked at after each epoch.
    """

    fit: str = "stretch"
    max_items: int | None = 500_000
    max_held_out: int = 2_000

    def choose(self, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """(n_ready,) bool -> ascending rows that train, and rows that are held out."""
        random = np.random.default_rng(seed)
        train = _sample(np.flatnonzero(mask), self.max_items, random)
        held_out = _sample(np.flatnonzero(~mask), self.max_held_out, random)
        if len(train) < 2:
            few = f"{len(train)} of {len(mask):,} pictures are chosen to train"
            raise ConfigError(f"{few}, which is too few. Ingest more, or choose others with where=FILTER")
        return train, held_out


def pack(
    folder: Path,
    key: str,
    rows: np.ndarray,
    read: Read,
    side: int,
    fit: str,
    *,
    threads: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write ``rows``' pictures as (n, side, side, 3) uint8 ``.npy`` under ``folder``; what is already there is kept.

    ``key`` says where the pictures come from; those of another key are removed. Killed, it goes on with the chunk under
    way.
    """
    source = hashlib.sha256(key.encode()).hexdigest()[:8]
    digest = hashlib.sha256(f"{side}/{fit}/".encode() + rows.astype(np.int64).tobytes()).hexdigest()[:16]
    final = folder / f"pictures-{source}-{digest}.npy"
    if final.exists():
        return final
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("pictures-*"):
        if not old.name.startswith(f"pictures-{source}-"):
            old.unlink(missing_ok=True)
    aside, note = final.with_suffix(".partial"), final.with_suffix(".json")
    done = int(json.loads(note.read_text())["done"]) if aside.exists() and note.exists() else 0
    shape = (len(rows), side, side, 3)
    packed = np.lib.format.open_memmap(
        aside, mode="r+" if done else "w+", dtype=None if done else np.uint8, shape=shape
    )

    def write(start: int) -> None:
        part = slice(start, min(start + CHUNK, len(rows)))
        packed[part] = canvas(read(rows[part].tolist()), side, fit)

    with pool(threads) as workers:
        for first in range(done, len(rows), CHUNK * threads):
            list(workers.map(write, range(first, min(first + CHUNK * threads, len(rows)), CHUNK)))
            packed.flush()
            done = min(first + CHUNK * threads, len(rows))
            write_atomic(note, json.dumps({"done": done}))
            progress(done, len(rows))
    sync(aside)
    aside.replace(final)
    note.unlink(missing_ok=True)
    return final


class Batches:
    """Batches of one pass, (n, side, side, 3) uint8 tensors, by one indexing each; with ``beside``, pairs of them and its rows.

    The order follows from (seed, epoch). ``skip`` leaves out what an interrupted pass had done. Each of ``world``
    processes gets its own share of every batch; all get the same number of batches.
    """

    def __init__(
        self,
        pictures: np.ndarray,
        positions: np.ndarray,
        size: int,
        *,
        seed: int | None = None,
        epoch: int = 0,
        skip: int = 0,
        stop: int | None = None,
        rank: int = 0,
        world: int = 1,
        beside: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.beside = dict(beside or {})
        self.pictures, self.positions, self.size = pictures, positions, size
        self.seed, self.epoch, self.skip = seed, epoch, skip
        self.rank, self.world = rank, world
        self.stop = passes(len(positions), size, world, whole=seed is not None) if stop is None else stop

    def __len__(self) -> int:
        return max(self.stop - self.skip, 0)

    def __iter__(self) -> Iterator[Pictures]:
        order = self.positions
        if self.seed is not None:
            order = order[np.random.default_rng((self.seed, self.epoch)).permutation(len(order))]
        together = self.size * self.world
        for number in range(self.skip, self.stop):
            all_of_it = order[number * together : (number + 1) * together]
            share = all_of_it[self.rank :: self.world]
            chosen = share if len(share) else all_of_it
            pictures = torch.from_numpy(self.pictures[chosen])
            more = {name: torch.from_numpy(values[chosen]) for name, values in self.beside.items()}
            yield (pictures, more) if more else pictures


def passes(n: int, size: int, world: int = 1, *, whole: bool = True) -> int:
    """Batches in one pass: whole ones only in training (at least one), every picture otherwise."""
    together = size * world
    return max(1, n // together) if whole else -(-n // together)


class Packed(lightning.LightningDataModule):
    """The packed file's pictures; positions in it that train and that are held out; ``beside``: more rows of each. ``module`` says how far training is."""

    module: Training

    def __init__(
        self,
        path: Path,
        train: np.ndarray,
        held_out: np.ndarray,
        batch: int,
        seed: int,
        beside: Mapping[str, np.ndarray] | None = None,
        fit: str = "stretch",
    ) -> None:
        super().__init__()
        self.beside = dict(beside or {})
        self.fit = fit
        self.path, self.train, self.held_out = path, train, held_out
        self.batch, self.seed = batch, seed

    @property
    def pictures(self) -> np.ndarray:
        """(n, side, side, 3) uint8, opened anew in each process."""
        return np.load(self.path, mmap_mode="r", allow_pickle=False)

    def train_dataloader(self) -> Batches:
        world, rank = self._world()
        steps = self.module.steps_per_epoch
        epoch, skip = divmod(self.module.done, steps)
        stop = min(steps, self.module.total - epoch * steps)
        return Batches(
            self.pictures,
            self.train,
            self.batch,
            seed=self.seed,
            epoch=epoch,
            skip=skip,
            stop=stop,
            rank=rank,
            world=world,
            beside=self.beside,
        )

    def val_dataloader(self) -> Batches:
        world, rank = self._world()
        return Batches(self.pictures, self.held_out, 4 * self.batch, rank=rank, world=world, beside=self.beside)

    def _world(self) -> tuple[int, int]:
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)


def _sample(rows: np.ndarray, most: int | None, random: np.random.Generator) -> np.ndarray:
    return rows if most is None or len(rows) <= most else np.sort(random.choice(rows, most, replace=False))
