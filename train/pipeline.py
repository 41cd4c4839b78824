"""Runs ingest, fit, extract, annotate, build and evaluate, one after the other: pictures in, a measured release out.

    nitari pipeline collection=shoes source=folder source.path=PATH
    nitari pipeline collection=shoes source=folder source.path=PATH labels=category model=vgg
    nitari pipeline collection=shoes source=folder source.path=PATH extractors=[colour,hog]
    nitari pipeline collection=shoes source=folder source.path=PATH annotators=[colours,map,ocr] text.columns=[file_name,text]
    nitari pipeline collection=shoes source=folder source.path=PATH annotators=[] text.columns=null

Killed at any moment, the same command goes on where it stopped. Every setting of the jobs may be given. ``annotators`` make what
the page lets people choose by, and its map: by default those that cost little. Further ``extractors`` make its sliders; they
count in recommendations only as far as somebody asks for them. Both are run as they are configured; what compares vectors,
such as the map, compares those of the chosen extractor, and what would add a column that the source has is left out. An
extractor that needs settings, such as ``vgg``, is run as its space in the collection was made: nitari extract makes it first.
"""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import which
from typing import Any

import pyarrow as pa
from omegaconf import DictConfig

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.command import reached
from nitari.errors import ConfigError
from nitari.guess import unknown
from nitari.steps import indexes, text

from . import annotate, build, choices, evaluate, extract, fit, ingest
from .job import instantiate, job
from .progress import clock

log = logging.getLogger(__name__)


def extractors(cfg: DictConfig) -> dict[str, Any]:
    """The extractor that was chosen, and each of ``cfg.extractors``."""
    found = {"chosen": extract.run(cfg)}
    for name, spec in extractor_settings(cfg).items():
        found[name] = extract.extracted(cfg, spec) if spec is not None else renewed(cfg, name)
    return found


def renewed(cfg: DictConfig, name: str) -> dict[str, Any]:
    """``extract.run`` of a space as its newest embeddings were made."""
    collection = Collection.existing(cfg.root, cfg.collection)
    start = time.monotonic()
    artifact = evaluate.renewed(collection, name, cfg, executor=instantiate(cfg.executor))
    return extract.told(collection, artifact, start)


def annotators(cfg: DictConfig) -> dict[str, Any]:
    """What each of ``cfg.annotators`` found, but of those whose columns the source has already."""
    own = set(Catalog(Collection.existing(cfg.root, cfg.collection).latest("catalog")).schema.names)
    found = {}
    for name, spec in annotator_settings(cfg).items():
        taken = own & set(instantiate(spec).columns)
        if taken:
            log.warning("The source has a column '%s' of its own, so annotator '%s' is left out", min(taken), name)
        else:
            found[name] = annotate.annotated(cfg, spec)
    return found


def extractor_settings(cfg: DictConfig) -> dict[str, dict[str, Any] | None]:
    """Of each of ``cfg.extractors``, by name; None: those that its space in the collection was made with.

    Raises ConfigError where there is no such extractor, or where it needs settings and has no space yet.
    """
    spaces = Collection(cfg.root, cfg.collection).spaces()
    return {
        name: None if choices.needs_more("extractor", name) and name in spaces else choices.settings("extractor", name)
        for name in cfg.extractors
    }


def annotator_settings(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """Of each of ``cfg.annotators``, by name; the chosen extractor's space for those that compare the encoder's.

    Raises ConfigError where there is no such annotator.
    """
    found = {name: choices.settings("annotator", name) for name in cfg.annotators}
    return {
        name: spec | ({"space": cfg.extractor.name} if spec.get("space") == "encoder" else {})
        for name, spec in found.items()
    }


def ingested(cfg: DictConfig) -> dict[str, Any]:
    """``ingest.run``, and a look whether the columns are there that settings name."""
    found = ingest.run(cfg)
    check_columns(cfg)
    return found


def check_columns(cfg: DictConfig) -> None:
    """ConfigError where a setting names a column that neither the catalog has nor an annotator will make: said before hours of
    training.
    """
    schema = Catalog.newest(Collection.existing(cfg.root, cfg.collection)).schema
    there = {field.name: field.type for field in schema}
    for spec in annotator_settings(cfg).values():
        there |= instantiate(spec).columns
    schema = pa.schema(list(there.items()))
    if cfg.labels is not None and str(cfg.labels) not in there:
        raise ConfigError(unknown("labels names", str(cfg.labels), there, "The catalog has"))
    indexes.check_facets(build.names(cfg.facets) or [], schema)
    if (columns := build.names(cfg.text.columns)) is not None:
        text.check(columns, schema)


def each(show: Callable[[Mapping[str, Any]], str]) -> Callable[[Mapping[str, Any]], str]:
    return lambda found: "\n".join(show(one) for one in found.values())


STEPS: dict[str, tuple[Callable[[DictConfig], Mapping[str, Any]], Callable[[Mapping[str, Any]], str]]] = {
    "ingest": (ingested, ingest.show),
    "fit": (fit.run, fit.show),
    "extract": (extractors, each(extract.show)),
    "annotate": (annotators, each(annotate.show)),
    "build": (build.run, build.show),
    "evaluate": (evaluate.run, evaluate.show),
}


def run(cfg: DictConfig) -> dict[str, Any]:
    """Each step's result under its name, with its ``seconds``."""
    extractor_settings(cfg)  # what is mistyped is said now, not after hours of training
    for spec in annotator_settings(cfg).values():
        instantiate(spec)
    results: dict[str, Any] = {"collection": str(cfg.collection)}
    steps = [name for name in STEPS if name != "annotate" or cfg.annotators]
    for number, name in enumerate(steps, 1):
        step, told = STEPS[name]
        print(f"\n[{number}/{len(steps)}] {name}", file=sys.stderr, flush=True)
        start = time.monotonic()
        result = dict(step(cfg))
        seconds = time.monotonic() - start
        if name != "evaluate":  # its table is the result, and printed at the end
            print(told(result), file=sys.stderr)
        print(f"{name} took {clock(seconds)}", file=sys.stderr, flush=True)
        results[name] = {**result, "seconds": round(seconds, 1)}
    catalog = Catalog.newest(Collection.existing(cfg.root, cfg.collection))
    results["example"] = catalog.records([catalog.n_ready // 2], ["file_name"])[0]["file_name"]
    results |= {"root": str(cfg.root), "tracking": cfg.tracking}
    return results


def show(results: Mapping[str, Any]) -> str:
    words = reached(Path(results["root"]) / results["collection"])
    seconds = {step: results[step]["seconds"] for step in STEPS if step in results}
    took = ", ".join(f"{step} {clock(spent)}" for step, spent in seconds.items())
    return "\n".join(
        [
            evaluate.show(results["evaluate"]),
            "",
            f"All of it took {clock(sum(seconds.values()))}: {took}.",
            "",
            "Go on with:",
            *_activate(),
            f"  nitari recommend {words} like={shlex.quote(results['example'])} k=12 sheet=more.jpg",
            f"  nitari serve {words}",
            f"  nitari show {words}",
            *([f"  mlflow ui --backend-store-uri {results['tracking']}"] if results["tracking"] else []),
        ]
    )


def _activate() -> list[str]:
    """What puts ``nitari`` on the PATH, where it is not."""
    script = Path(sys.executable).with_name("activate")
    if which("nitari") is not None or not script.is_file():
        return []
    here = Path.cwd()
    return [f"  . {shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))}"]


main = job("pipeline", run, show)
