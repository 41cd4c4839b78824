import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.extractor.colour import ColourExtractor
from nitari.extractor.pixels import PixelsExtractor
from nitari.extractor.random import RandomExtractor
from nitari.steps.extract import extract

N = 48
KINDS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200)}


def paint(folder: Path) -> None:
    """``N`` pictures of three kinds, named after their colour; one has an exact duplicate, one stands alone."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(N - 2):
        kind = list(KINDS)[i % 3]
        noise = random.normal(0, 25, (5, 6, 3))
        small = np.clip(np.array(KINDS[kind]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(small).resize((120, 100), Image.Resampling.BICUBIC).save(
            folder / f"{kind}-{i:02d}.jpg", quality=95
        )
    shutil.copy(folder / "red-00.jpg", folder / "red-copy.jpg")
    Image.new("RGB", (100, 100), (250, 250, 250)).save(folder / "white-00.png")


def columns(name: str) -> dict[str, str | None]:
    kind, number = Path(name).stem.split("-")
    return {"kind": None if number == "03" else kind, "split": "validation" if number.endswith(("0", "5")) else "train"}


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory, ingest_folder: Callable[..., Artifact]) -> Collection:
    """Ingested and extracted as pixels, colour and random; do not change it."""
    root = tmp_path_factory.mktemp("painted")
    paint(root / "pictures")
    collection = Collection(root, "painted")
    ingest_folder(collection, root / "pictures", columns)
    for extractor in (PixelsExtractor(postprocess={"pca": 16}), ColourExtractor(), RandomExtractor()):
        extract(collection, extractor, threads=1)
    return collection
