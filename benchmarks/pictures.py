"""Makes as many distinct, real-looking pictures as are asked for, from the photos in ../shared/data.

    .venv/bin/python -m benchmarks.pictures N FOLDER [SEED]

Each is a seeded crop of a photo (a quarter of it to all of it), perhaps mirrored, 96 px on its longer side, its colours,
brightness and contrast changed, and in a third of them a corner of another photo laid over it. They are written as JPEGs
(quality 75, about 3 kB) into tar shards of 10,000, named ``category/number.jpg``. What is there is not made again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from nitari.executor import Shard
from nitari.executor.local import Local
from nitari.images.decode import decode
from nitari.thumbnails import ShardWriter

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIDE, QUALITY, SHARD = 96, 75, 10_000
SOURCE = 200  # px, longer side of the photos in memory


def make(n: int, folder: Path, seed: int = 0, workers: int | None = None) -> float:
    """Write the first ``n`` pictures of a seed under ``folder``; returns the seconds it took."""
    start = time.monotonic()
    names = [(f"{i:05d}", i * SHARD, min(n - i * SHARD, SHARD)) for i in range(-(-n // SHARD))]
    shards = [
        Shard({"path": str(folder / f"pictures-{name}.tar"), "first": first, "count": count, "seed": seed}, count)
        for name, first, count in names
        if not (folder / f"pictures-{name}.tar").exists()
    ]
    for _ in Local(workers).run("benchmarks.pictures:write", shards):
        pass
    return time.monotonic() - start


def write(payload: Mapping[str, Any], beat: Callable[[int], None], blamed: Mapping[int, str]) -> dict[str, Any]:
    """One shard; a task of the executor."""
    photos, categories = sources()
    writer = ShardWriter(Path(payload["path"]))
    for i in range(payload["count"]):
        beat(i)
        number = payload["first"] + i
        rng = np.random.default_rng((payload["seed"], number))
        chosen = int(rng.integers(len(photos)))
        picture = vary(photos[chosen], photos[int(rng.integers(len(photos)))], rng)
        data = simplejpeg.encode_jpeg(picture, quality=QUALITY, colorspace="RGB", colorsubsampling="420")
        writer.add(f"{categories[chosen]}/{number:08d}", data)
    beat(-1)
    writer.close()
    return {}


@lru_cache(maxsize=1)
def sources() -> tuple[list[np.ndarray], list[str]]:
    """Photos of clothes and groceries, at most ``SOURCE`` px, and the category of each."""
    photos, categories = [], []
    for kind in ("clothing", "grocery"):
        for path in sorted((DATA / kind).rglob("*.jpg")):
            photo = Image.fromarray(decode(path.read_bytes(), side=SOURCE).pixels)
            photo.thumbnail((SOURCE, SOURCE))
            photos.append(np.asarray(photo))
            categories.append(_category(path.relative_to(DATA / kind)) if kind == "grocery" else kind)
    return photos, categories


def vary(photo: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 photos -> a picture of ``photo``, mostly."""
    picture = _crop(photo, rng, 0.25, SIDE)
    if rng.random() < 1 / 3:
        small = _crop(other, rng, 0.3, int(rng.integers(SIDE // 4, SIDE // 2)))
        small = small[: picture.shape[0], : picture.shape[1]]
        top = int(rng.integers(picture.shape[0] - small.shape[0] + 1))
        left = int(rng.integers(picture.shape[1] - small.shape[1] + 1))
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    gain = rng.uniform(0.75, 1.25, 3) * rng.uniform(0.85, 1.15)
    table = np.clip((np.arange(256)[:, None] - 128) * rng.uniform(0.8, 1.2) * gain + 128 * gain, 0, 255).astype(
        np.uint8
    )
    return np.ascontiguousarray(np.stack([table[picture[..., c], c] for c in range(3)], axis=-1))


def _crop(photo: np.ndarray, rng: np.random.Generator, least: float, side: int) -> np.ndarray:
    height, width = photo.shape[:2]
    share = np.sqrt(rng.uniform(least, 1.0))
    h, w = max(int(height * share), 1), max(int(width * share * rng.uniform(0.8, 1.0)), 1)
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    scale = side / max(h, w)
    size = max(round(w * scale), 1), max(round(h * scale), 1)
    part = Image.fromarray(photo[top : top + h, left : left + w])
    return np.array(part.resize(size, Image.Resampling.BILINEAR))


def _category(path: Path) -> str:
    """The third part of where a grocery lies, such as Apple; one that lies higher has its folder's name."""
    return path.parts[min(2, len(path.parts) - 2)].lower()


if __name__ == "__main__":
    count, where = int(sys.argv[1]), Path(sys.argv[2])
    where.mkdir(parents=True, exist_ok=True)
    seconds = make(count, where, int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    print(f"{count:,} pictures in {seconds:.0f} s, {count / seconds:,.0f}/s")
