"""Ingest: a source's listing -> catalog and thumbnails, reading only what is new or changed."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nitari import catalog
from nitari.artifact import Artifact, publish
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.executor import Executor, Shard
from nitari.executor.local import Local
from nitari.files import link_or_copy
from nitari.images.decode import USUAL, WHITE, Limits
from nitari.reasons import PASSING
from nitari.source import listing as listings
from nitari.steps import Progress, silent
from nitari.steps.assembly import Columns, assembled, at, columns_of, wanted
from nitari.steps.ingest_shard import TODO_SCHEMA, part_schema
from nitari.steps.previous import Previous
from nitari.thumbnails import INDEX_SCHEMA, QUALITY, index_file

log = logging.getLogger(__name__)

_TASK = "nitari.steps.ingest_shard:work"
_BATCH = 1 << 16


def ingest(
    collection: Collection,
    listing: pa.Table,
    *,
    source_name: str,
    sizes: Sequence[int] = (96,),
    limits: Limits = USUAL,
    background: Sequence[int] = WHITE,
    quality: int = QUALITY,
    most_gone: float = 0.5,
    workers: int | None = None,
    executor: Executor | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Artifact:
    """Bring the collection up to date with one source's ``listing`` (see ``nitari.source``); returns its catalog.

    What the newest catalog or a killed run of this job already has, by id and fingerprint under the same settings, is
    kept without reading it; refusals that may have passed (``reasons.PASSING``) are tried again. What the source no
    longer lists, and what was removed (``nitari.changes``), is marked gone. Other sources' items are left alone, unless the thumbnails are to be of another kind.
    A listing without more than ``most_gone`` of the pictures that the source had, or with others under their names in
    another place, is a mistaken path or a disk that is not there: ``ConfigError``, and nothing changes.

    With nothing changed, the newest catalog is returned and nothing is published. ``about`` describes the source in the
    manifest. ``executor`` does the reading, by default ``workers`` processes on this machine.
    """
    settings = _settings(sizes, background, quality)
    executor = executor or Local(workers)
    with collection.lock("ingest"):
        old = Previous(collection, settings, limits)
        if len(old.removed):
            listing = listing.filter(pc.invert(pc.is_in(listing.column("item_id"), value_set=old.removed)))
        sources = _sources(old, source_name, listing, about, most_gone)
        work = collection.work("ingest", {"source": source_name, "settings": settings, "limits": asdict(limits)})
        rows = columns_of(wanted(listing, old, source_name))
        del listing
        killed = _parts(work, settings["sizes"])
        killed = killed.filter(pc.invert(pc.is_in(killed.column("reason"), value_set=pa.array(PASSING))))
        if killed.num_rows:  # what is another picture by now would hide an older one that is listed again
            killed = killed.filter(pc.is_valid(at(columns_of(killed), rows)))
        known = pa.concat_tables([killed, old.pool(source_name)])
        unread = pc.and_(pc.is_null(rows["reason"]), pc.is_null(at(rows, columns_of(known))))
        started = {path.name for path in (work / "parts").glob("*.parquet")}
        shards = _shards(rows, unread, work, old, settings, limits, executor.workers)
        _read(shards, len(unread), limits, executor, progress)
        found = columns_of(pa.concat_tables([_parts(work, settings["sizes"], but=started), known]))
        del killed, known
        table, places = assembled(rows, found, old, source_name, sources)
        if (
            old.artifact is None
            or old.damaged
            or not (old.same_settings and old.same_limits and sources == old.sources and table.equals(old.table))
        ):
            return _publish(collection, work, table, places, old, settings, limits, sources)
        collection.discard(work)
        return old.artifact


def _settings(sizes: Sequence[int], background: Sequence[int], quality: int) -> dict[str, Any]:
    kept = sorted({int(size) for size in sizes})
    if not kept or kept[0] < 8 or kept[-1] > 4096:
        raise ConfigError(f"thumbnails is {list(sizes)}. Give one or more sizes from 8 to 4096 pixels: thumbnails=[96]")
    if len(background) != 3 or not all(0 <= int(value) <= 255 for value in background):
        raise ConfigError(f"background is {list(background)}. Give red, green and blue from 0 to 255: [255,255,255]")
    if not 1 <= quality <= 100:
        raise ConfigError(f"quality is {quality}. Give a JPEG quality from 1 to 100")
    return {"sizes": kept, "background": [int(value) for value in background], "quality": int(quality)}


def _sources(
    old: Previous, name: str, listing: pa.Table, about: Mapping[str, Any] | None, most_gone: float
) -> dict[str, dict[str, Any]]:
    if not 0 <= most_gone <= 1:
        raise ConfigError(f"most_gone is {most_gone}. Give a share of a source's pictures, from 0 to 1")
    known = dict(about or {})
    before = {key: value for key, value in old.sources.get(name, {}).items() if key != "attributes"}
    had, gone, other = old.missed(name, listing)
    moved = f"Source '{name}' was {before} and is now {known}" if before and before != known else ""
    other = other if moved else 0  # else they were changed where they are
    lost = f"{gone:,} of its {had:,} pictures are not there any more"
    lost += f", {other:,} are other pictures by their size in bytes" if other else ""
    own = "To keep both, give the new one a name of its own: source.name=…"
    if gone + other > most_gone * had:
        raise ConfigError(
            f"{moved or f'{name!r} is the source of {had:,} pictures'}: {lost}. "
            f"{own if moved else 'See whether all of it is there'}. If that is as it should be: most_gone=1"
        )
    if moved and gone + other and most_gone < 1:  # else it is wanted
        log.warning("%s: %s. %s", moved, lost, own)
    names = [column for column in listing.column_names if column not in listings.SCHEMA.names]
    return {**old.sources, name: {**known, "attributes": names}}


def _parts(work: Path, sizes: list[int], but: Container[str] = ()) -> pa.Table:
    """What the workers found out, this time or before they were killed."""
    (work / "parts").mkdir(exist_ok=True)
    files = sorted(path for path in (work / "parts").glob("*.parquet") if path.name not in but)
    return pa.concat_tables([part_schema(sizes).empty_table(), *(pq.read_table(file) for file in files)])


def _shards(
    rows: Columns,
    unread: pa.ChunkedArray,
    work: Path,
    old: Previous,
    settings: dict[str, Any],
    limits: Limits,
    workers: int,
) -> list[Shard]:
    """The ``unread`` rows cut up, and written to ``work``; each shard will leave its part there."""
    file = work / "todo.arrow"
    todo = pa.table([rows[name].cast(TODO_SCHEMA.field(name).type) for name in TODO_SCHEMA.names], TODO_SCHEMA)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, TODO_SCHEMA) as writer:
        for start in range(0, len(unread), _BATCH):
            writer.write_table(todo[start : start + _BATCH].filter(unread[start : start + _BATCH]))
    table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
    length = int(np.clip(len(table) // (8 * workers), 64, 2048))
    taken = [int(path.name.split("-")[1]) for path in (work / "parts").glob("part-*.parquet")]
    first = max([old.next_part(), *(number + 1 for number in taken)])
    shards = []
    for number, start in enumerate(range(0, len(table), length), first):
        stop = min(start + length, len(table))
        key = "".join(table.column("item_id")[start:stop].to_pylist()).encode()
        payload = {
            **settings,
            "limits": asdict(limits),
            "work": str(work.absolute()),
            "todo": str(file.absolute()),
            "start": start,
            "stop": stop,
            "name": f"part-{number:05d}-{hashlib.sha256(key).hexdigest()[:8]}",
        }
        shards.append(Shard(payload, stop - start))
    return shards


def _read(shards: Sequence[Shard], total: int, limits: Limits, executor: Executor, progress: Progress) -> None:
    """Run the shards; what is not in them is kept."""
    kept = total - sum(shard.steps for shard in shards)
    progress(kept, total)
    if not shards:
        return
    for _ in executor.run(_TASK, shards, time_limit=limits.seconds, progress=lambda done: progress(kept + done, total)):
        pass


def _publish(
    collection: Collection,
    work: Path,
    table: pa.Table,
    places: pa.Table,
    old: Previous,
    settings: dict[str, Any],
    limits: Limits,
    sources: Mapping[str, Any],
) -> Artifact:
    """Thumbnails first, then the catalog that pins them; until then the killed job finds its parts again."""
    staged = work / "thumbnails"
    shutil.rmtree(staged, ignore_errors=True)
    for size in settings["sizes"]:
        index = pa.table([places.column(f"{name}_{size}") for name in INDEX_SCHEMA.names], INDEX_SCHEMA.names)
        for shard in pc.unique(index.column("shard")).to_pylist():
            origin = work / shard
            if not origin.exists() and old.thumbnails is not None:
                origin = old.thumbnails.path / shard
            link_or_copy(origin, staged / shard)
        staged.mkdir(exist_ok=True)
        pq.write_table(index.cast(INDEX_SCHEMA), staged / index_file(size))
    count = {"thumbnails": places.num_rows}
    pinned = publish(
        staged,
        collection.folder("thumbnails"),
        "thumbnails",
        counts=count,
        config=settings,
        info={"sizes": settings["sizes"]},
        sharing=old.thumbnails,
    )
    staged = work / "catalog"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    pq.write_table(table, staged / catalog.FILE)
    reasons = pc.value_counts(table.column("reason").drop_null()).to_pylist()
    artifact = publish(
        staged,
        collection.folder("catalog"),
        "catalog",
        parents={"thumbnails": pinned},
        counts=catalog.counts(table),
        config={**settings, "limits": asdict(limits)},
        info={"sources": sources, "reasons": {row["values"]: row["counts"] for row in reasons}},
    )
    collection.discard(work)
    return artifact
