"""Shards of extract: some pictures of a catalog -> their vectors, in threads of this process or as tasks of an executor."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.executor import Beat, Executor
from nitari.extractor import Extractor, create
from nitari.extractor.postprocess import PostProcess
from nitari.extractor.stored import Finished
from nitari.files import sync
from nitari.steps.pictures import Pictures
from nitari.steps.shards import fill, spread

log = logging.getLogger(__name__)

TASK = "nitari.steps.extract_shard:work"


@dataclass(frozen=True)
class Shards:
    """``made_from``: the encoder or vocabulary of ``extractor``, by kind. ``size``: pictures a shard. ``threads`` of this
    process do the work, unless ``executor`` has other machines.
    """

    pictures: Pictures
    extractor: Extractor
    made_from: Mapping[str, Artifact]
    size: int
    threads: int
    executor: Executor | None

    def run(
        self,
        work: Path,
        marks: str,
        rows: np.ndarray,
        into: np.memmap,
        at: np.ndarray,
        finished: Finished | None,
        fitted: Path | None,
        report: Callable[[int], None],
    ) -> None:
        """Write the vectors of catalog ``rows`` to rows ``at`` of ``into``: as ``finished`` leaves them, whose
        post-processing is in the file ``fitted``, or raw. ``marks`` under ``work`` says which shards are done.
        """
        done = work / f"{marks}.npy"
        if self.executor is None or self.executor.here:

            def store(part: slice) -> None:
                vectors, warning = raw(self.extractor, self.pictures, rows[part])
                if warning:
                    log.warning("%s", warning)
                into[at[part]] = vectors if finished is None else finished.finish(vectors)

            fill(done, len(rows), self.size, store, into.flush, threads=self.threads, report=report)
            return
        chosen, folder = work / f"{marks}-rows.npy", work / f"{marks}-parts"
        np.save(chosen, rows)
        folder.mkdir(exist_ok=True)

        def file(part: slice) -> Path:
            return folder / f"{part.start:012d}.npy"

        def take(part: slice) -> None:
            into[at[part]] = np.load(file(part), allow_pickle=False)

        common = {
            "catalog": str(self.pictures.catalog.artifact.path.absolute()),
            "extractor": self.extractor.spec,
            "made_from": {kind: str(artifact.path.absolute()) for kind, artifact in self.made_from.items()},
            "rows": str(chosen.absolute()),
            "fitted": fitted and str(fitted.absolute()),
            "dtype": finished and finished.space.dtype,
        }
        spread(done, len(rows), self.size, self.executor, TASK, common, file, take, into.flush, report=report)


def work(payload: dict[str, Any], beat: Beat, blamed: dict[int, str]) -> dict[str, Any]:
    """Write the vectors of rows ``start`` to ``stop``, as they are stored, or raw where ``common`` has no ``dtype``."""
    job = _job(json.dumps(payload["common"], sort_keys=True))
    rows = np.load(job.rows, mmap_mode="r", allow_pickle=False)[payload["start"] : payload["stop"]]
    vectors, warning = raw(job.extractor, job.pictures, rows)
    if job.finished is not None:
        vectors = job.finished.finish(vectors)
    file = Path(payload["file"])
    aside = file.with_suffix(f".{secrets.token_hex(4)}.tmp")
    with aside.open("wb") as out:
        np.save(out, vectors, allow_pickle=False)
    sync(aside)
    aside.replace(file)
    return {"warning": warning}


def raw(extractor: Extractor, pictures: Pictures, rows: np.ndarray) -> tuple[np.ndarray, str | None]:
    """The extractor's vectors of some pictures, zeros where it gives a number that is not finite; and a word on those."""
    vectors = extractor.extract(pictures.read(rows, extractor.side))
    bad = ~np.isfinite(vectors).all(axis=1)
    if not bad.any():
        return vectors, None
    names = ", ".join(r["file_name"] for r in pictures.catalog.records(rows[bad][:3], ["file_name"]))
    warning = f"{bad.sum()} pictures got vectors that are not finite, stored as zeros: {names}"
    return np.where(bad[:, None], 0, vectors), warning


class _Job:
    def __init__(self, common: Mapping[str, Any]) -> None:
        path = Path(common["catalog"])
        collection = Collection(path.parent.parent.parent, path.parent.parent.name)
        spec = dict(common["extractor"])
        for kind, artifact in common["made_from"].items():
            spec.pop(kind, None)
            spec["path"] = Path(artifact)
        self.extractor = create(spec)
        self.pictures = Pictures(collection, Catalog(collection.open("catalog", path.name)))
        self.rows = Path(common["rows"])
        self.finished: Finished | None = None
        if common["dtype"] is not None:
            fitted = PostProcess.load(Path(common["fitted"])) if common["fitted"] else None
            self.finished = Finished(self.extractor, fitted, common["dtype"])


@lru_cache(maxsize=1)
def _job(common: str) -> _Job:
    """Kept from shard to shard."""
    return _Job(json.loads(common))
