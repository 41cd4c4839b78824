import json
import subprocess
import sys

import pytest

from nitari.cli import main as nitari
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.serve import release
from nitari.steps.build import build

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "shoes")
    space_of(collection, catalog_of(collection, 40), "encoder")
    build(collection, EXACT)
    build(collection, EXACT, weights={"encoder": 2}, switch=False)
    return collection


@pytest.fixture
def ask(collection, capsys):
    """``ask(*words)`` -> status and what was printed."""

    def run(*words):
        given = [word for word in words if "=" not in word], [word for word in words if "=" in word]
        status = release.main([*given[0], f"root={collection.path.parent}", "collection=shoes", *given[1]])
        return status, capsys.readouterr().out

    return run


def test_release_rollback_and_list(ask, collection):
    old, new = collection.ids("release")
    status, text = ask("queries=20")
    assert status == 0
    assert f"{new} is current now; before it was {old}" in text
    assert "overlap at 10" in text
    assert "ann_recall_at_10 encoder" in text
    assert "nitari release rollback collection=shoes" in text
    listed = ask("list")[1].splitlines()
    assert listed[1].split()[0] == new
    assert listed[1].endswith("current")
    assert listed[2].endswith("rollback goes here")
    status, text = ask("rollback")
    assert (status, collection.current) == (0, old)
    assert f"before it was {new}" in text
    assert f"nitari release create collection=shoes root={collection.path.parent} release={new}" in text
    assert "already" in ask("rollback", f"release={old}")[1]
    assert "current one already" in ask("create", f"release={old}")[1]


def test_a_refused_release_has_another_status(ask, collection, space_of):
    space_of(collection, collection.latest("catalog"), "encoder", seed=9)
    build(collection, EXACT, switch=False)
    before = collection.current
    status, text = ask("overlap=.9")
    assert status == 1
    assert "Refused: overlap at 10 is" in text
    assert f"Current is still {before}" in text
    assert "refused" in ask("list")[1]
    assert ask("overlap=.9", "force=true")[0] == 0
    assert collection.current != before


def test_verify_names_damage(ask, collection):
    status, text = ask("verify")
    assert (status, text.splitlines()[-1]) == (0, "All is well.")
    (collection.pinned(collection.release(), "embeddings:encoder").path / "vectors.npy").unlink()
    status, text = ask("verify", "full=true")
    assert (status, text.splitlines()[-1]) == (1, "Problems: 1")
    assert "vectors.npy" in text
    assert "nitari extract collection=shoes" in text


@pytest.mark.parametrize("verb", ["create", "verify", "rollback"])
def test_a_release_that_is_not_there_is_told_with_where_to_look(ask, verb):
    with pytest.raises(ArtifactError, match=r"no release '2026'.*nitari release list collection=shoes"):
        ask(verb, "release=2026")


@pytest.mark.parametrize("verb", ["create", "list", "verify", "rollback"])
def test_json_is_one_document(ask, collection, verb):
    if verb == "rollback":
        ask("create")
    status, text = ask(verb, "format=json")
    assert status == 0
    assert json.loads(text)["collection"] == "shoes"


def test_nothing_was_built_yet(tmp_path, capsys):
    (tmp_path / "bags").mkdir()
    assert release.main(["list", f"root={tmp_path}", "collection=bags"]) == 0
    assert "Run: nitari build collection=bags" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lst"], "does not know 'lst'. Did you mean 'list'"),
        (["xyz"], "There are: create"),
        (["list", "release=a"], "nitari release list has no setting 'release'"),
        (["verify", "full=maybe"], "full is 'maybe'"),
        (["create", "recall=2"], "recall is 2"),
    ],
)
def test_what_is_wrong_is_named(ask, words, message):
    with pytest.raises(ConfigError, match=message):
        ask(*words)


def test_help_shows_every_setting(capsys):
    assert nitari(["release", "--help"]) == 0
    text = capsys.readouterr().out
    for key in release.SETTINGS:
        assert f"\n    {key}  " in text, key


def test_needs_no_training_stack(collection):
    code = (
        "import sys; from nitari.cli import main; status = main(sys.argv[1:])\n"
        "heavy = [m for m in ('torch', 'pandas', 'mlflow', 'hydra', 'sklearn') if m in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    words = [sys.executable, "-c", code, "release", f"root={collection.path.parent}", "collection=shoes", "format=json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["switched"]
