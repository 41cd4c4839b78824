"""How well recipes retrieve on the open picture sets, beside baselines, with several seeds; picks up where it was stopped.

    .venv/bin/python -m benchmarks.quality
    .venv/bin/python -m benchmarks.quality steps=500 seeds=0,1,2 sets=clothing,grocery,emoji recipes=full,plain

Clothing and grocery: the training split is the gallery, validation asks. Emoji: one vendor's pictures ask for the other's.
Copies: held-out pictures, distorted in ten ways, look for their originals among all. Training sees no label. Every recipe
of a set and seed is measured in one evaluation, on the same queries; `code` is the default recipe's network alone, post-
processed as `plain` is. Writes benchmarks/results/quality.json and benchmarks/quality.md; collections are kept in .bench/.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results" / "quality.json"
REPORT = ROOT / "benchmarks" / "quality.md"
PLACE = ROOT / ".bench"
ASK = {
    "clothing": ["labels=label", "queries=split=validation", "gallery=split=train"],
    "grocery": ["labels=label", "queries=split=val", "gallery=split=train"],
    "emoji": ["labels=label", "queries=vendor=noto", "gallery=vendor=twemoji"],
    "pooled": [
        "labels=label",
        "queries=source=clothing and split=validation",
        "gallery=source=clothing and split=train",
    ],
}
SOURCES = {"pooled": ("clothing", "grocery", "emoji")}  # of a collection that has several
# More questions of the same spaces, by labels only.
ALSO = {
    "coarse": ("grocery", ["labels=coarse", *ASK["grocery"][1:]]),
    "packages": ("grocery", ["labels=label", "queries=split=val and department=Packages", "gallery=split=train"]),
}
RECIPES = {
    "full": [],
    "plain": ["+experiment=plain"],
    "agree": ["+experiment=agree"],
    "colour": ["+experiment=colour"],
    "copy": ["+experiment=copy"],
    "icons": ["+experiment=icons"],
    "shape": ["+experiment=shape"],
    "distil": ["+experiment=distil"],
    "distil96": ["+experiment=distil", "model.size=96"],
    "tenth": ["data.max_items=300"],
    "third": ["data.max_items=1000"],
    "own": ["where=source=clothing and split=train"],
    "others": ["where=split=train or source=emoji"],  # unlabelled pictures of the other sets added
}
TAUGHT = "efficientnet_lite0"  # the teacher's space
CODE = ["extractor.raw=true", "extractor.postprocess={center: true, pca: 128, whiten: 0.5}"]
FIXED = ("pixels", "colour", "hog")
METRICS = ("precision_at_1", "precision_at_10", "map_at_100")
DEFAULTS = {"steps": "500", "seeds": "0", "sets": "clothing,grocery,emoji", "recipes": "full,plain"}


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if set(given) - set(DEFAULTS):
        sys.exit(f"There are: {', '.join(DEFAULTS)}")
    chosen = DEFAULTS | given
    runs: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for seed in chosen["seeds"].split(","):
        for name in chosen["sets"].split(","):
            key = f"{name}, {chosen['recipes']}, {chosen['steps']} steps, seed {seed}"
            if key not in runs:
                print(f"== {key}", flush=True)
                found = measure(name, chosen["recipes"].split(","), int(chosen["steps"]), seed)
                runs = (json.loads(RESULTS.read_text()) if RESULTS.exists() else {}) | {key: found}
                RESULTS.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
                REPORT.write_text(report(runs), encoding="utf-8")
    print(report(runs))


def measure(name: str, recipes: list[str], steps: int, seed: str) -> dict[str, Any]:
    """Train every recipe, extract each in a space of its name, and measure all of them at once."""
    for source in SOURCES.get(name, (name,)):
        named = [f"source.name={source}"] if name in SOURCES else []
        nitari("ingest", name, "source=folder", f"source.path={DATA / source}", *named)
    taught = any(recipe.startswith("distil") for recipe in recipes)
    if taught:
        nitari("extract", name, f"extractor={TAUGHT}")
    spaces, seconds = [], {}
    for recipe in recipes:
        budget = [f"trainer.max_steps={steps}", "trainer.epochs=100000", "trainer.threads=1"]
        fitted = nitari("fit", name, f"seed={seed}", *RECIPES[recipe], *budget)
        seconds[recipe] = fitted["seconds"]
        made = f"extractor.path={PLACE / name / 'encoders' / fitted['encoder']}"
        nitari("extract", name, "extractor=encoder", made, f"extractor.name={recipe}", "workers=1")
        spaces.append(recipe)
        if recipe == "full":
            nitari(
                "extract", name, "extractor=encoder", made, "extractor.name=code", *CODE, f"seed={seed}", "workers=1"
            )
            spaces.append("code")
    spaces += [*FIXED, *([TAUGHT] if taught and seed == "0" else [])]
    found = asked(name, seed, spaces, ASK[name])
    result = {"set": name, "seed": seed, "steps": steps, "seconds": seconds}
    result |= {"spaces": found["spaces"], "differences": found["differences"]}
    for what, (where, ask) in ALSO.items():
        if where == name:
            more = asked(name, seed, spaces, [*ask, "protocol.max_queries=0"])
            for space, values in more["spaces"].items():
                result["spaces"][space][f"{what}_precision_at_10"] = values["precision_at_10"]
    if {"code", "plain"} <= set(spaces):
        two = asked(name, seed, ["code", "plain"], [*ASK[name], "protocol.max_queries=0"])
        result["code against plain"] = two["differences"]["plain"]
    return result


def asked(name: str, seed: str, spaces: list[str], ask: list[str]) -> Any:
    looks = ["protocol.map_items=0", "protocol.sheet_queries=9"]
    return nitari("evaluate", name, f"seed={seed}", f"spaces=[{','.join(spaces)}]", *ask, *looks)


def nitari(job: str, name: str, *words: str) -> Any:
    place = [f"collection={name}", f"root={PLACE}", "tracking=null", "format=json"]
    done = subprocess.run(
        [sys.executable, "-m", "nitari", job, *place, *words], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return json.loads(done.stdout)


def report(runs: dict[str, Any]) -> str:
    """Means over seeds, with half their range where there are several."""
    grouped: dict[tuple[str, str, int], list[Any]] = {}
    for run in runs.values():
        for space, values in run["spaces"].items():
            fixed = space in FIXED or space == TAUGHT
            grouped.setdefault((run["set"], space, 0 if fixed else run["steps"]), []).append(values)
    lines = ["# How well it retrieves", "", __doc__.split("\n\n")[2].replace("\n", " "), ""]
    lines += ["| set | space | steps | seeds | P@1 | P@10 | mAP@100 | P@10 coarse | P@10 packages | copy R@1 | worst |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|---|"]
    for (name, space, steps), found in sorted(grouped.items()):
        cells = [_mean(found, lambda run, metric=metric: run[metric]) for metric in METRICS]
        cells += [_mean(found, lambda run, what=what: run.get(f"{what}_precision_at_10")) for what in ALSO]
        cells += [_mean(found, lambda run: run["copy_recall_at_1"]), _worst(found[0])]
        lines.append(f"| {name} | {space} | {steps or ''} | {len(found)} | " + " | ".join(cells) + " |")
    lines += ["", "Percent; ± is half the range over seeds. Queries: 341 clothing, 296 grocery, 1,911 emoji.", ""]
    lines += ["## Against a plain autoencoder, on the same queries", ""]
    lines += ["Points of P@10 (emoji: P@1), with the 95% interval of the paired bootstrap over queries.", ""]
    lines += ["| set | seed | steps | default - plain | its network alone - plain |", "|---|---|---|---|---|"]
    for run in runs.values():
        if "code against plain" in run and "full" in run["spaces"]:
            metric = "precision_at_1" if run["set"] == "emoji" else "precision_at_10"
            both = (run["differences"]["plain"][metric], run["code against plain"][metric])
            told = [f"{100 * d['value']:+.1f} [{100 * d['low']:+.1f}, {100 * d['high']:+.1f}]" for d in both]
            lines.append(f"| {run['set']} | {run['seed']} | {run['steps']} | {told[0]} | {told[1]} |")
    lines += ["", "`.venv/bin/python -m benchmarks.quality steps=… seeds=… sets=… recipes=…`", ""]
    return "\n".join(lines)


def _mean(runs: list[Any], of: Callable[[Any], Any]) -> str:
    values = [found["value"] for run in runs if (found := of(run))]
    if not values:
        return ""
    spread = f" ± {50 * (max(values) - min(values)):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{spread}"


def _worst(run: Any) -> str:
    if not run["copy_recall_at_1"]:
        return ""
    name, found = min(run["copy_recall_at_1"]["by_distortion"].items(), key=lambda entry: entry[1]["value"])
    return f"{name} {100 * found['value']:.0f}"


if __name__ == "__main__":
    main()
