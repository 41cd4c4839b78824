"""Finds pictures that a collection holds more than once: the same bytes, and copies that a space tells.

    nitari duplicates collection=shoes
    nitari duplicates collection=shoes out=duplicates
    nitari duplicates collection=shoes space=pdq distance=31 keep=sharpest format=json

Works as soon as pictures are ingested, and looks at what was appended since; copies that differ in their bytes need a space
(best: nitari extract collection=… extractor=pdq). Nothing is deleted: the table says which picture of each group to keep. With
out=FOLDER the whole table and sheets of the largest and of the least certain groups are written there. What a hash takes for
copies is compared pixel by pixel: drawings that share a shape, and things in two colours, are no copies of each other.

Settings:

    collection    name of the collection
    space         space to compare in; none: only the same bytes (pdq where it was extracted, else the encoder's)
    distance      how far a copy may be from the picture that is kept (measured, by the kind of space)
    verify        auto | true | false: compare the pictures as well; auto: where the space is a hash (auto)
    keep          largest | sharpest: the picture of a group that is kept (largest)
    out           folder to write to (none: the summary and the largest groups are shown)
    table         csv | parquet, in out (csv)
    format        table | json (table)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nitari.arguments import choose, parse
from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.files import write_atomic
from nitari.startup import without_pandas

from .show import size

log = logging.getLogger(__name__)

SETTINGS: dict[str, Any] = {
    "collection": str,
    "space": None,
    "distance": None,
    "verify": "auto",
    "keep": "largest",
    "out": None,
    "table": "csv",
    "format": "table",
    "root": ROOT,
}
SHOWN = 10  # groups on the terminal and in JSON
_LINES = 12  # pictures of one on the terminal
_ACROSS, _ROWS, _CELL = 10, 12, 112  # of a sheet
_COLUMNS = ("group", "kind", "keep", "item_id", "file_name", "distance", "width", "height", "size_bytes")


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "duplicates")
    as_json = choose(values, "format", ("table", "json")) == "json"
    choose(values, "table", ("csv", "parquet"))
    choose(values, "keep", ("largest", "sharpest"))
    choose(values, "verify", ("auto", "true", "false"))
    without_pandas()
    found = run(Collection.existing(values["root"], values["collection"]), values)
    print(json.dumps(found, ensure_ascii=False) if as_json else show(found))
    return 0


def run(collection: Collection, values: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is shown, JSON-ready."""
    from nitari.annotator.groups import Near
    from nitari.catalog import Catalog
    from nitari.embeddings import Embeddings
    from nitari.images.verifier import Verifier
    from nitari.recommend.live import Live
    from nitari.steps.duplicates import duplicates, summary
    from nitari.steps.freshness import left_out
    from nitari.steps.pictures import LivePictures
    from nitari.steps.progress import Progress

    stored = Catalog(collection.latest("catalog"))
    artifact = _space(collection, stored.artifact, values["space"])
    embeddings = None if artifact is None else Embeddings(artifact)
    live = Live(collection, stored, {} if embeddings is None else {embeddings.space.name: embeddings.key})
    catalog, pictures = live.catalog, LivePictures(collection, live)
    left = left_out(collection, live)
    near, verifier = None, None
    if embeddings is not None:
        hashed = embeddings.space.metric == "hamming"
        if hashed if values["verify"] == "auto" else values["verify"] == "true":
            verifier = Verifier(pictures.read)
        vectors, search = live.joined(embeddings, _index(collection, embeddings))
        near = Near(embeddings.space, vectors, search.search, _distance(values["distance"], embeddings), verifier)
    elif values["distance"] is not None:
        raise ConfigError("distance was given, but there is no space to measure it in. Name one: space=pdq")
    sharpest = pictures if values["keep"] == "sharpest" else None
    table = duplicates(catalog, near, sharpest, Progress("Comparing"), hidden=live.hidden)
    told = table.select(_COLUMNS)
    result = {
        "collection": collection.name,
        "catalog": catalog.artifact.id,
        "pictures": catalog.n_ready - len(live.hidden),
        "left_out": left,
        "space": None if near is None else near.space.name,
        "distance": None if near is None else near.threshold,
        "refuted": None if verifier is None else verifier.refuted,
        **summary(table),
        "largest": _first(told, SHOWN),
        "files": [],
    }
    if values["out"] is not None:
        from nitari.steps.export import export

        out = Path(values["out"])
        out.mkdir(parents=True, exist_ok=True)
        file = out / f"duplicates.{values['table']}"
        export(file, [told], told.schema)
        files = [file, *_sheets(out, pictures, table), out / "summary.json"]
        result["files"] = [str(file) for file in files]
        write_atomic(files[-1], json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    return result


def show(found: Mapping[str, Any]) -> str:
    how = f"space {found['space']}, distance {found['distance']:g}" if found["space"] else "the same bytes only"
    lines = [f"{found['collection']}: {found['pictures']:,} pictures, {how}", ""]
    for kind, what in (("exact", "the same bytes"), ("near", "copies that differ")):
        of = found[kind]
        lines.append(
            f"{kind:<8}{of['groups']:>8,} groups {of['pictures']:>8,} could go {size(of['bytes']):>10}  {what}"
        )
    lines.append(
        f"{'in all':<8}{found['groups']:>8,} groups {found['could_go']:>8,} could go {size(found['bytes']):>10}"
    )
    for group in found["largest"]:
        lines.append("")
        for row in group[:_LINES]:
            apart = "" if row["distance"] is None else f"{row['distance']:<8.3g}"
            what = "keep" if row["keep"] else row["kind"]
            shape = f"{row['width']} × {row['height']}"
            lines.append(
                f"  {what:<6}{apart}{row['item_id']}  {shape:<12}{size(row['size_bytes']):>9}  {row['file_name']}"
            )
        if len(group) > _LINES:
            lines.append(f"  and {len(group) - _LINES:,} more")
    if found["groups"] > len(found["largest"]):
        lines += ["", f"These are the {len(found['largest'])} largest groups. All of them: out=FOLDER"]
    if found["refuted"]:
        lines += ["", f"{found['refuted']:,} pairs are as near, but differ in their pixels: verify=false joins them"]
    lines += [""] + [f"Written: {file}" for file in found["files"]]
    return "\n".join(lines).rstrip()


def _space(collection: Collection, catalog: Artifact, asked: str | None) -> Artifact | None:
    """The newest embeddings of the space asked for, or of the one that tells copies best; None: the same bytes only."""
    from nitari.embeddings import Embeddings
    from nitari.extractor.stored import pinned
    from nitari.recommend.verdict import MEASURED, threshold
    from nitari.steps.freshness import outdated

    if asked == "none":
        return None
    if asked is not None:
        artifact = collection.latest("embeddings", asked)
        if why := outdated(collection, asked, artifact, catalog):
            raise ArtifactError(why)
        return artifact
    fresh: dict[int, Artifact] = {}  # by how well its kind tells copies
    stale: dict[int, str] = {}
    for name in collection.spaces():
        artifact = collection.latest("embeddings", name)
        embeddings = Embeddings(artifact)
        if pinned(artifact) or threshold(embeddings.space, embeddings.extractor) is None:
            continue
        place = list(MEASURED).index(embeddings.extractor["_target_"])
        if why := outdated(collection, name, artifact, catalog):
            stale.setdefault(place, why)
        else:
            fresh.setdefault(place, artifact)
    best = min(fresh, default=len(MEASURED))
    instead = (
        f"Space '{fresh[best].path.parent.name}' is asked instead" if fresh else "Only the same bytes are compared"
    )
    for place in sorted(stale):
        if place < best:  # it would tell copies better
            log.warning("%s. %s", stale[place], instead)
    return fresh.get(best)


def _distance(asked: str | None, embeddings: Any) -> float:
    from nitari.recommend.verdict import threshold

    if asked is None:
        known = threshold(embeddings.space, embeddings.extractor)
        if known is None:
            raise ConfigError(f"Space '{embeddings.space.name}' has no measured distance for copies. Give distance=…")
        return known.copy
    try:
        value = float(asked)
    except ValueError:
        value = -1.0
    space = embeddings.space
    if not 0 <= value < space.farthest:
        known = threshold(space, embeddings.extractor)
        usual = "" if known is None else f": copies are found up to {known.copy:g}"
        below = (
            "on" if space.farthest == float("inf") else f"to below {space.farthest:g}, which would join all pictures"
        )
        raise ConfigError(f"distance is '{asked}'. In space '{space.name}' give a number from 0 {below}{usual}")
    return value


def _index(collection: Collection, embeddings: Any) -> Any:
    """The space's published index where it is one of these vectors, else a scan."""
    from nitari.index import open_index
    from nitari.index.exact import Exact

    found = collection.find("index", embeddings.space.name)
    if found is not None:
        try:
            return open_index(found, embeddings)
        except DamagedArtifactError:
            raise
        except ArtifactError:  # of other vectors
            pass
    index = Exact(embeddings.space)
    index.build(embeddings.vectors)
    return index


def _first(table: Any, count: int) -> list[list[dict[str, Any]]]:
    import pyarrow.compute as pc

    groups: list[list[dict[str, Any]]] = []
    for row in table.filter(pc.less(table.column("group"), count)).to_pylist():
        if row["group"] == len(groups):
            groups.append([])
        groups[-1].append(row)
    return groups


def _sheets(out: Path, pictures: Any, table: Any) -> list[Path]:
    """``largest.jpg``: the largest groups. ``doubtful.jpg``: those with a member farthest from the one that is kept."""
    import numpy as np

    from nitari.images.sheet import contact_sheet

    group = table.column("group").to_numpy()
    if not len(group):
        return []
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    apart = table.column("distance").to_numpy(zero_copy_only=False)
    chosen = {"largest": np.arange(min(_ROWS, len(starts)))}
    farthest = np.maximum.reduceat(np.nan_to_num(apart), starts)
    doubtful = np.argsort(-farthest, kind="stable")[:_ROWS]
    chosen["doubtful"] = doubtful[farthest[doubtful] > 0]
    files = []
    side = max(_CELL, pictures.thumbnails.sizes[-1])
    for name, groups in chosen.items():
        rows, captions = [], []
        for g in groups:
            at = np.flatnonzero(group == g)
            if name == "doubtful":  # the one that is kept, then the farthest
                at = np.concatenate([at[:1], at[1:][np.argsort(-apart[at[1:]], kind="stable")]])
            part = table.take(at[:_ACROSS]).to_pylist()
            rows.append(pictures.read([row["row"] for row in part], side))
            captions.append(["keep", *(_caption(row) for row in part[1:])])
        if rows:
            files.append(out / f"{name}.jpg")
            contact_sheet(rows, captions, cell=_CELL).save(files[-1], quality=90)
    return files


def _caption(row: Mapping[str, Any]) -> str:
    return f"{row['kind']}" if row["kind"] == "exact" else f"{row['kind']} {row['distance']:.3g}"
