import logging
import pickle
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from nitari.errors import ConfigError
from nitari.train import tracking
from nitari.train.tracking import Run, client, flat, revision, start_run

CONFIG = {"seed": 3, "model": {"size": 16, "widths": [1, 2]}, "empty": {}, "long": "x" * 9000, "none": None}


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('tracking') / 'mlruns' / 'mlflow.db'}"


def test_a_run_keeps_settings_code_numbers_and_files(uri: str, tmp_path: Path):
    (tmp_path / "note.txt").write_text("hello")
    with start_run(uri, "shoes", "fit shoes", CONFIG, tags={"job": "fit"}) as run:
        run.log_metrics({"val_loss": 2.0, "absent": None, "wrong": float("nan")}, 1)
        run.log_metrics({"val_loss": 1.5, "recall@10 (mean)": 0.5}, 2)
        run.log_artifact(tmp_path / "note.txt")
        run.log_figure(Figure(), "curves.png")
    store = client(uri)
    kept = store.get_run(run.run_id)
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == "fit shoes"
    assert store.get_experiment(kept.info.experiment_id).name == "shoes"
    assert kept.data.params["model.widths"] == "[1, 2]"
    assert len(kept.data.params["long"]) == tracking.PARAM_LENGTH
    assert kept.data.tags["job"] == "fit"
    assert kept.data.tags["nitari.version"]
    assert kept.data.metrics == {"val_loss": 1.5, "recall_10 _mean_": 0.5}
    assert [m.value for m in store.get_metric_history(run.run_id, "val_loss")] == [2.0, 1.5]
    assert {f.path for f in store.list_artifacts(run.run_id)} == {"config.yaml", "curves.png", "note.txt"}
    database = tracking.local_database(uri)
    assert database is not None
    assert str(database.parent / "artifacts") in kept.info.artifact_uri


def test_a_failed_run_says_so_and_an_interrupted_one_too(uri: str):
    with pytest.raises(ValueError), start_run(uri, "shoes", "a", {}) as failed:
        raise ValueError
    with pytest.raises(KeyboardInterrupt), start_run(uri, "shoes", "b", {}) as killed:
        raise KeyboardInterrupt
    assert [client(uri).get_run(r.run_id).info.status for r in (failed, killed)] == ["FAILED", "KILLED"]


def test_an_earlier_run_is_gone_on_with(uri: str):
    with start_run(uri, "shoes", "a", {"seed": 1}) as first:
        first.log_metrics({"x": 1}, 0)
    with start_run(uri, "shoes", "a", {"seed": 1}, run_id=first.run_id) as again:
        again.log_metrics({"x": 2}, 1)
    assert again.run_id == first.run_id
    assert client(uri).get_run(first.run_id).data.metrics == {"x": 2}
    with start_run(uri, "shoes", "a", {}, run_id="0" * 32) as other:
        assert other.run_id not in (None, "0" * 32)


def test_another_process_writes_to_the_same_run(uri: str):
    with start_run(uri, "shoes", "a", {}) as run:
        pickle.loads(pickle.dumps(run)).log_metrics({"x": 1}, 0)
    assert client(uri).get_run(run.run_id).data.metrics == {"x": 1}


def test_without_a_store_nothing_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with start_run(None, "shoes", "a", CONFIG) as run:
        run.log_metrics({"x": 1}, 0)
        run.log_artifact(tmp_path / "absent")
        run.log_figure(Figure(), "x.png")
    assert run.run_id is None
    assert not list(tmp_path.iterdir())


def test_what_is_not_taken_is_warned_of_and_forgotten(uri: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        Run(uri, "0" * 32).log_metrics({"x": 1}, 0)
        Run(uri, "0" * 32).log_artifact("absent.txt")
    assert len([r for r in caplog.records if "MLflow did not take" in r.message]) == 2


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path):
    (tmp_path / "mlflow.db").write_text("this is no database")
    with (
        pytest.raises(ConfigError, match="tracking=null"),
        start_run(f"sqlite:///{tmp_path / 'mlflow.db'}", "a", "b", {}),
    ):
        pass


def test_settings_are_flattened_and_the_code_is_named():
    assert flat({"a": {"b": {"c": 1}}, "d": [1], "e": {}}) == {"a.b.c": 1, "d": [1], "e": {}}
    assert set(revision()) <= {"nitari.version", "mlflow.source.git.commit", "code.changed"}
