"""Ingest beside bare decoding of the same JPEGs, both on one core.

    .venv/bin/python -m benchmarks.ingest [PICTURES]

Makes 400 x 534 JPEGs (quality 85) from the photos in ../shared/data, then in turn: decodes and shrinks them to 96 px in a
bare loop (simplejpeg at a reduced scale, Pillow's resize), and ingests them, everything included: reading, checksums,
decoding, thumbnails, catalog. Writes benchmarks/results/ingest.json.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from nitari.collection import Collection
from nitari.source.folder import FolderSource
from nitari.steps.ingest import ingest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
SIDE = 96
ROUNDS = 3


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 12000
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        make(pictures, n)
        bare, whole = [], []
        for number in range(ROUNDS):
            bare.append(n / timed(lambda: decode(pictures)))
            collection = Collection(Path(folder) / f"c{number}", "photos")
            source = FolderSource(str(pictures))
            seconds = timed(
                lambda c=collection, s=source: ingest(c, s.listing(), source_name=s.name, sizes=[SIDE], workers=1)
            )
            whole.append(n / seconds)
    result = {
        "pictures": n,
        "bare_pictures_per_second": round(statistics.median(bare)),
        "ingest_pictures_per_second": round(statistics.median(whole)),
        "times_bare": round(statistics.median(b / w for b, w in zip(bare, whole, strict=True)), 2),
        "rounds": {"bare": [round(rate) for rate in bare], "ingest": [round(rate) for rate in whole]},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ingest.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def make(folder: Path, n: int) -> None:
    """n different photos of 400 x 534: seeded crops of the real ones, enlarged."""
    paths = sorted(path for name in ("clothing", "grocery") for path in (DATA / name).rglob("*.jpg"))
    if not paths:
        sys.exit(f"There are no photos under '{DATA}'")
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(n):
        with Image.open(paths[number % len(paths)]) as opened:
            photo = opened.convert("RGB")
        left, top = (int(random.uniform(0, 0.1) * side) for side in photo.size)
        photo = photo.crop((left, top, *photo.size)).resize((400, 534), Image.Resampling.BICUBIC)
        photo.save(folder / f"{number:06d}.jpg", quality=85)


def decode(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        pixels = simplejpeg.decode_jpeg(path.read_bytes(), min_height=SIDE, min_width=SIDE, min_factor=1)
        height, width = pixels.shape[:2]
        size = round(width * SIDE / max(height, width)), round(height * SIDE / max(height, width))
        np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
