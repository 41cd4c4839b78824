"""Purge: what is kept of removed items leaves the disk: their thumbnails and vectors, and whatever was drawn with them."""

from __future__ import annotations

import logging
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nitari import catalog as catalogs
from nitari.artifact import Artifact, new_id, open_artifact, publish
from nitari.catalog import COLUMNS, FILE, GONE, Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import FILE as VECTORS
from nitari.errors import ArtifactError
from nitari.extractor.stored import baseline, comparison
from nitari.files import link_or_copy
from nitari.steps import Progress, silent
from nitari.steps.annotate import DONE
from nitari.steps.build import build
from nitari.steps.extract import same_pictures
from nitari.steps.servers import forget
from nitari.steps.shards import parts
from nitari.thumbnails import INDEX_SCHEMA, ShardWriter, Thumbnails, index_file

log = logging.getLogger(__name__)

_BLOCK = 65_536
_DRAWN = (".jpg", ".jpeg", ".png", ".webp")
_MADE = ("release", "index", "text", "evaluation", "annotation", "embeddings", "thumbnails", "catalog")


class Purged(NamedTuple):
    """How many removed items were still kept, and artifacts that were deleted; ``release`` is the one that is served now."""

    items: int
    artifacts: int
    release: str | None


def purge(collection: Collection, *, threads: int | None = None, progress: Progress = silent) -> Purged:
    """Make catalog, thumbnails, spaces and annotations once more without the removed items, build what is served of them,
    and delete every older version, with unfinished work, caches, and evaluations, whose sheets show them. Originals belong to their source, and stay.

    Encoders stay: they hold no picture. Killed, the same call goes on. A purged removal cannot be taken back. Raises
    ArtifactError where a job is at work, and where a space or annotation was made from an older catalog than the newest:
    it would be lost.
    """
    changes = Changes(collection)
    removed = changes.removed_ids()
    with collection.lock("append", wait=True), collection.lock("ingest"):
        collection.idle(but=("append", "ingest"))
        served = collection.release() if collection.current else None
        if served is not None and "asked" not in served.manifest.info:
            raise ArtifactError(
                f"Release '{served.id}' does not say how it was built. Run first: {collection.command('build')}"
            )
        items = {item for one in _held(collection, removed) for item in one}
        for addition in changes.ids():
            items |= _purge_addition(changes, addition, removed)
        newest = Catalog(collection.latest("catalog"))
        thumbnails = collection.parent(newest.artifact, "thumbnails")
        if not items and not any(_holds(thumbnails.path / name, removed) for name in _shards(thumbnails)):
            return Purged(0, 0, collection.current)
        _alignable(collection, newest)
        _rewrite(collection, removed)
    if served is not None:
        asked = served.manifest.info["asked"] | {"spaces": served.manifest.info["spaces"]}  # those that additions have
        build(collection, **asked, threads=threads, progress=progress)
    with collection.lock("ingest"):
        return Purged(len(items), _delete_old(collection), collection.current)


def _held(collection: Collection, removed: np.ndarray) -> list[list[bytes]]:
    """Of each catalog, the removed items that are ready in it."""
    return [_kept_of(collection.open("catalog", one), removed) for one in collection.ids("catalog")]


def _purge_addition(changes: Changes, addition: str, removed: np.ndarray) -> set[bytes]:
    small = changes.addition(addition)
    with changes.reading(addition):
        found = _kept_of(small.latest("catalog"), removed)
    if len(found) == small.latest("catalog").manifest.counts["ready"]:
        changes.collection.drop(small.path)
    elif found:
        spaces = changes.spaces(addition)
        aside = Collection(changes.collection.work("purge", {"addition": addition}), "addition")
        shutil.rmtree(aside.path, ignore_errors=True)
        shutil.copytree(small.path, aside.path)
        _rewrite(aside, removed)
        _delete_old(aside)
        changes.admit(aside.path, addition[:-6] + new_id()[-6:], spaces)  # as old as it was, and seen to be another
        changes.collection.drop(small.path)
    return set(found)


def _shards(thumbnails: Artifact) -> list[str]:
    return [name for name in thumbnails.manifest.files if name.endswith(".tar")]


