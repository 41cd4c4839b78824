"""Duplicates within a collection: the same bytes, and pictures that a space takes for copies of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from nitari.annotator.groups import Near, owners, preference, same_bytes
from nitari.catalog import Catalog
from nitari.errors import PictureError
from nitari.steps import Progress, silent
from nitari.steps.pictures import Pictures

EXACT, NEAR = "exact", "near"
_SHARP = 1024  # pixels of the longer side at which details are compared, at most


def duplicates(
    catalog: Catalog,
    near: Near | None = None,
    sharpest: Pictures | None = None,
    progress: Progress = silent,
    hidden: np.ndarray | None = None,
) -> pa.Table:
    """One row a picture that has a duplicate, the largest groups first and the picture to keep first in each.

    Columns: group (from 0), kind (exact: the same bytes as the one to keep; near: within the threshold of it, by the
    space), keep, item_id, file_name, distance (null where no space was asked), width, height, size_bytes and row, the
    ready row of the catalog. Without ``near``, the same bytes are found only. Kept is the picture with the most pixels,
    then bytes, then the first; with ``sharpest``, the one with the most detail. ``hidden`` rows are no pictures any more.
    """
    same, order = same_bytes(catalog), preference(catalog)
    owner = owners(catalog, near, progress, hidden)
    counts = np.bincount(owner, minlength=len(owner))
    members = np.flatnonzero(counts[owner] > 1)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    members = members[np.lexsort((rank[members], owner[members], -counts[owner[members]]))]
    starts = np.flatnonzero(np.diff(owner[members], prepend=-1))
    parts = [np.asarray(part) for part in np.split(members, starts[1:])] if len(members) else []
    if sharpest is not None:
        parts = [_by_detail(part, sharpest) if len(np.unique(same[part])) > 1 else part for part in parts]
    return _table(catalog, parts, same, near)


def summary(table: pa.Table) -> dict[str, Any]:
    """Of a table of duplicates: groups and pictures that could go, with their bytes, by kind and in all."""
    found: dict[str, Any] = {}
    group, go = table.column("group").to_numpy(), ~table.column("keep").to_numpy()
    near = pc.equal(table.column("kind"), NEAR).to_numpy()
    size = table.column("size_bytes").to_numpy()
    nearly = np.zeros(group.max(initial=-1) + 1, bool)
    nearly[group[near]] = True  # groups with any that is not the same bytes
    for kind, chosen, count in ((EXACT, go & ~near, (~nearly).sum()), (NEAR, go & near, nearly.sum())):
        found[kind] = {"groups": int(count), "pictures": int(chosen.sum()), "bytes": int(size[chosen].sum())}
    return {"groups": len(nearly), "could_go": int(go.sum()), "bytes": int(size[go].sum()), **found}


def detail(pixels: np.ndarray, side: int) -> float:
    """How much fine detail (H, W, 3) uint8 has once its longer side is ``side``: enlarging or blurring adds none.

    The variance of the Laplacian: Pech-Pacheco and others, "Diatom autofocusing in brightfield microscopy" (ICPR 2000).
    """
    picture = Image.fromarray(pixels).convert("L")
    scale = side / max(picture.size)
    size = (max(3, round(picture.width * scale)), max(3, round(picture.height * scale)))
    grey = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), np.float32)
    inner = grey[1:-1, 1:-1]
    return float((grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner).var())


def _by_detail(part: np.ndarray, pictures: Pictures) -> np.ndarray:
    """The rows of a group, the one with the most detail first, at the size of the largest; unreadable ones last."""
    sizes = pictures.catalog.records(part, ["width", "height"])
    side = min(_SHARP, max(max(size["width"], size["height"]) for size in sizes))
    found = []
    for row in part:
        try:
            found.append(detail(pictures.original(int(row)), side))
        except PictureError:
            found.append(-1.0)
    return part[np.argsort(-np.array(found), kind="stable")]


def _table(catalog: Catalog, parts: Sequence[np.ndarray], same: np.ndarray, near: Near | None) -> pa.Table:
    rows = np.concatenate([np.empty(0, np.int64), *parts])
    lengths = [len(part) for part in parts]
    kept = np.repeat(np.array([part[0] for part in parts], np.int64), lengths)
    distances: list[np.ndarray] = [np.empty(0, np.float32)]
    if near is not None:
        for part in parts:
            vectors = np.asarray(near.vectors[part])
            distances.append(near.space.precise(vectors[0], vectors))
    at = pa.array(rows)
    names = ("item_id", "file_name", "width", "height", "size_bytes")
    found = {name: catalog.column(name).take(at) for name in names}
    return pa.table(
        {
            "group": pa.array(np.repeat(np.arange(len(parts)), lengths), pa.int64()),
            "kind": pa.array(np.where(same[rows] == same[kept], EXACT, NEAR).tolist(), pa.string()),
            "keep": pa.array(rows == kept),
            "item_id": found["item_id"],
            "file_name": found["file_name"],
            "distance": pa.array(np.concatenate(distances)) if near is not None else pa.nulls(len(rows), pa.float32()),
            **{name: found[name] for name in names[2:]},
            "row": at,
        }
    )
