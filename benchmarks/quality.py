"""How well recipes retrieve on the open picture sets, beside baselines, with several seeds; picks up where it was stopped.

    .venv/bin/python -m benchmarks.quality
    .venv/bin/python -m benchmarks.quality minutes=10 seeds=0,1,2 sets=clothing,grocery,emoji recipes=full,plain

Clothing and grocery: the training split is the gallery, validation asks. Emoji: one vendor's pictures ask for the other's.
Copies: held-out pictures, distorted in ten ways, look for their originals among all. Training sees no label. Writes
benchmarks/results/quality.json and benchmarks/quality.md; collections are kept in .bench/.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
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
}
COARSE = {"grocery": ["labels=coarse", *ASK["grocery"][1:], "protocol.max_queries=0"]}
RECIPES = {"full": [], "plain": ["+experiment=plain"], "agree": ["+experiment=agree"], "colour": ["+experiment=colour"]}
RECIPES["distil"] = ["+experiment=distil"]
TAUGHT = {"distil": "efficientnet_lite0"}  # the space to extract first
METRICS = ("precision_at_1", "precision_at_10", "map_at_100", "copy_recall_at_1")
DEFAULTS = {"minutes": "5", "seeds": "0", "sets": "clothing,grocery,emoji", "recipes": "full,plain", "size": "64"}


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if set(given) - set(DEFAULTS):
        sys.exit(f"There are: {', '.join(DEFAULTS)}")
    chosen = DEFAULTS | given
    rows: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for seed in chosen["seeds"].split(","):
        for name in chosen["sets"].split(","):
            for recipe in chosen["recipes"].split(","):
                key = f"{name}/{recipe}/{chosen['size']} px/{chosen['minutes']} min/seed {seed}"
                if key not in rows:
                    print(f"== {key}", flush=True)
                    rows |= measure(key, name, recipe, chosen, seed)
                    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
                    REPORT.write_text(report(rows), encoding="utf-8")
    print(report(rows))


def measure(key: str, name: str, recipe: str, chosen: dict[str, str], seed: str) -> dict[str, Any]:
    """Train one encoder and measure it; baselines are measured with the first of a set."""
    nitari("ingest", name, "source=folder", f"source.path={DATA / name}")
    if recipe in TAUGHT:
        nitari("extract", name, f"extractor={TAUGHT[recipe]}")
    settings = [f"trainer.max_minutes={chosen['minutes']}", "trainer.epochs=1000", f"model.size={chosen['size']}"]
    nitari("fit", name, f"seed={seed}", *RECIPES[recipe], *settings)
    nitari("extract", name, "extractor=encoder")
    names = ["encoder", "pixels", "colour", "hog", *([TAUGHT[recipe]] if recipe in TAUGHT else [])]
    spaces = f"spaces=[{','.join(names)}]"
    found = nitari("evaluate", name, f"seed={seed}", spaces, *ASK[name])["spaces"]
    if name in COARSE:
        coarse = nitari("evaluate", name, f"seed={seed}", spaces, *COARSE[name])["spaces"]
        for space, values in found.items():
            values["coarse_precision_at_10"] = coarse[space]["precision_at_10"]
    rows = {key: found.pop("encoder")}
    for space, values in found.items():
        rows[f"{name}/{space}"] = values
    return rows


def nitari(job: str, name: str, *words: str) -> Any:
    command = [
        sys.executable,
        "-m",
        "nitari",
        job,
        f"collection={name}",
        f"root={PLACE}",
        "tracking=null",
        "format=json",
    ]
    done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return json.loads(done.stdout)


def report(rows: dict[str, Any]) -> str:
    """One table: means over seeds, with the spread where there are several."""
    lines = ["# How well it retrieves", "", __doc__.split("\n\n")[2].replace("\n", " "), ""]
    lines += ["| set / space or recipe | seeds | P@1 | P@10 | mAP@100 | P@10 coarse | copy R@1 | worst distortion |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    grouped: dict[str, list[Any]] = {}
    for key, values in sorted(rows.items()):
        grouped.setdefault(key.rpartition("/seed")[0] or key, []).append(values)
    for key, runs in grouped.items():
        cells = [_mean([run[metric]["value"] for run in runs if run[metric]]) for metric in METRICS[:3]]
        cells.append(
            _mean([run["coarse_precision_at_10"]["value"] for run in runs if run.get("coarse_precision_at_10")])
        )
        copies = [run["copy_recall_at_1"] for run in runs if run["copy_recall_at_1"]]
        cells.append(_mean([copy["value"] for copy in copies]))
        worst = [min(copy["by_distortion"].items(), key=lambda entry: entry[1]["value"]) for copy in copies]
        cells.append(f"{worst[0][0]} {100 * worst[0][1]['value']:.0f}" if worst else "")
        lines.append(f"| {key} | {len(runs)} | " + " | ".join(cells) + " |")
    command = "`.venv/bin/python -m benchmarks.quality minutes=… seeds=… sets=… recipes=…`"
    lines += [
        "",
        "Percent; ± is half the range over seeds. Queries: 341 clothing, 296 grocery, 1,911 emoji. " + command,
        "",
    ]
    return "\n".join(lines)


def _mean(values: list[float]) -> str:
    if not values:
        return ""
    spread = f" ± {50 * (max(values) - min(values)):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{spread}"


if __name__ == "__main__":
    main()
