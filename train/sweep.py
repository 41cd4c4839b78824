"""Trains one encoder for each combination of settings, and says in one table which retrieves best.

    nitari sweep collection=shoes experiment=plain,agree model.dim=64,128
    nitari sweep collection=shoes objective.weights.palette=0,0.5,2 labels=category
    nitari sweep collection=shoes trainer.lr=0.001,0.002 seed=0,1,2 trainer.max_minutes=2

Several values for a setting are given as Hydra's multirun has them: by commas, range(1,4), glob(*). Recipes that were
trained before are not trained again; a killed sweep goes on where it stopped. The winner becomes the newest encoder.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from hydra import compose, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.evaluation import report
from nitari.steps.recipe import promote, trained

from . import compare, evaluate, fit
from .job import finish, plain, said


def combinations(words: Sequence[str]) -> list[list[str]]:
    """Every combination of the values that the words give for their settings; ConfigError where there is only one."""
    try:
        overrides = OverridesParser.create().parse_overrides(list(words))
    except HydraException as error:
        raise ConfigError(f"The settings cannot be read: {str(error).splitlines()[0]}") from None
    parts = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [word]
        for word, override in zip(words, overrides, strict=True)
    ]
    found = [list(words) for words in itertools.product(*parts)]
    if len(found) < 2:
        raise ConfigError("There is one combination only. Give a setting several values, as in: model.dim=64,128")
    return found


def composed(words: Sequence[str]) -> DictConfig:
    try:
        with initialize_config_module("nitari.conf", version_base="1.3"):
            return compose("sweep", list(words))
    except HydraException as error:
        raise ConfigError(str(error)) from None


def run(cfg: DictConfig, words: Sequence[Sequence[str]]) -> dict[str, Any]:
    """``cfg`` is the first combination; what all have in common is taken from it."""
    collection = Collection.existing(cfg.root, cfg.collection)
    recipes = [composed(each) for each in words]
    by = cfg.by or ("precision_at_10" if cfg.labels else "copy_recall_at_1")
    _can_be_swept(cfg, recipes, by)
    different = _different(words)
    encoders, spaces = [], []
    before = collection.find("encoder")
    try:
        for number, (recipe, settings) in enumerate(zip(recipes, different, strict=True), start=1):
            print(f"sweep: {number} of {len(recipes)}: {settings}", file=sys.stderr)
            encoders.append(_encoder(collection, recipe))
            spaces.append(compare.embeddings(collection, encoders[-1], recipe))
        found = evaluate.measured(cfg, collection, spaces, "sweep")
    except BaseException:
        if before is not None:  # what was being compared is not yet what is wanted
            promote(collection, before)
        raise
    names = [artifact.manifest.info["space"]["name"] for artifact in spaces]
    rows = [
        {
            "settings": settings,
            "encoder": encoder,
            **{metric: v["value"] for metric in report.COLUMNS if (v := found["spaces"][name][metric]) is not None},
        }
        for settings, encoder, name in zip(different, encoders, names, strict=True)
    ]
    table = pd.DataFrame(rows).sort_values(by, ascending=False, kind="stable")
    file = collection.path / "sweeps" / f"{found['evaluation']}.csv"
    file.parent.mkdir(exist_ok=True)
    table.to_csv(file, index=False)
    best = str(table["encoder"].iloc[0])
    promoted = promote(collection, collection.open("encoder", best))
    return {
        "by": by,
        "table": table.to_dict("records"),
        "file": str(file),
        "best": best,
        "newest": promoted.id,
        "evaluation": found,
    }


def show(result: Mapping[str, Any]) -> str:
    rows = result["table"]
    metrics = [name for name in report.COLUMNS if name in rows[0]]
    width = max(len(row["settings"]) for row in rows)
    lines = ["  ".join(["settings".ljust(width), *(f"{report.COLUMNS[name]:>8}" for name in metrics)])]
    lines += ["  ".join([row["settings"].ljust(width), *(f"{100 * row[m]:8.1f}" for m in metrics)]) for row in rows]
    first = next(iter(result["evaluation"]["spaces"]))
    lines += ["", f"Sorted by {report.COLUMNS[result['by']]}. {report.notes(result['evaluation'])[0]}"]
    lines += [f"Differences below are against '{rows_of(result, first)}'."]
    lines += [line for line in report.notes(result["evaluation"])[1:] if " against " in line]
    return "\n".join(
        [*lines, "", f"The best is now the newest encoder, {result['newest']}. The table: {result['file']}"]
    )


def rows_of(result: Mapping[str, Any], space: str) -> str:
    """The settings behind a space's name."""
    return next(str(row["settings"]) for row in result["table"] if space.endswith(str(row["encoder"])[-6:]))


def _encoder(collection: Collection, cfg: DictConfig) -> str:
    """The id of this recipe's encoder, trained before or now."""
    before = trained(collection, fit.recipe_of(cfg))
    return before.id if before else str(fit.run(cfg)["encoder"])


def _different(words: Sequence[Sequence[str]]) -> list[str]:
    """Of each combination, what it does not share with all others."""
    common = set(words[0]).intersection(*words[1:])
    return [" ".join(word for word in each if word not in common) for each in words]


def _can_be_swept(cfg: DictConfig, recipes: Sequence[DictConfig], by: str) -> None:
    measured = [*(["copy_recall_at_1"] if cfg.protocol.max_queries else [])]
    measured += ["precision_at_1", "precision_at_10", "recall_at_10", "map_at_100"] if cfg.labels else []
    if by not in measured:
        raise ConfigError(f"by is '{by}', which is not measured here. Choose one of: {', '.join(measured) or 'none'}")
    if len({str(plain([r.collection, r.root, r.labels, r.queries, r.gallery, r.protocol])) for r in recipes}) > 1:
        raise ConfigError(
            "A sweep is measured once, on one collection: give settings of fit several values, and no others"
        )
    for recipe in recipes:
        if recipe.trainer.strategy != "auto" or recipe.trainer.devices != 1:
            raise ConfigError(
                f"trainer.strategy is {recipe.trainer.strategy} and trainer.devices {recipe.trainer.devices}: a sweep trains "
                "one recipe after the other in this process, and DDP would start the whole sweep once a device. Leave both "
                "as they are, or run: nitari fit for each recipe"
            )


def main() -> None:
    with said("sweep"):
        words = combinations(sys.argv[1:])
        finish(composed(words[0]), lambda cfg: run(cfg, words), show)
