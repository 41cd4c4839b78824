"""The jobs sweep and compare as a user runs them."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nitari.artifact import Artifact
from nitari.cli import main
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.train.sweep import combinations

SMALL = [
    "model.size=16",
    "model.stride=2",
    "model.widths=[8,12]",
    "model.top=16",
    "model.reduced=8",
    "model.decoder=8",
    "trainer.epochs=1",
    "trainer.batch=16",
    "trainer.threads=1",
    "trainer.accelerator=cpu",
    "workers=1",
    "tracking=null",
    "protocol.max_queries=4",
    "protocol.throughput_items=16",
    "protocol.resamples=50",
]


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory,
    make_pictures: Callable[..., list[Path]],
    ingest_folder: Callable[..., Artifact],
) -> Path:
    root = tmp_path_factory.mktemp("sweep")
    make_pictures(root / "pictures", 40, size=(40, 30))
    ingest_folder(Collection(root, "shoes"), root / "pictures")
    return root


@pytest.fixture(scope="module")
def swept(root: Path) -> list[str]:
    """The ids of the encoders that a sweep over two code sizes trained."""
    assert main(["sweep", "collection=shoes", f"root={root}", "model.dim=6,12", *SMALL]) == 0
    return Collection(root, "shoes").ids("encoder")


def test_values_are_combined(root: Path):
    words = combinations(["collection=shoes", "+experiment=plain,agree", "model.dim=6,12", "where='a in (1,2)'"])
    assert [each[1:3] for each in words] == [
        ["+experiment=plain", "model.dim=6"],
        ["+experiment=plain", "model.dim=12"],
        ["+experiment=agree", "model.dim=6"],
        ["+experiment=agree", "model.dim=12"],
    ]
    assert all(each[3] == "where='a in (1,2)'" for each in words)
    with pytest.raises(ConfigError, match=r"model\.dim=64,128"):
        combinations(["collection=shoes"])


def test_a_sweep_ends_in_one_table_and_the_winner_is_the_newest(
    root: Path, swept: list[str], capfd: pytest.CaptureFixture[str]
):
    collection = Collection(root, "shoes")
    words = ["sweep", "collection=shoes", f"root={root}", "model.dim=6,12", *SMALL, "format=json"]
    assert main(words) == 0
    result = json.loads(capfd.readouterr().out)
    assert [row["settings"] for row in sorted(result["table"], key=lambda row: row["settings"])] == [
        "model.dim=12",
        "model.dim=6",
    ]
    values = [row["copy_recall_at_1"] for row in result["table"]]
    assert values == sorted(values, reverse=True)
    assert len(pd.read_csv(result["file"])) == 2
    recipe = collection.open("encoder", result["best"]).manifest.info["recipe"]
    assert collection.latest("encoder").manifest.info["recipe"] == recipe
    trained = {collection.open("encoder", each).manifest.info["recipe"]["model"]["dim"] for each in swept}
    assert trained == {6, 12}
    assert len(collection.ids("encoder")) <= 4, "recipes that were trained are not trained again"
    assert collection.latest("encoder").id == result["newest"]


def test_a_sweep_refuses_ddp_and_says_why(root: Path, capfd: pytest.CaptureFixture[str]):
    words = ["sweep", "collection=shoes", f"root={root}", "model.dim=6,12", "trainer.strategy=ddp", *SMALL]
    with pytest.raises(SystemExit):
        main(words)
    assert "DDP would start the whole sweep once a device" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.dim=6,12", "by=speed"], "by is 'speed', which is not measured here. Choose one of: copy_recall_at_1"),
        (["labels=kind,other"], "give settings of fit several values"),
        (["model.dim=6", "where=width>2"], "There is one combination only"),
    ],
)
def test_what_cannot_be_swept_is_said_before_training(
    words: list[str], said: str, root: Path, capfd: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main(["sweep", "collection=shoes", f"root={root}", *words, *SMALL])
    assert said in capfd.readouterr().err


def test_two_encoders_are_compared_on_the_same_queries(root: Path, swept: list[str], capfd: pytest.CaptureFixture[str]):
    settings = [word for word in SMALL if word.startswith(("workers", "tracking", "protocol"))]
    words = ["compare", "collection=shoes", f"root={root}", f"a={swept[0]}", "b=hog", *settings]
    assert main([*words, "format=json"]) == 0
    result = json.loads(capfd.readouterr().out)
    name = f"encoder-{swept[0][-6:]}"
    assert list(result["spaces"]) == [name, "hog"]
    assert 0 <= result["overlap_at_10"]["hog"] <= 1
    assert Path(result["files"]["disagreement.jpg"]).is_file()
    assert main(words) == 0
    assert f"{name} against hog, on the same queries" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("a", "b", "said"), [("hog", "hog", "are both 'hog'"), ("hog", "none", "'none' is no encoder")]
)
def test_what_cannot_be_compared_is_said(a: str, b: str, said: str, root: Path, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["compare", "collection=shoes", f"root={root}", f"a={a}", f"b={b}", "tracking=null"])
    assert said in capfd.readouterr().err


def test_a_sweep_that_is_interrupted_leaves_the_newest_encoder_as_it_was(
    root: Path, swept: list[str], monkeypatch: pytest.MonkeyPatch
):
    collection = Collection(root, "shoes")
    before = collection.latest("encoder")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nitari.train.evaluate.measured", interrupted)
    main(["sweep", "collection=shoes", f"root={root}", "model.dim=6,8", *SMALL])
    newest = collection.latest("encoder")
    assert len(collection.ids("encoder")) > len(swept)
    assert newest.manifest.info["recipe"] == before.manifest.info["recipe"]
