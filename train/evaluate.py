"""Measures how well spaces retrieve, the trained encoder beside simple baselines, with and without labels.

    nitari evaluate collection=shoes
    nitari evaluate collection=shoes labels=category
    nitari evaluate collection=shoes labels=label queries=split=validation gallery=split=train
    nitari evaluate collection=shoes spaces=[encoder,pixels] format=json
    nitari evaluate collection=shoes feedback=true
    nitari evaluate collection=shoes labels=category spaces=[encoder] 'settings={mix: {weights: {encoder: 1, hog: .5}}}'

With feedback, what people did is measured instead: clicks by release, and which of two interleaved releases they prefer.
Without labels, distorted copies of pictures that never trained look for their originals. Spaces that are missing or
stale are extracted first. Those that this makes are there to compare with: no build takes them unless it names them, or
until they are extracted for themselves, as nitari extract extractor=hog does without computing them again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.evaluation import report, sheets
from nitari.evaluation.protocols import Settings, evaluate, results
from nitari.steps.extract import renew

from . import choices, extract, feedback
from .job import job, plain
from .progress import Progress
from .tracking import start_run

BASELINES = ("pixels", "colour", "hog", "random")


def run(cfg: DictConfig) -> dict[str, Any]:
    collection = Collection.existing(cfg.root, cfg.collection)
    if cfg.feedback:
        return feedback.run(cfg, collection)
    encoder = collection.find("encoder")
    names = plain(cfg.spaces) or (["encoder"] if encoder else []) + list(BASELINES)
    named = [space for given in (plain(cfg.settings) or {}).values() for space in given.get("weights", {})]
    names = list(dict.fromkeys([*names, *named]))
    return measured(cfg, collection, [compared(collection, name, cfg) for name in names])


def measured(
    cfg: DictConfig, collection: Collection, spaces: Sequence[Artifact], name: str = "evaluate"
) -> dict[str, Any]:
    """Evaluate ``spaces`` by ``cfg``, logged as the job ``name``."""
    settings = Settings(**plain(cfg.protocol))
    encoder = collection.find("encoder")
    catalog = collection.latest("catalog")
    tags = {"job": name, "collection": collection.name, "catalog": catalog.id, "data.digest": catalog.manifest.digest}
    if encoder:
        tags |= {"encoder": encoder.id, "fit.run": encoder.manifest.mlflow_run or "none"}
    with start_run(cfg.tracking, cfg.collection, f"{name} {cfg.collection}", plain(cfg), tags=tags) as tracked:
        artifact = evaluate(
            collection,
            spaces,
            labels=cfg.labels,
            queries=cfg.queries,
            gallery=cfg.gallery,
            mixed=plain(cfg.settings),
            settings=settings,
            seed=cfg.seed,
            threads=cfg.workers or os.cpu_count() or 1,
            mlflow_run=tracked.run_id,
            progress=Progress("evaluate copies"),
            comparing=Progress("evaluate ranks"),
        )
        found = results(artifact)
        tracked.set_tags({"evaluation": artifact.id})
        tracked.log_metrics(_metrics(found))
        for file in artifact.manifest.files:
            folder = file.rpartition("/")[0]
            tracked.log_artifact(artifact.path / file, folder or None)
    return {
        **found,
        "evaluation": artifact.id,
        "mlflow_run": tracked.run_id,
        "files": {file: str(artifact.path / file) for file in artifact.manifest.files},
    }


def compared(collection: Collection, name: str, cfg: DictConfig) -> Artifact:
    """Up-to-date embeddings of the space ``name``, made only to compare with where it is new and not the encoder's own."""
    return renewed(collection, name, cfg, compare=name != "encoder")


def renewed(collection: Collection, name: str, cfg: DictConfig, **how: Any) -> Artifact:
    """Up-to-date embeddings of the space ``name``; ``how`` is passed to ``steps.extract``."""
    if name not in collection.spaces() and name not in choices.known("extractor"):
        raise ConfigError(
            f"There is no space '{name}' yet, and no extractor of that name. Choose from: "
            f"{', '.join(choices.known('extractor'))}"
        )
    return renew(
        collection,
        name,
        lambda: extract.make(collection, choices.settings("extractor", name), cfg.seed, cfg.workers),
        threads=cfg.workers,
        seed=cfg.seed,
        progress=Progress(f"extract {name}"),
        **how,
    )


def _metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """Means for the tracking server, ``precision_at_10/encoder``: it draws what shares a prefix together."""
    return {
        f"{metric}/{space}": estimate["value"]
        for space, measured in found["spaces"].items()
        for metric, estimate in measured.items()
        if isinstance(estimate, Mapping) and "value" in estimate
    }


def show(result: Mapping[str, Any]) -> str:
    if "compared" in result:
        return feedback.show(result)
    lines = [report.table(result), "", *report.notes(result), ""]
    looks = (
        (sheets.NEIGHBOURS, "Neighbours to look at"),
        (sheets.WORST, "Its worst queries"),
        (sheets.DISAGREEMENT, f"Where it disagrees with {next(iter(result['overlap_at_10']), '')}"),
        (sheets.MAP, "A map of the collection"),
    )
    lines += [f"{what}: {result['files'][name]}" for name, what in looks if name in result["files"]]
    lines.append(f"All figures: {result['files'][report.RESULTS]}")
    if result["mlflow_run"]:
        lines.append(f"MLflow run {result['mlflow_run']}")
    return "\n".join(lines)


main = job("evaluate", run, show)
