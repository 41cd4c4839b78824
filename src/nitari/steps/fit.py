"""Fit: thumbnails -> a trained encoder, exported, post-processed and published. Goes on where a killed one stopped."""

from __future__ import annotations

import itertools
import json
import logging
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file
from torch import nn

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ConfigError
from nitari.extractor import postprocess
from nitari.extractor.companion import wanted
from nitari.extractor.encoder import WEIGHTS
from nitari.model import create
from nitari.model.data import Packed, pack, passes
from nitari.model.journal import Journal, Log
from nitari.model.module import Training
from nitari.model.trainer import ProcessorThreads, interruptible, quiet, trainer
from nitari.steps import Progress, silent
from nitari.steps.encoder import write
from nitari.steps.holdout import training_mask, training_rule
from nitari.steps.pictures import Pictures
from nitari.steps.recipe import Recipe, trained

logger = logging.getLogger(__name__)

HISTORY = "history.json"
HELD_OUT = "held_out.parquet"


@dataclass(frozen=True)
class Fitted:
    """``history``: one row an epoch, see ``model.journal.Journal``."""

    artifact: Artifact
    history: list[dict[str, float]]


def work(collection: Collection, recipe: Recipe) -> Path:
    """Where this recipe's unfinished training lives; what follows the network may change without training anew."""
    return collection.work("fit", {name: value for name, value in recipe.key(collection).items() if name != "encode"})


def finished(collection: Collection, recipe: Recipe) -> Fitted | None:
    """The newest encoder, if it is what this recipe makes."""
    artifact = collection.find("encoder")
    if artifact is None or artifact.manifest.info.get("recipe") != recipe.key(collection):
        return None
    return Fitted(artifact, json.loads(artifact.file(HISTORY).read_text(encoding="utf-8")))


def fit(
    collection: Collection,
    recipe: Recipe,
    *,
    threads: int = 2,
    config: Mapping[str, Any] | None = None,
    progress: Callable[[str], Progress] = lambda label: silent,
    log: Log | None = None,
    mlflow_run: str | None = None,
) -> Fitted:
    """Train on the pictures that ``recipe.where`` chooses (see ``steps.holdout``) and publish an ``encoder``.

    ``log`` gets each epoch's numbers. One process at a time fits a collection. Where an encoder is there that was trained
    alike, and only what follows the network differs, its weights are taken.
    """
    with collection.lock("fit"):
        done = finished(collection, recipe)
        if done is not None:
            return done
        wanted(recipe.encode.beside, recipe.encode.weights)  # what is wrong with it is said before hours of training
        catalog = Catalog.newest(collection)
        mask = training_mask(catalog, recipe.where)
        train, held_out = recipe.data.choose(mask, recipe.seed)
        rows = np.union1d(train, held_out)
        network = seeded(recipe)
        before = trained(collection, recipe, alike=True)
        packed = pack_rows(collection, catalog, rows, recipe, int(network.size), threads, progress("packing"))
        source = Packed(
            packed,
            np.searchsorted(rows, train),
            np.searchsorted(rows, held_out),
            recipe.trainer.batch,
            recipe.seed,
            fit=recipe.data.fit,
        )
        if before is None:
            source.beside = beside(collection, catalog, rows, source.train, recipe)
        folder = work(collection, recipe)  # only now: what was refused so far has left nothing unfinished
        if before is None:
            module, journal = run(folder, network, recipe, source, progress=progress("training"), log=log)
            network, history, kept, steps = module.network, journal.history, journal.kept, module.done
        else:
            network.load_state_dict(load_file(before.file(WEIGHTS)))
            network.eval()
            history = json.loads(before.file(HISTORY).read_text(encoding="utf-8"))
            kept, steps = before.manifest.info["kept"], int(before.manifest.counts["steps"])
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        pictures = Pictures(collection, catalog)
        info = write(
            out,
            network,
            seeded(recipe),
            source,
            pictures,
            rows[source.train],
            recipe.encode,
            recipe.seed,
            progress("encoding"),
            threads,
        )
        (out / HISTORY).write_text(json.dumps(history), encoding="utf-8")
        ids = catalog.item_ids[: catalog.n_ready][~mask].astype(str)
        pq.write_table(pa.table({"item_id": pa.array(ids, pa.string())}), out / HELD_OUT)
        artifact = publish(
            out,
            collection.folder("encoder"),
            "encoder",
            parents={"catalog": catalog.artifact},
            counts={"train": len(train), "held_out": int((~mask).sum()), "steps": steps},
            config=config,
            info={
                **info,
                "model": dict(recipe.model),
                "where": training_rule(catalog, recipe.where),
                "recipe": recipe.key(collection),
                "kept": kept,
                "weights_of": before.id if before else None,
            },
            mlflow_run=mlflow_run,
        )
        collection.discard(folder)
        return Fitted(artifact, history)


