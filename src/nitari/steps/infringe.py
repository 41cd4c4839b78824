"""Infringe: a foreign source against a release, shard by shard, so that a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.changes import Stamp
from nitari.collection import Collection
from nitari.executor import available_cores
from nitari.files import sync
from nitari.recommend.verdict import VERDICTS
from nitari.source import Source
from nitari.steps import Progress, silent
from nitari.steps.ingest import ingest
from nitari.steps.matching import Matcher, same_bytes
from nitari.steps.pictures import Pictures
from nitari.steps.shards import Tally, fill

SHARD = 32
"""Pictures a shard."""


class Infringements:
    """What a run found. ``foreign`` reads the foreign pictures; ``tables`` gives the results part by part, in their order."""

    def __init__(self, folder: Path, foreign: Pictures, matcher: Matcher) -> None:
        self.folder = folder
        self.foreign = foreign
        self.schema = matcher.schema
        self._unreadable = matcher.unreadable(foreign.catalog)

    def tables(self) -> Iterator[pa.Table]:
        for part in sorted(self.folder.glob("part-*.parquet")):
            yield pq.read_table(part, schema=self.schema)
        yield self._unreadable

    def counts(self) -> dict[str, int]:
        """Foreign pictures by their first original's verdict."""
        found: Counter[str] = Counter()
        for table in self.tables():
            found.update(table.filter(pc.less_equal(table.column("rank"), 1)).column("verdict").to_pylist())
        return {verdict: found[verdict] for verdict in (*VERDICTS, "unreadable")}

    def unreadable(self, count: int) -> list[dict[str, str]]:
        """The first foreign pictures that could not be read: ``query``, and ``message``, why."""
        return self._unreadable.select(["query", "message"]).slice(0, count).to_pylist()

    def best(self, verdict: str, count: int) -> list[list[dict[str, Any]]]:
        """The rows of the first ``count`` foreign pictures whose verdict this is, nearest originals first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for table in self.tables():
            first = table.filter(pc.and_(pc.equal(table.column("rank"), 1), pc.equal(table.column("verdict"), verdict)))
            wanted = first.column("query_id").slice(0, count - len(found)).combine_chunks()
            for row in table.filter(pc.is_in(table.column("query_id"), value_set=wanted)).to_pylist():
                found.setdefault(row["query_id"], []).append(row)
            if len(found) == count:
                break
        return list(found.values())


def infringe(
    matcher: Matcher,
    release: Artifact,
    source: Source,
    work: Path,
    *,
    changes: Stamp | None = None,
    threads: int | None = None,
    reading: Progress = silent,
    comparing: Progress = silent,
) -> Infringements:
    """Read the source's pictures into ``work`` as ingest does, and compare each with the release's.

    The same limits, thumbnails and treatment as the release's own pictures had. A picture that cannot be read has its
    reason and ends nothing. Run again with the same ``work``, what was read and compared before is kept; compared with
    a release as ``changes`` had left it.
    """
    collection = Collection(work, "foreign")
    settings = matcher.pictures.thumbnails
    artifact = ingest(
        collection,
        source.listing(),
        source_name=source.name,
        sizes=settings.sizes,
        limits=matcher.pictures.limits,
        background=matcher.pictures.background,
        quality=matcher.pictures.quality,
        most_gone=1.0,  # a killed run may have looked at other queries
        workers=threads,
        about=source.about,
        progress=reading,
    )
    catalog = Catalog(artifact)
    foreign = Pictures(collection, catalog)
    key = {
        "release": release.manifest.digest,
        "changes": changes,
        "foreign": artifact.manifest.digest,
        "matcher": [matcher.k, matcher.turned, matcher.trimmed, matcher.checks],
        "spaces": {name: list(space.limit or ()) for name, space in matcher.spaces.items()},
    }
    folder = work / f"found-{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    same = same_bytes(catalog, matcher.pictures.catalog)

    def store(part: slice) -> None:
        table = matcher.match(foreign, range(part.start, part.stop), same)
        file = folder / f"part-{part.start:09d}.parquet"
        aside = file.with_suffix(".tmp")
        pq.write_table(table, aside)
        sync(aside)
        aside.replace(file)

    fill(
        folder / "done.npy",
        catalog.n_ready,
        SHARD,
        store,
        lambda: None,
        threads=threads or available_cores(),
        report=Tally(comparing, catalog.n_ready),
    )
    return Infringements(folder, foreign, matcher)
