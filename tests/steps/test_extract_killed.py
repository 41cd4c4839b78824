"""Killed by SIGKILL at random moments, extract ends with the vectors that an undisturbed run gives."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.extractor.pixels import PixelsExtractor
from nitari.steps.extract import extract

N = 120
SCRIPT = """
import sys, time
from nitari.collection import Collection
from nitari.extractor.pixels import PixelsExtractor
from nitari.steps import extract as step, shards

class Slow(PixelsExtractor):
    def extract(self, images):
        time.sleep(0.004 * len(images))
        return super().extract(images)

shards.FLUSH = 0.02
print("ready", flush=True)
step.extract(Collection(sys.argv[1], "shoes"), Slow(size=8), postprocess={"pca": 8}, threads=2, shard=4)
"""


@pytest.mark.slow
def test_killed_at_random_moments(
    tmp_path: Path, make_pictures: Callable[..., list[Path]], ingest_folder: Callable[..., Artifact]
):
    make_pictures(tmp_path / "pictures", N)
    collection = Collection(tmp_path, "shoes")
    ingest_folder(collection, tmp_path / "pictures")
    random = np.random.default_rng(0)
    killed = 0
    for _ in range(8):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0.05, 0.3))
            process.kill()
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0
            break
        killed += 1
        for artifact_id in collection.ids("embeddings", "pixels"):  # published means whole
            collection.open("embeddings", artifact_id, "pixels").verify()
    assert killed >= 2
    artifact = extract(collection, PixelsExtractor(size=8), postprocess={"pca": 8}, shard=4)
    expected = extract(collection, PixelsExtractor(size=8, name="undisturbed"), postprocess={"pca": 8}, shard=4)
    np.testing.assert_array_equal(Embeddings(artifact).vectors, Embeddings(expected).vectors)
    assert not list((collection.path / "work").glob("extract-*"))