def _alignable(collection: Collection, newest: Catalog) -> None:
    """Raise ArtifactError unless every space and annotation has a row of each picture that will be kept."""
    lost, left = [], _compared(collection)
    for kind in ("embeddings", "annotation"):
        for name in collection.spaces(kind):
            artifact = collection.latest(kind, name)
            if (kind == "embeddings" and name in left) or not (_rows(collection, artifact, newest) < 0).any():
                continue
            job, group = ("extract", "extractor") if kind == "embeddings" else ("annotate", "annotator")
            lost.append(
                f"'{kind}/{name}' was made from an older catalog and would be lost. "
                f"Renew it with: {collection.command(job, f'{group}={name}')}, or remove '{collection.folder(kind, name)}'"
            )
    if lost:
        raise ArtifactError("\n".join(lost))


def _compared(collection: Collection) -> list[str]:
    """Stale spaces that are there only to measure others by: ``evaluate`` makes them anew when they are asked for."""
    catalog = collection.latest("catalog")
    served = collection.release().manifest.info["spaces"] if collection.current else []
    newest = {name: collection.latest("embeddings", name) for name in collection.spaces() if name not in served}
    return [
        name
        for name, made in newest.items()
        if (comparison(made) or baseline(made))
        and made.manifest.parents["catalog"]["digest"] != catalog.manifest.digest
    ]


def _rows(collection: Collection, artifact: Artifact, newest: Catalog) -> np.ndarray:
    """(n_ready,) of each picture of the newest catalog, its row in what ``artifact`` was made from; -1 without one."""
    if artifact.manifest.parents["catalog"]["digest"] == newest.artifact.manifest.digest:
        return np.arange(newest.n_ready)
    return same_pictures(newest, Catalog(collection.parent(artifact, "catalog")))


def _kept_of(catalog: Artifact, removed: np.ndarray) -> list[bytes]:
    """Ids of the removed items that are ready in a catalog."""
    table = Catalog(catalog)
    ids = table.item_ids[: table.n_ready]
    return [bytes(item) for item in ids[np.isin(ids, removed)]]


def _rewrite(collection: Collection, removed: np.ndarray) -> None:
    """Publish the newest catalog without the removed items, where it has any, and everything row-aligned with it."""
    old = Catalog(collection.latest("catalog"))
    left = _compared(collection)
    work = collection.work("purge", {"catalog": old.artifact.manifest.digest})
    new = old
    thumbnails = collection.parent(old.artifact, "thumbnails")
    if any(_holds(thumbnails.path / name, removed) for name in _shards(thumbnails)):
        new = Catalog(_catalog(collection, old, removed, work))
    made: dict[str, Artifact] = {}  # by the digest of what each was made of
    for kind in ("embeddings", "annotation"):  # of which some compare those
        for name in collection.spaces(kind):
            artifact = collection.latest(kind, name)
            if kind == "embeddings" and name in left:
                continue
            if artifact.manifest.parents["catalog"]["digest"] != new.artifact.manifest.digest:
                keep, out = _rows(collection, artifact, new), _emptied(work / kind / name)
                made[artifact.manifest.digest] = _aligned(collection, artifact, name, new.artifact, keep, out, made)
    collection.discard(work)


def _catalog(collection: Collection, old: Catalog, removed: np.ndarray, work: Path) -> Artifact:
    keep = np.flatnonzero(~np.isin(old.item_ids[: old.n_ready], removed))
    thumbnails = _thumbnails(collection, old, keep, removed, _emptied(work / "thumbnails"))
    table = pq.read_table(old.artifact.file(FILE))
    gone = pa.array(np.isin(old.item_ids, removed))
    at = table.column_names.index("status")
    table = table.set_column(at, "status", pc.if_else(gone, GONE, table.column("status")))
    table = catalogs.arrange(table)
    out = _emptied(work / "catalog")
    pq.write_table(table, out / FILE)
    manifest = old.artifact.manifest
    return publish(
        out,
        collection.folder("catalog"),
        "catalog",
        parents={"thumbnails": thumbnails},
        counts=catalogs.counts(table),
        config=manifest.config,
        info=manifest.info,
    )


