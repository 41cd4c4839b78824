"""Trains an encoder on a collection's own pictures, and publishes it.

    nitari fit collection=shoes
    nitari fit collection=shoes where="category='bag' and width>=200"
    nitari fit collection=shoes trainer.epochs=80 model.size=96
    nitari fit collection=shoes model=vgg model.depth=16 trainer.lr=0.0005
    nitari fit collection=shoes experiment=plain

Killed at any moment, the same command goes on at the same step. `mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db`
shows the learning curves, the reconstructions and the registered encoder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

from nitari.collection import Collection
from nitari.steps.encoder import RECONSTRUCTIONS, Encode
from nitari.steps.fit import HISTORY, Fitted, finished, fit, work
from nitari.steps.recipe import Recipe

from .job import instantiate, job, plain
from .progress import Progress, clock
from .registry import register
from .tracking import Run, start_run


def run(cfg: DictConfig) -> dict[str, Any]:
    collection = Collection.existing(cfg.root, cfg.collection)
    recipe = recipe_of(cfg)
    start = time.monotonic()
    fitted = finished(collection, recipe)
    reused = fitted is not None
    if fitted is None:
        fitted = _fit(cfg, collection, recipe)
    manifest = fitted.artifact.manifest
    return {
        "collection": collection.name,
        "encoder": fitted.artifact.id,
        "reused": reused,
        "ended_by": None if reused else _ended_by(cfg.trainer, manifest.counts["steps"]),
        "counts": manifest.counts,
        "where": manifest.info["where"],
        "side": manifest.info["side"],
        "dim": manifest.info["out_dim"],
        "metrics": kept(fitted),
        "mlflow_run": manifest.mlflow_run,
        "seconds": round(time.monotonic() - start, 2),
    }


def _ended_by(trainer: DictConfig, steps: int) -> str | None:
    """The setting that ended a training before the steps that were asked for."""
    asked, minutes = trainer.get("max_steps"), trainer.get("max_minutes")
    return f"trainer.max_minutes={minutes:g}" if asked and minutes and steps < asked else None


def kept(fitted: Fitted) -> dict[str, float]:
    """The numbers of the epoch whose weights were published."""
    epoch = (fitted.artifact.manifest.info.get("kept") or {}).get("epoch")
    rows = [row for row in fitted.history if epoch is None or row["epoch"] == epoch]
    return rows[-1] if rows else {}


def recipe_of(cfg: DictConfig) -> Recipe:
    return Recipe(
        model=plain(cfg.model),
        objective=plain(cfg.objective),
        augment=instantiate(cfg.augment),
        data=instantiate(cfg.data),
        trainer=instantiate(cfg.trainer),
        encode=Encode(**plain(cfg.encode)),
        where=cfg.where,
        seed=cfg.seed,
    )


def show(result: Mapping[str, Any]) -> str:
    counts, metrics = result["counts"], result["metrics"]
    chosen = f"where {result['where']}" if result["where"] else "all but one in twenty"
    lines = [
        f"encoders/{result['encoder']}: {result['side']} px -> {result['dim']} numbers, trained on {counts['train']:,} "
        f"pictures ({chosen}), {counts['held_out']:,} held out"
    ]
    if result["reused"]:
        lines.append("It was there already: the same settings on the same catalog give the same encoder.")
    elif metrics:
        found = ", ".join(f"{name} {metrics[name]:.3f}" for name in ("val_loss", "val_copy_recall") if name in metrics)
        why = f", ended by {result['ended_by']}" if result["ended_by"] else ""
        lines.append(f"{counts['steps']:,} steps in {clock(result['seconds'])}{why}{', ' + found if found else ''}")
    if result["mlflow_run"]:
        lines.append(f"MLflow run {result['mlflow_run']}")
    return "\n".join(lines)


def _fit(cfg: DictConfig, collection: Collection, recipe: Recipe) -> Fitted:
    settings = plain(cfg)
    catalog = collection.latest("catalog")
    tags = {"job": "fit", "collection": collection.name, "catalog": catalog.id, "data.digest": catalog.manifest.digest}
    note = work(collection, recipe) / "mlflow-run"
    earlier = note.read_text(encoding="utf-8") if note.exists() else None
    with start_run(
        cfg.tracking, cfg.collection, f"fit {cfg.collection}", settings, tags=tags, run_id=earlier
    ) as tracked:
        if tracked.run_id:
            note.write_text(tracked.run_id, encoding="utf-8")
        fitted = fit(
            collection,
            recipe,
            threads=cfg.workers or os.cpu_count() or 1,
            config=settings,
            progress=Progress,
            log=tracked.log_metrics,
            mlflow_run=tracked.run_id,
        )
        if tracked.run_id:
            _log(tracked, fitted, f"{collection.name}-encoder")
    return fitted


def _log(run: Run, fitted: Fitted, name: str) -> None:
    artifact = fitted.artifact
    run.set_tags({"encoder": artifact.id})
    if RECONSTRUCTIONS in artifact.manifest.files:
        run.log_artifact(artifact.path / RECONSTRUCTIONS)
    run.log_artifact(artifact.path / HISTORY)
    run.log_figure(curves(fitted.history), "curves.png")
    register(run, artifact, name)


def curves(history: Sequence[Mapping[str, float]]) -> Any:
    """A figure of every value that both training and validation log, by step."""
    from matplotlib.figure import Figure

    names = [name.removeprefix("val_") for name in (history[-1] if history else {}) if name.startswith("val_")]
    names = names or [
        name.removeprefix("train_") for name in (history[-1] if history else {}) if name.startswith("train_")
    ]
    figure = Figure(figsize=(4 * max(len(names), 1), 3), layout="constrained")
    axes = figure.subplots(1, max(len(names), 1), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=False):
        for part, colour in (("train", "tab:blue"), ("val", "tab:orange")):
            points = [(row["step"], row[f"{part}_{name}"]) for row in history if f"{part}_{name}" in row]
            if points:
                axis.plot(*zip(*points, strict=True), color=colour, label="training" if part == "train" else "held out")
        axis.set(title=name.replace("_", " "), xlabel="step")
        axis.legend(frameon=False)
    return figure


main = job("fit", run, show)
