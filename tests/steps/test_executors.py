"""Extract and annotate by an executor with workers elsewhere, here played by processes of this machine."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.annotator.quality import QualityAnnotator
from nitari.artifact import Artifact
from nitari.catalog import COLUMNS
from nitari.collection import Collection
from nitari.embeddings import FILE
from nitari.executor import Result, Shard
from nitari.executor.local import Local
from nitari.extractor.pixels import PixelsExtractor
from nitari.steps.annotate import annotate
from nitari.steps.extract import extract

N = 40
PIXELS = PixelsExtractor(size=8)


class Elsewhere(Local):
    """Raises once it has given ``limit`` results; counts the shards it is asked for."""

    here = False

    def __init__(self, limit: int | None = None) -> None:
        super().__init__(1)
        self.limit = limit
        self.asked: list[int] = []

    def run(self, task: str, shards: Sequence[Shard], **how: Any) -> Iterator[Result]:
        self.asked.append(len(shards))
        for given, result in enumerate(super().run(task, shards, **how)):
            if given == self.limit:
                raise KeyboardInterrupt
            yield result


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory,
    make_pictures: Callable[..., list[Path]],
    ingest_folder: Callable[..., Artifact],
) -> Path:
    root = tmp_path_factory.mktemp("template")
    make_pictures(root / "pictures", N)
    ingest_folder(Collection(root, "shoes"), root / "pictures")
    return root


@pytest.fixture
def collection(tmp_path: Path, template: Path) -> Collection:
    shutil.copytree(template, tmp_path / "one")
    return Collection(tmp_path / "one", "shoes")


@pytest.fixture
def other(tmp_path: Path, template: Path) -> Collection:
    shutil.copytree(template, tmp_path / "other")
    return Collection(tmp_path / "other", "shoes")


def files(artifact: Artifact) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in artifact.manifest.files.items()}


@pytest.mark.parametrize("postprocess", [None, {"pca": 4}])
def test_vectors_are_as_threads_make_them(collection: Collection, other: Collection, postprocess: Any) -> None:
    elsewhere = extract(collection, PIXELS, postprocess=postprocess, shard=16, executor=Elsewhere())
    here = extract(other, PIXELS, postprocess=postprocess, shard=16, executor=Local(1))
    assert files(elsewhere) == files(here)
    assert FILE in files(here)


def test_columns_are_as_threads_make_them(collection: Collection, other: Collection) -> None:
    elsewhere = annotate(collection, QualityAnnotator(), shard=16, executor=Elsewhere())
    here = annotate(other, QualityAnnotator(), shard=16)
    assert files(elsewhere) == files(here)
    assert COLUMNS in files(here)


def test_a_killed_run_goes_on_and_takes_up_what_workers_left(collection: Collection) -> None:
    expected = extract(collection, PixelsExtractor(size=8, name="undisturbed"), shard=8)
    killed, again = Elsewhere(limit=2), Elsewhere()
    with pytest.raises(KeyboardInterrupt):
        extract(collection, PIXELS, shard=8, executor=killed)
    made = extract(collection, PIXELS, shard=8, executor=again)
    assert killed.asked == [5]
    assert again.asked[0] <= 2  # two were taken, a third was left behind
    assert files(made)[FILE] == files(expected)[FILE]
    assert not list((collection.path / "work").glob("extract-*"))


def test_what_is_not_finite_is_said(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from nitari.steps import extract_shard

    class Odd(PixelsExtractor):
        def extract(self, images: Any) -> np.ndarray:
            return np.full((len(images), self.space.dim), np.nan, np.float32)

    class Inside(Elsewhere):
        def run(self, task: str, shards: Sequence[Shard], **how: Any) -> Iterator[Result]:
            monkeypatch.setattr(extract_shard, "create", lambda spec: Odd(size=8))
            for number, shard in enumerate(shards):
                yield Result(number, extract_shard.work(dict(shard.payload), lambda step: None, {}))

    made = extract(collection, PixelsExtractor(size=8, name="odd"), executor=Inside())
    assert made.manifest.counts["zero"] == N
    assert "40 pictures got vectors that are not finite" in caplog.text
