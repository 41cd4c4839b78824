"""``nitari evaluate feedback=…``: what people did, measured and logged as every evaluation is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from nitari.collection import Collection
from nitari.evaluation.feedback import evaluate_feedback, table
from nitari.evaluation.protocols import Settings, results
from nitari.evaluation.report import RESULTS

from .job import plain
from .progress import Progress
from .tracking import start_run


def run(cfg: DictConfig, collection: Collection) -> dict[str, Any]:
    settings = Settings(**plain(cfg.protocol))
    tags = {"job": "evaluate feedback", "collection": collection.name, "release": collection.current or "none"}
    name = f"evaluate feedback {collection.name}"
    with start_run(cfg.tracking, collection.name, name, plain(cfg), tags=tags) as tracked:
        artifact = evaluate_feedback(
            collection,
            None if cfg.feedback is True else Path(str(cfg.feedback)),
            max_queries=settings.max_queries,
            seed=cfg.seed,
            resamples=settings.resamples,
            mlflow_run=tracked.run_id,
            progress=Progress("replay", "queries"),
        )
        found = results(artifact)
        tracked.set_tags({"evaluation": artifact.id})
        tracked.log_metrics(_metrics(found))
        for file in artifact.manifest.files:
            tracked.log_artifact(artifact.path / file)
    files = {file: str(artifact.path / file) for file in artifact.manifest.files}
    return {**found, "evaluation": artifact.id, "mlflow_run": tracked.run_id, "files": files}


def show(result: Mapping[str, Any]) -> str:
    lines = [table(result), "", f"All figures: {result['files'][RESULTS]}"]
    return "\n".join(lines + ([f"MLflow run {result['mlflow_run']}"] if result["mlflow_run"] else []))


def _metrics(found: Mapping[str, Any]) -> dict[str, float | None]:
    metrics: dict[str, float | None] = {name: float(found[name]) for name in ("events", "queries", "sessions")}
    for arm, of in found["arms"].items():
        if of["click_through"]:
            metrics[f"click_through/{arm}"] = of["click_through"]["value"]
    for one in found["compared"]:
        for bound in ("value", "low", "high"):
            name = "preference" if bound == "value" else f"preference_{bound}"
            metrics[f"{name}/{one['preferred']}"] = one["preference"][bound]
    if found["replay"]:
        metrics["clicked_recall_at_10"] = found["replay"]["recall_at_10"]["value"]
    return metrics
