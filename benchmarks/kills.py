"""Kills ingest, fit, extract and build at random moments, and compares what the reruns end with.

    .venv/bin/python -m benchmarks.kills
    .venv/bin/python -m benchmarks.kills KILLS SEED

The sample (the extra 'samples') goes through the four jobs once undisturbed, and once with SIGKILL at random moments,
KILLS in all. After each kill every published artifact is verified in full; at the end, catalog and vectors must be the
same to the bit. Writes benchmarks/results/kills.json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from nitari import catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import NitariError

RESULTS = Path(__file__).parent / "results"
JOBS = ("ingest", "fit", "extract", "build")
SETTINGS = {
    "ingest": ["source=sample", "workers=2"],
    "fit": ["trainer.epochs=2", "trainer.batch=64", "trainer.save_every=1", "where=provider=aws"],
    "extract": ["extractor=encoder"],
    "build": [],
}


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    random = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), kills, random)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "kills.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows, indent=1))
    if not rows["same_catalog"] or not rows["same_vectors"] or rows["half_made"]:
        sys.exit("What the killed jobs ended with differs")


def measure(root: Path, kills: int, random: np.random.Generator) -> dict[str, object]:
    """Undisturbed first, which also tells how long each job takes; then the same jobs killed."""
    context = get_context("spawn")
    seconds = {}
    for job in JOBS:
        started = time.monotonic()
        _, ready = _start(context, root / "calm", job)
        process, begun = ready
        process.join()
        seconds[job] = time.monotonic() - begun
        assert process.exitcode == 0, f"{job} failed undisturbed"
        print(f"{job}: {seconds[job]:.1f} s undisturbed ({time.monotonic() - started:.1f} s with starting)", flush=True)
    half_made: list[str] = []
    moments = []
    for job in JOBS:
        share = kills // len(JOBS)
        for _ in range(share):  # in small steps, so that each finds something left to do
            _, (process, begun) = _start(context, root / "killed", job)
            moment = float(random.uniform(0, 1.5 * seconds[job] / share))
            process.join(max(0.0, begun + moment - time.monotonic()))
            if process.exitcode is None:
                os.kill(process.pid or 0, signal.SIGKILL)
                process.join()
                moments.append({"job": job, "seconds": round(moment, 2)})
            half_made += _verify(Collection(root / "killed", "sample"))
        _, (process, _) = _start(context, root / "killed", job)
        process.join()
        assert process.exitcode == 0, f"{job} failed after it was killed"
    calm, killed = (Collection(root / name, "sample") for name in ("calm", "killed"))
    return {
        "kills": len(moments),
        "moments": moments,
        "half_made": half_made,
        "same_catalog": _table(calm).equals(_table(killed)),
        "same_vectors": bool(np.array_equal(_vectors(calm), _vectors(killed))),
    }


def _start(context, root: Path, job: str):
    """Start a job in a process of its own; returns once it has imported what it needs."""
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(str(root), job, SETTINGS[job], send))
    process.start()
    send.close()
    receive.recv_bytes()
    return job, (process, time.monotonic())


def _work(root: str, job: str, settings: Sequence[str], ready) -> None:
    import importlib

    from hydra import compose, initialize_config_module

    from nitari.train.overrides import quote

    module = importlib.import_module(f"nitari.train.{job}")
    words = ["collection=sample", f"root={root}", "tracking=null", *settings]
    with initialize_config_module("nitari.conf", version_base="1.3"):
        cfg = compose(job, overrides=quote(words))
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    ready.send_bytes(b"ready")
    module.run(cfg)


def _verify(collection: Collection) -> list[str]:
    """The published artifacts that are not whole."""
    damaged = []
    for kind in ("catalog", "thumbnails", "encoder", "embeddings", "index", "release"):
        for space in collection.spaces(kind) if kind in ("embeddings", "index") else [None]:
            for artifact_id in collection.ids(kind, space):
                try:
                    collection.open(kind, artifact_id, space).verify(full=True)
                except NitariError as error:
                    damaged.append(str(error))
    return damaged


def _table(collection: Collection):
    return pq.read_table(collection.latest("catalog").file(catalog.FILE))


def _vectors(collection: Collection) -> np.ndarray:
    return Embeddings(collection.latest("embeddings", "encoder")).vectors


if __name__ == "__main__":
    main()