def _thumbnails(collection: Collection, old: Catalog, keep: np.ndarray, removed: np.ndarray, out: Path) -> Artifact:
    artifact = collection.parent(old.artifact, "thumbnails")
    pictures = Thumbnails(artifact)
    for size in pictures.sizes:
        index = pq.read_table(artifact.file(index_file(size)), schema=INDEX_SCHEMA).take(pa.array(keep))
        shards = index.column("shard").cast(pa.string())
        columns = {name: index.column(name).to_numpy().copy() for name in ("offset", "size", "crc32")}
        for shard in pc.unique(shards).to_pylist():
            if not _holds(artifact.path / shard, removed):
                link_or_copy(artifact.path / shard, out / shard)
                continue
            writer = ShardWriter(out / shard)
            for at in np.flatnonzero(pc.equal(shards, shard).to_numpy(zero_copy_only=False)):
                row = int(keep[at])
                place = writer.add(old.item_ids[row].decode(), pictures.read_bytes([row], size)[0])
                columns["offset"][at], columns["size"][at], columns["crc32"][at] = place
            writer.close()
        fresh = pa.table({"shard": shards, **columns}).select(INDEX_SCHEMA.names).cast(INDEX_SCHEMA)
        pq.write_table(fresh, out / index_file(size))
    config, info, folder = artifact.manifest.config, artifact.manifest.info, collection.folder("thumbnails")
    counts = {"thumbnails": len(keep)}
    return publish(out, folder, "thumbnails", counts=counts, config=config, info=info, sharing=artifact)


def _holds(shard: Path, removed: np.ndarray) -> bool:
    with tarfile.open(shard) as archive:
        names = [Path(name).stem.encode() for name in archive.getnames()]
    return bool(np.isin(np.array(names, "S16"), removed).any())


def _aligned(
    collection: Collection,
    artifact: Artifact,
    name: str,
    catalog: Artifact,
    keep: np.ndarray,
    out: Path,
    made: Mapping[str, Artifact],
) -> Artifact:
    """Embeddings or an annotation once more, of the rows that are kept; what it was made from is what was ``made`` of that."""
    manifest = artifact.manifest
    for file in manifest.files:
        source, target = artifact.file(file), out / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if file in (VECTORS, DONE):
            rows = np.load(source, mmap_mode="r", allow_pickle=False)
            fresh = np.lib.format.open_memmap(target, mode="w+", dtype=rows.dtype, shape=(len(keep), *rows.shape[1:]))
            for part in parts(len(keep), _BLOCK):
                fresh[part] = rows[keep[part]]
            fresh.flush()
        elif file == COLUMNS:
            pq.write_table(pq.read_table(source).take(pa.array(keep)), target)
        elif not file.endswith(_DRAWN):
            shutil.copyfile(source, target)
    others = {role: made.get(pinned["digest"], pinned) for role, pinned in manifest.parents.items()}
    counts = {
        key: len(keep) if key in ("vectors", "pictures") else min(n, len(keep)) for key, n in manifest.counts.items()
    }
    return publish(
        out,
        collection.folder(manifest.kind, name),
        manifest.kind,
        parents={**others, "catalog": catalog},
        counts=counts,
        config=manifest.config,
        info=manifest.info,
    )


def _delete_old(collection: Collection) -> int:
    """Delete all that was made from an older catalog; returns how many artifacts that were."""
    catalog = collection.latest("catalog")
    keep = {(catalog.manifest.kind, catalog.id), ("thumbnails", catalog.manifest.parents["thumbnails"]["id"])}
    if collection.current:
        release = collection.release()
        keep |= {("release", release.id)}
        keep |= {(pinned["kind"], pinned["id"]) for pinned in release.manifest.parents.values()}
    count = 0
    for kind in _MADE:
        for folder in collection.folders(kind):
            for artifact_id in sorted(path.name for path in folder.iterdir() if path.is_dir()):
                if (kind, artifact_id) in keep or _made_from(folder / artifact_id, kind, catalog):
                    continue
                forget(collection, folder / artifact_id)
                collection.drop(folder / artifact_id)
                count += 1
    for scratch in (collection.path / "cache", *(collection.path / "work").glob("*")):
        if not scratch.name.startswith("evaluate-"):  # one may be under way: evaluating takes no lock
            shutil.rmtree(scratch, ignore_errors=True)
    return count


def _made_from(path: Path, kind: str, catalog: Artifact) -> bool:
    try:
        pinned = open_artifact(path, kind).manifest.parents.get("catalog")
    except ArtifactError:
        return False
    return pinned is not None and pinned["digest"] == catalog.manifest.digest


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
