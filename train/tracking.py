"""MLflow: where runs are kept, and the few things that are written to them."""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nitari.errors import ConfigError

log = logging.getLogger(__name__)

PARAM_LENGTH = 6000  # MLflow refuses longer ones


class Run:
    """A run of one tracking store, or of none (``run_id`` None: everything is dropped).

    What fails to be logged is warned of and forgotten: a training does not die of its diary. A copy sent to another
    process writes to the same run.
    """

    def __init__(self, uri: str | None, run_id: str | None) -> None:
        self.uri = uri
        self.run_id = run_id

    def log_metrics(self, metrics: Mapping[str, float | None], step: int = 0) -> None:
        """Numbers by name at a step; None and what is not finite are left out."""
        finite = {k: float(v) for k, v in metrics.items() if v is not None and math.isfinite(float(v))}

        def write(client: Any) -> None:
            from mlflow.entities import Metric

            now = int(time.time() * 1000)
            entries = [Metric(_name(key), value, now, step) for key, value in finite.items()]
            for start in range(0, len(entries), 1000):
                client.log_batch(self.run_id, metrics=entries[start : start + 1000])

        self._write("metrics", write)

    def log_artifact(self, path: Path | str, folder: str | None = None) -> None:
        """Copy a file into the run, under ``folder``."""
        self._write(str(path), lambda client: client.log_artifact(self.run_id, str(path), folder))

    def log_figure(self, figure: Any, name: str) -> None:
        """Keep a matplotlib figure under ``name``, e.g. ``curves.png``."""
        self._write(name, lambda client: client.log_figure(self.run_id, figure, name))

    def log_dict(self, values: Mapping[str, Any], name: str) -> None:
        """Keep values as ``name``, a .json or .yaml file."""
        self._write(
            name, lambda client: client.log_dict(self.run_id, json.loads(json.dumps(values, default=str)), name)
        )

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        def write(client: Any) -> None:
            for key, value in tags.items():
                client.set_tag(self.run_id, key, value)

        self._write("tags", write)

    def _write(self, what: str, write: Any) -> None:
        if self.uri is None or self.run_id is None:
            return
        try:
            with quiet():
                write(client(self.uri))
        except Exception as error:
            log.warning("MLflow did not take %s: %s", what, error)


@contextmanager
def start_run(
    tracking_uri: str | None,
    experiment: str,
    run_name: str,
    config: Mapping[str, Any],
    *,
    tags: Mapping[str, Any] | None = None,
    run_id: str | None = None,
) -> Iterator[Run]:
    """A run with its full configuration and the code's revision; finished, failed or killed as the block ends.

    ``tracking_uri`` None logs nothing. ``run_id`` goes on with an earlier run, where the store still has it.
    """
    if tracking_uri is None:
        yield Run(None, None)
        return
    run = Run(tracking_uri, _open(tracking_uri, experiment, run_name, run_id))
    run.set_tags(revision() | dict(tags or {}))
    _log_config(run, config)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        run._write("its end", lambda client: client.set_terminated(run.run_id, status))


@functools.lru_cache(maxsize=4)
def client(uri: str) -> Any:
    """The store's client; makes the directory of a local database. Importing MLflow takes seconds."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if database := local_database(uri):
        database.parent.mkdir(parents=True, exist_ok=True)
    with quiet():
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def local_database(uri: str) -> Path | None:
    """The file of a ``sqlite:///`` store."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def revision() -> dict[str, str]:
    """Tags that say which code ran: nitari's version, and the git commit where it runs from a checkout."""
    tags = {}
    with suppress(PackageNotFoundError):
        tags["nitari.version"] = version("nitari")
    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return tags
    tags["mlflow.source.git.commit"] = commit.stdout.strip()
    tags["code.changed"] = str(bool(changed.stdout.strip())).lower()
    return tags


@contextmanager
def quiet() -> Iterator[None]:
    """MLflow and what it stands on warn of their own deprecations, and announce every table they create."""
    names = ("mlflow", "alembic")
    before = [logging.getLogger(name).level for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            yield
        finally:
            for name, level in zip(names, before, strict=True):
                logging.getLogger(name).setLevel(level)


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        values |= flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return values


def _open(uri: str, experiment: str, run_name: str, run_id: str | None) -> str:
    try:
        store = client(uri)
        with quiet():
            if run_id is not None:
                try:
                    store.update_run(run_id, status="RUNNING")
                    return run_id
                except Exception:
                    log.info("MLflow no longer has run %s: a new one is started", run_id)
            return str(store.create_run(_experiment(store, uri, experiment), run_name=run_name).info.run_id)
    except Exception as error:
        raise ConfigError(
            f"The tracking store '{uri}' cannot be used: {error}. Give another, or log nothing with: tracking=null"
        ) from error


def _experiment(store: Any, uri: str, name: str) -> str:
    """The experiment's id; a local store's artifacts lie beside its database."""
    found = store.get_experiment_by_name(name)
    if found is None:
        database = local_database(uri)
        location = str((database.parent / "artifacts").resolve()) if database else None
        try:
            return str(store.create_experiment(name, artifact_location=location))
        except Exception:  # another process was first
            found = store.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        store.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _log_config(run: Run, config: Mapping[str, Any]) -> None:
    def write(client: Any) -> None:
        from mlflow.entities import Param

        known = client.get_run(run.run_id).data.params
        params = [Param(k, str(v)[:PARAM_LENGTH]) for k, v in flat(config).items() if k not in known]
        for start in range(0, len(params), 100):
            client.log_batch(run.run_id, params=params[start : start + 100])

    run._write("the configuration", write)
    run.log_dict(config, "config.yaml")


def _name(key: str) -> str:
    """MLflow takes letters, digits and a few marks in a metric's name."""
    return "".join(c if c.isalnum() or c in "_-. /:" else "_" for c in key)
