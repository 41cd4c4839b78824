"""Builds and tunes an index for each space, and pins everything that is served in one release.

    nitari build collection=shoes
    nitari build collection=shoes index=hnsw index.M=24 target=0.995
    nitari build collection=shoes index=exact switch=false
    nitari build collection=shoes text.columns=[file_name,category]
    nitari build collection=shoes index=ivf facets=[category] release.indexes={colour:exact}
    nitari build collection=shoes release.spaces=[encoder,colour] 'release.weights={encoder:1,colour:.3}'

An index of the same vectors and settings is used again. `ann_recall_at_10` compares the index with an exact search.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml
from omegaconf import DictConfig

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.steps.build import build

from .job import job, plain
from .progress import Progress


def run(cfg: DictConfig) -> dict[str, Any]:
    """The release, and what was measured of the index of each of its spaces."""
    collection = Collection.existing(cfg.root, cfg.collection)
    release = build(
        collection,
        plain(cfg.index),
        indexes={space: _choice(name) for space, name in (plain(cfg.release.indexes) or {}).items()},
        facets=names(cfg.facets),
        exact_below=cfg.exact_below,
        spaces=plain(cfg.release.spaces),
        weights=plain(cfg.release.weights),
        text=names(cfg.text.columns),
        collapse=plain(cfg.release.collapse),
        target=cfg.target,
        seed=cfg.seed,
        threads=cfg.workers,
        switch=cfg.switch,
        progress=Progress("Building", "indexes"),
    )
    spaces = {}
    for name in release.manifest.info["spaces"]:
        index = collection.parent(release, f"index:{name}", name)
        manifest = index.manifest
        spaces[name] = {
            "index": manifest.info["index"].rpartition(".")[2],
            "id": index.id,
            "vectors": manifest.counts["vectors"],
            "dim": manifest.info["space"]["dim"],
            "metric": manifest.info["space"]["metric"],
            "bytes": sum(entry["size"] for entry in manifest.files.values()),
            **manifest.info["measured"],
        }
    return {
        "collection": collection.name,
        "release": release.id,
        "current": collection.current == release.id,
        "weights": release.manifest.info["weights"],
        "text": _text(collection, release),
        "collapse": release.manifest.info["collapse"],
        "spaces": spaces,
    }


def _text(collection: Collection, release: Artifact) -> dict[str, Any] | None:
    if "text" not in release.manifest.parents:
        return None
    manifest = collection.parent(release, "text").manifest
    size = sum(entry["size"] for entry in manifest.files.values())
    return {"id": manifest.id, **manifest.config, **manifest.counts, "bytes": size}


def names(value: Any) -> list[str] | None:
    """Of columns, as text; one may be written without brackets."""
    given = plain(value)
    if given is None:
        return None
    return [str(one) for one in given] if isinstance(given, list) else [str(given)]


def _choice(name: str) -> dict[str, Any]:
    """What conf/index/<name>.yaml says."""
    folder = resources.files("nitari.conf") / "index"
    file = folder / f"{name}.yaml"
    if not str(name).isidentifier() or not file.is_file():
        known = sorted(one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml"))
        raise ConfigError(f"release.indexes names the index '{name}'. There are: {', '.join(known)}")
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def show(result: Mapping[str, Any]) -> str:
    header = (
        "space",
        "index",
        "vectors",
        "dim",
        "build",
        "effort",
        "ann_recall_at_10 [95%]",
        "p50",
        "p99",
        "weight",
    )
    rows = [header]
    for name, space in result["spaces"].items():
        recall = space.get("ann_recall_at_10")
        rows.append(
            (
                name,
                space["index"],
                f"{space['vectors']:,}",
                str(space["dim"]),
                f"{space['build_seconds']:.1f} s",
                ", ".join(f"{space[kind]} {space[space[kind]]}" for kind in ("effort", "wider") if kind in space),
                f"{recall['value']:.4f} [{recall['low']:.4f}, {recall['high']:.4f}]" if recall else "",
                f"{space['p50_us'] / 1000:.2f} ms" if recall else "",
                f"{space['p99_us'] / 1000:.2f} ms" if recall else "",
                f"{result['weights'][name]:g}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    role = "current" if result["current"] else "not the current one"
    if result["text"]:
        text = result["text"]
        lines += ["", f"Words of {', '.join(text['columns'])}: {text['terms']:,} different ones"]
    rule = result["collapse"]
    lines += ["", f"Near-copies are up to {rule['distance']:g} apart in space '{rule['space']}'"]
    return "\n".join([*lines, f"Release {result['release']} ({role})"])


main = job("build", run, show)
