"""Training beside a bare loop over the same network and optimiser; the loader alone; runtimes of the encoder.

    .venv/bin/python -m benchmarks.training

The photos of ../shared/data/clothing at 64 px, or noise where they are absent. Rounds alternate and medians are given.
Writes benchmarks/results/training.json and .md.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from nitari import conf
from nitari.artifact import publish
from nitari.extractor.encoder import ONNX, WEIGHTS, OnnxRuntime, average
from nitari.model import create
from nitari.model.augment import Augment
from nitari.model.canvas import canvas
from nitari.model.data import Batches, Data, Packed
from nitari.model.export import export
from nitari.model.module import Training
from nitari.model.quantise import quantise
from nitari.model.runtime import TorchRuntime
from nitari.model.trainer import Settings, bf16_helps
from nitari.steps.fit import run, seeded
from nitari.steps.recipe import Recipe

RESULTS = Path(__file__).parent / "results"
PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "clothing"
CONF = Path(str(conf.__file__)).parent
SIDE, STEPS, ROUNDS = 64, 24, 3


def main() -> None:
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = packed(folder)
        recipe = Recipe(
            choice("model/autoencoder"),
            choice("objective/full"),
            Augment(**arguments("augment/full")),
            Data(),
            Settings(epochs=1, max_steps=STEPS, threads=threads),
        )
        results = {
            "machine": {"threads": threads, "torch": torch.__version__, "bf16": bf16_helps()},
            "pictures": len(np.load(path, mmap_mode="r")),
            "training": training(folder, path, recipe),
            "loader_alone": loader(path, recipe.trainer.batch),
            "precision": precision(path, recipe),
            "extraction_one_thread": runtimes(folder, path, recipe),
        }
    trained = results["training"]["lightning"]
    results["lightning_over_bare"] = round(trained / results["training"]["bare"], 3)
    results["loader_over_training"] = round(results["loader_alone"] / trained, 1)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "training.md").write_text(markdown(results))
    print(markdown(results))


def training(folder: Path, path: Path, recipe: Recipe) -> dict[str, float]:
    """Pictures a second of ``steps.fit.run``'s loop and of a bare one, two augmented views each."""
    n = len(np.load(path, mmap_mode="r"))
    rates: dict[str, list[float]] = {"lightning": [], "bare": []}
    for number in range(ROUNDS):
        work = folder / f"work-{number}"
        work.mkdir()
        source = Packed(path, np.arange(n), np.arange(0), recipe.trainer.batch, number)
        _, journal = run(work, seeded(recipe), recipe, source)
        rates["lightning"].append(journal.history[-1]["pictures_per_second"])
        rates["bare"].append(bare(path, recipe, bf16=bf16_helps(), last=True))
    return {name: round(statistics.median(values), 1) for name, values in rates.items()}


def bare(path: Path, recipe: Recipe, *, bf16: bool, last: bool, steps: int = STEPS) -> float:
    """Pictures a second of a loop without Lightning, journal or saved states."""
    module = made(path, recipe, last)
    optimizer = module.configure_optimizers()
    pictures = np.load(path, mmap_mode="r")
    batches = Batches(pictures, np.arange(len(pictures)), recipe.trainer.batch, seed=0, stop=steps)
    module.train()
    start, done = time.perf_counter(), 0
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss, _, _ = module._loss(batch, (0, done))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += len(batch)
    return done / (time.perf_counter() - start)


def made(path: Path, recipe: Recipe, last: bool) -> Training:
    network, objective = seeded(recipe), create(recipe.objective)
    objective.prepare(network)
    network.to(memory_format=torch.channels_last if last else torch.contiguous_format)
    return Training(network, objective, recipe.augment, recipe.trainer, 0)


def loader(path: Path, batch: int) -> float:
    """Pictures a second of reading alone, in the order of training."""
    pictures = np.load(path, mmap_mode="r")
    start, done = time.perf_counter(), 0
    for epoch in range(10):
        for part in Batches(pictures, np.arange(len(pictures)), batch, seed=0, epoch=epoch):
            done += len(part)
    return round(done / (time.perf_counter() - start), 1)


