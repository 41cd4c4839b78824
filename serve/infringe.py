"""Finds which originals of a collection foreign pictures copy, with evidence and a verdict for each.

    nitari infringe collection=shoes queries=FOLDER
    nitari infringe collection=shoes queries=FOLDER out=found turned=true
    nitari infringe collection=shoes queries='crawl-{000..099}.tar' distance=pdq:40 format=json

Verdicts: exact (the same bytes), copy (within a distance that none of 240 other pictures had; or the same pixels
once one is laid over the other), likely (worth a look: near, or alike in geometry, as are pictures of one scene), no. One that cannot be read is listed with its reason. With out=FOLDER
the table, the summary and sheets of pairs side by side are written there; killed, the same command goes on. Originals are
those of the release and what was appended since, without what was removed. Cut-outs of less than two thirds are
found where the release has the space visual_words, which proposes what to lay over: nitari extract collection=shoes
extractor=visual_words, then nitari build collection=shoes.

Settings:

    collection    name of the collection
    queries       a folder, .tar files, a .csv, .jsonl or .parquet of paths, or one picture
    k             originals to tell a foreign picture (5)
    spaces        spaces to compare in (all of the release whose distances of copies are known)
    distance      distances of a copy instead of the measured ones, as pdq:31,encoder:.09
    turned        look at quarter turns and mirror images too, which takes eight times as long (false)
    trimmed       look at what is left without uniform borders too (true)
    checks        originals to lay over it where no space is sure; needs the extra 'local' (3 with it, else 0)
    out           folder to write to (none: what is found is only shown)
    table         csv | parquet, in out (csv)
    sheets        sheets of 12 pairs to draw a verdict, in out, at most (3)
    threads       threads and worker processes (one a core)
    format        table | json (table)
    release       id of a release (the current one)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nitari import guess
from nitari.arguments import choose, parse
from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.errors import ConfigError, MissingExtraError
from nitari.files import write_atomic
from nitari.startup import without_pandas

SETTINGS: dict[str, Any] = {
    "collection": str,
    "queries": str,
    "k": 5,
    "spaces": [],
    "distance": {},
    "turned": False,
    "trimmed": True,
    "checks": None,
    "out": None,
    "table": "csv",
    "sheets": 3,
    "threads": 0,
    "format": "table",
    "release": None,
    "root": ROOT,
}
SHOWN = 20  # foreign pictures listed on the terminal and in JSON, a verdict
_CHECKS = 3
_ROWS, _CELL = 12, 160


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "infringe")
    as_json = choose(values, "format", ("table", "json")) == "json"
    choose(values, "table", ("csv", "parquet"))
    if values["k"] < 1:
        raise ConfigError(f"k is {values['k']}. Ask for at least 1 original")
    without_pandas()
    collection = Collection.existing(values["root"], values["collection"])
    out = None if values["out"] is None else Path(values["out"])
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with _work(out) as folder:
        found = run(collection, collection.release(values["release"]), values, Path(folder), out)
    print(json.dumps(found, ensure_ascii=False) if as_json else show(found))
    return 0


def run(
    collection: Collection, release: Artifact, values: Mapping[str, Any], work: Path, out: Path | None
) -> dict[str, Any]:
    """Everything that is shown, JSON-ready."""
    from nitari.source.named import named
    from nitari.steps.export import export
    from nitari.steps.infringe import infringe
    from nitari.steps.progress import Progress

    live, matcher = _matcher(collection, release, values)
    source = named(values["queries"], "foreign")
    progress = Progress("Reading"), Progress("Comparing")
    found = infringe(
        matcher,
        release,
        source,
        work,
        changes=live.stamp,
        threads=values["threads"] or None,
        reading=progress[0],
        comparing=progress[1],
    )
    counts = found.counts()
    proposing = [name for name, one in matcher.spaces.items() if not one.limit]
    result: dict[str, Any] = {
        "collection": collection.name,
        "release": release.id,
        "queries": values["queries"],
        "distances": {name: one.limit._asdict() for name, one in matcher.spaces.items() if one.limit},
        "proposing": proposing,
        "checks": matcher.checks,
        "pictures": sum(counts.values()),
        "verdicts": counts,
        "found": {verdict: found.best(verdict, SHOWN) for verdict in ("exact", "copy", "likely")},
        "unreadable": found.unreadable(SHOWN),
        "hint": _hint(collection, proposing, counts),
        "files": [],
    }
    if out is not None:
        table = out / f"infringements.{values['table']}"
        export(table, found.tables(), found.schema)
        files = [table, *_sheets(out, matcher.pictures, found, values["sheets"])]
        result["files"] = [str(file) for file in [*files, out / "summary.json"]]
        write_atomic(out / "summary.json", json.dumps(result, ensure_ascii=False, indent=1) + "\n")
        shutil.rmtree(work, ignore_errors=True)
    return result


def show(found: Mapping[str, Any]) -> str:
    counts = found["verdicts"]
    lines = [
        f"{found['pictures']:,} foreign pictures against release {found['release']} of '{found['collection']}'",
        "",
    ]
    lines += [f"{verdict:<12}{counts[verdict]:>10,}" for verdict in counts]
    for verdict, pictures in found["found"].items():
        if not pictures:
            continue
        more = f", the first {len(pictures)}" if counts[verdict] > len(pictures) else ""
        lines += ["", f"{verdict}{more}:"]
        for rows in pictures:
            best = rows[0]
            how = " ".join(filter(None, [best["view"], _evidence(best)]))
            lines.append(f"  {best['query']}  <-  {best['file_name']} ({best['item_id']})  {how}")
    if found["unreadable"]:
        more = f", the first {len(found['unreadable'])}" if counts["unreadable"] > len(found["unreadable"]) else ""
        lines += ["", f"unreadable{more}:", *(f"  {one['query']}  {one['message']}" for one in found["unreadable"])]
    if found["hint"]:
        lines += ["", found["hint"]]
    lines += [""] + [f"Written: {file}" for file in found["files"]]
    return "\n".join(lines).rstrip()


def _hint(collection: Collection, proposing: Sequence[str], counts: Mapping[str, int]) -> str | None:
    """What would find more, where something was called no copy."""
    if proposing or not counts["no"] + counts["likely"]:
        return None
    first = collection.command("extract", "extractor=visual_words")
    return (
        "Cut-outs and quarter turns are found where the release has the space visual_words (with the extra 'local'): "
        f"{first} && {collection.command('build')}"
    )


def _matcher(collection: Collection, release: Artifact, values: Mapping[str, Any]) -> tuple[Any, Any]:
    from nitari.catalog import Catalog
    from nitari.embeddings import Embeddings
    from nitari.extractor.stored import restore
    from nitari.index import open_index
    from nitari.recommend.live import Live
    from nitari.recommend.verdict import PROPOSING, Threshold, threshold, thresholds
    from nitari.steps.freshness import left_out
    from nitari.steps.matching import Matcher, Searched
    from nitari.steps.pictures import LivePictures

    there = list(release.manifest.info["spaces"])
    unknown = [name for name in values["spaces"] if name not in there]
    if unknown:
        raise ConfigError(guess.unknown("spaces names", unknown[0], there, "This release has"))
    opened = {name: Embeddings(collection.parent(release, f"embeddings:{name}", name)) for name in there}
    chosen = {name: opened[name] for name in values["spaces"] or there}
    limits = thresholds({name: threshold(e.space, e.extractor) for name, e in chosen.items()}, values["distance"])
    checks = _checks(values["checks"])
    proposing = [name for name, one in chosen.items() if checks and one.extractor.get("_target_") in PROPOSING]
    asked: dict[str, Threshold | None] = {**dict.fromkeys(proposing), **limits}
    live = Live(collection, Catalog.pinned(collection, release), {name: chosen[name].key for name in asked})
    left_out(collection, live)
    spaces = {}
    for name, limit in asked.items():
        index = open_index(collection.parent(release, f"index:{name}", name), chosen[name])
        both = live.joined(chosen[name], index)
        spaces[name] = Searched(chosen[name].space, *both, restore(collection, chosen[name].artifact), limit)
    return live, Matcher(
        LivePictures(collection, live),
        spaces,
        k=values["k"],
        turned=values["turned"],
        trimmed=values["trimmed"],
        checks=checks,
        where=live.shown if len(live.hidden) else None,
    )


def _checks(asked: str | None) -> int:
    there = find_spec("cv2") is not None
    if asked is None:
        return _CHECKS if there else 0
    if not asked.strip().isdigit():
        raise ConfigError(f"checks is '{asked}'. Give a whole number, 0 for none")
    if int(asked) and not there:
        raise MissingExtraError("opencv-python-headless", "local")
    return int(asked)


def _sheets(out: Path, pictures: Any, found: Any, most: int) -> list[Path]:
    """Each verdict's pairs: the foreign picture, then its originals."""
    from nitari.images.sheet import contact_sheet

    files = []
    side = max(_CELL, pictures.thumbnails.sizes[-1])
    for verdict in ("exact", "copy", "likely"):
        shown = found.best(verdict, most * _ROWS)
        for page, start in enumerate(range(0, len(shown), _ROWS), 1):
            rows, captions, labels = [], [], []
            for told in shown[start : start + _ROWS]:
                query = found.foreign.catalog.row(told[0]["query_id"])
                originals = [pictures.catalog.row(row["item_id"]) for row in told]
                rows.append([found.foreign.read([query], side)[0], *pictures.read(originals, side)])
                captions.append(["foreign", *(f"{row['verdict']} {_evidence(row)}" for row in told)])
                labels.append(f"{told[0]['query']}  <-  {told[0]['file_name']}")
            files.append(out / f"{verdict}-{page:02d}.jpg")
            contact_sheet(rows, captions, labels, _CELL).save(files[-1], quality=90)
    return files


def _evidence(row: Mapping[str, Any]) -> str:
    if row["evidence"] == "geometry":
        return f"{row['inliers']} inliers"
    if row["evidence"] == "alignment":
        return f"{row['agreement']:.0%} the same"
    if row["evidence"] == "sha256":
        return "same bytes"
    value = row[f"distance_{row['evidence']}"]
    return f"{row['evidence']} {value:.0f}" if value >= 2 else f"{row['evidence']} {value:.3f}"


def _work(out: Path | None) -> AbstractContextManager[Any]:
    return tempfile.TemporaryDirectory(prefix="nitari-") if out is None else nullcontext(out / "work")
