"""Runs ingest, fit, extract, build and evaluate, one after the other: pictures in, a measured release out.

    nitari pipeline collection=shoes source=folder source.path=PATH
    nitari pipeline collection=shoes source=folder source.path=PATH labels=category model=vgg

Killed at any moment, the same command goes on where it stopped. Every setting of the five jobs may be given.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from nitari.catalog import Catalog
from nitari.collection import Collection

from . import build, evaluate, extract, fit, ingest
from .job import job
from .progress import clock

ROOT = "collections"  # the default, as in conf/base.yaml
STEPS = {"ingest": ingest, "fit": fit, "extract": extract, "build": build, "evaluate": evaluate}


def run(cfg: DictConfig) -> dict[str, Any]:
    """Each step's result under its name, with its ``seconds``."""
    results: dict[str, Any] = {"collection": str(cfg.collection)}
    for number, (name, step) in enumerate(STEPS.items(), 1):
        print(f"\n[{number}/{len(STEPS)}] {name}", file=sys.stderr, flush=True)
        start = time.monotonic()
        result = dict(step.run(cfg))
        seconds = time.monotonic() - start
        if name != "evaluate":  # its table is the result, and printed at the end
            print(step.show(result), file=sys.stderr)
        print(f"{name} took {clock(seconds)}", file=sys.stderr, flush=True)
        results[name] = {**result, "seconds": round(seconds, 1)}
    catalog = Catalog.newest(Collection.existing(cfg.root, cfg.collection))
    results["example"] = catalog.records([catalog.n_ready // 2], ["file_name"])[0]["file_name"]
    results |= {"root": str(cfg.root), "tracking": cfg.tracking}
    return results


def show(results: Mapping[str, Any]) -> str:
    words = f"collection={results['collection']}" + (f" root={results['root']}" if results["root"] != ROOT else "")
    total = sum(results[step]["seconds"] for step in STEPS)
    took = ", ".join(f"{step} {clock(results[step]['seconds'])}" for step in STEPS)
    return "\n".join(
        [
            evaluate.show(results["evaluate"]),
            "",
            f"All of it took {clock(total)}: {took}.",
            "",
            "Go on with:",
            f"  nitari recommend {words} like={shlex.quote(results['example'])} k=12 sheet=more.jpg",
            f"  nitari show {words}",
            *([f"  mlflow ui --backend-store-uri {results['tracking']}"] if results["tracking"] else []),
        ]
    )


main = job("pipeline", run, show)