def precision(path: Path, recipe: Recipe) -> dict[str, float]:
    """Pictures a second of the bare loop, by precision and memory layout."""
    return {
        f"{'bf16' if bf16 else 'float32'}{', channels last' if last else ''}": round(
            bare(path, recipe, bf16=bf16, last=last, steps=8), 1
        )
        for bf16 in (False, True)
        for last in (False, True)
    }


def runtimes(folder: Path, path: Path, recipe: Recipe) -> dict[str, float]:
    """Pictures a second of the encoder, batch 64, one thread, by runtime."""
    network = seeded(recipe)
    work = folder / "encoder"
    work.mkdir()
    export(network, work / ONNX)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, work / WEIGHTS)
    artifact = publish(work, folder / "encoders", "encoder", info={"model": dict(recipe.model)})
    pictures = np.load(path, mmap_mode="r")
    batch = np.ascontiguousarray(pictures[:64])
    small = folder / "small.onnx"
    shutil.copy(artifact.file(ONNX, full=True), small)
    quantise(small, pictures[:512])
    tiny, quarter = folder / "tiny.onnx", np.ascontiguousarray(pictures[:, ::2, ::2])
    export(create({**recipe.model, "size": 32}), tiny)
    quantise(tiny, quarter[:512])
    with one_thread():
        eight = OnnxRuntime(small, 1)
        half = OnnxRuntime(tiny, 1)
        runs: dict[str, Callable[[np.ndarray], Any]] = {
            "ONNX Runtime": OnnxRuntime(artifact.file(ONNX, full=True), 1),
            "torch, channels last": TorchRuntime(artifact, "cpu"),
            "torch, channels last, bf16": TorchRuntime(artifact, "cpu", bf16=True),
            "ONNX Runtime, 8 bits": eight,
            "ONNX Runtime, 8 bits, mirrored": lambda x: average(eight, x, mirror=True),
            "ONNX Runtime, 8 bits, 32 px": lambda x: half(quarter[: len(x)]),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(20):
            for name, infer in runs.items():
                start = time.perf_counter()
                infer(batch)
                times[name].append(time.perf_counter() - start)
    return {name: round(len(batch) / statistics.median(values[3:]), 1) for name, values in times.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def packed(folder: Path) -> Path:
    photos = sorted(PHOTOS.rglob("*.jpg"))
    if photos:
        pictures = np.concatenate([canvas([np.asarray(Image.open(p).convert("RGB"))], SIDE) for p in photos])
    else:
        pictures = np.random.default_rng(0).integers(0, 256, (3000, SIDE, SIDE, 3)).astype(np.uint8)
    np.save(folder / "pictures.npy", pictures)
    return folder / "pictures.npy"


def choice(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


def arguments(name: str) -> dict[str, Any]:
    return {key: value for key, value in choice(name).items() if key != "_target_"}


def markdown(results: dict[str, Any]) -> str:
    trained = results["training"]
    lines = [
        "# Training",
        "",
        f"{results['pictures']:,} photos at {SIDE} px, {results['machine']['threads']} threads of {os.cpu_count()} cores, "
        f"torch {results['machine']['torch']}; pictures a second, two augmented views of each.",
        "",
        "| what | pictures/s |",
        "|---|---|",
        f"| Lightning: journal, saved states and all | {trained['lightning']:,.0f} |",
        f"| bare loop, same network and optimiser | {trained['bare']:,.0f} (ratio {results['lightning_over_bare']}) |",
        f"| loader alone | {results['loader_alone']:,.0f} ({results['loader_over_training']:,.0f} times training) |",
        *(f"| bare loop, {name} | {rate:,.0f} |" for name, rate in results["precision"].items()),
        "",
        "The encoder alone, batch 64, one thread:",
        "",
        "| runtime | pictures/s |",
        "|---|---|",
        *(f"| {name} | {rate:,.0f} |" for name, rate in results["extraction_one_thread"].items()),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