def seeded(recipe: Recipe) -> Any:
    """The network as it is before training, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return create(recipe.model)


def beside(
    collection: Collection, catalog: Catalog, rows: np.ndarray, train: np.ndarray, recipe: Recipe
) -> dict[str, np.ndarray]:
    """What the objective learns from besides pictures, by its name in a ``Batch``, one row each of ``rows``."""
    found = {}
    targets = taught(collection, catalog, rows, train, recipe)
    if targets is not None:
        found["targets"] = targets
    for column in getattr(create(recipe.objective), "columns", {}):
        found["labels"] = classes(catalog, column, rows, train)
    return found


def classes(catalog: Catalog, column: str, rows: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(len(rows),) int64 class by the value in ``column``, of those that training pictures have; -1 for any other."""
    values = catalog.ready(column)
    if pa.types.is_nested(values.type):
        raise ConfigError(f"The column '{column}' holds {values.type}. Name one with one value a picture")
    codes = np.asarray(pd.factorize(values.to_pandas())[0], np.int64)[rows]
    kinds = np.unique(codes[train][codes[train] >= 0])
    return np.where(np.isin(codes, kinds), np.searchsorted(kinds, codes), -1)


def taught(
    collection: Collection, catalog: Catalog, rows: np.ndarray, train: np.ndarray, recipe: Recipe
) -> np.ndarray | None:
    """(len(rows), dims) float32, unit norm: what the teacher's space says of ``rows``; ``train`` are positions in them."""
    if recipe.teacher is None:
        return None
    space, dims = recipe.teacher
    artifact = collection.latest("embeddings", space)
    artifact.expect_parent("catalog", catalog.artifact)
    vectors = np.asarray(Embeddings(artifact).vectors[rows], np.float32)
    chosen = train if len(train) <= 50_000 else np.random.default_rng(recipe.seed).choice(train, 50_000, replace=False)
    found = postprocess.fit(vectors[chosen], pca=dims)(vectors)
    return np.pad(found, ((0, 0), (0, dims - found.shape[1])))  # few pictures, or a small space, give fewer


def pack_rows(
    collection: Collection,
    catalog: Catalog,
    rows: np.ndarray,
    recipe: Recipe,
    side: int,
    threads: int,
    progress: Progress,
) -> Path:
    """The pictures of ``rows`` at the network's size, in the collection's cache."""
    pictures = Pictures(collection, catalog)
    digest = collection.parent(catalog.artifact, "thumbnails").manifest.digest
    return pack(
        collection.path / "cache",
        digest,
        rows,
        lambda chosen: pictures.read(chosen, side),
        side,
        recipe.data.fit,
        threads=threads,
        progress=progress,
    )


def run(
    folder: Path,
    network: nn.Module,
    recipe: Recipe,
    source: Packed,
    *,
    progress: Progress = silent,
    log: Log | None = None,
) -> tuple[Training, Journal]:
    """Train ``network`` to the end, from ``folder``'s saved state where there is one."""
    settings = recipe.trainer
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed + 1)
        objective = create(recipe.objective)
        for term in itertools.chain(*getattr(objective, "columns", {}).values()):
            term.classes = int(source.beside["labels"].max(initial=-1)) + 1
        objective.prepare(network)
    module = Training(network, objective, recipe.augment, settings, recipe.seed)
    journal = Journal(folder, progress=progress, log=log)
    journal.resume(module)
    if not journal.finished:
        with quiet(), interruptible(), ProcessorThreads(settings.threads) as threads:
            lightning = trainer(settings, [journal, threads], validate=len(source.held_out) > 0)
            steps = passes(len(source.train), settings.batch, lightning.world_size)
            module.steps_per_epoch, module.total = steps, settings.total(steps)
            source.module = module
            journal.recount(module)
            lightning.fit_loop.max_epochs = math.ceil(module.total / steps) - module.done // steps
            module.network.to(memory_format=torch.channels_last)
            lightning.fit(module, datamodule=source)
        # Other processes may have done the work: what counts is what was saved.
        journal.resume(module)
    if journal.best_module:
        module.load_state_dict(journal.best_module)
    return module.cpu().eval(), journal
