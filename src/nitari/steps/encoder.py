"""What an encoder's directory holds beside its lists: the network, what follows it, its companions, a look at its codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from nitari.extractor import companion, postprocess
from nitari.extractor.companion import Companion, fuse
from nitari.extractor.encoder import FUSED, ONNX, POSTPROCESS, WEIGHTS, OnnxRuntime, average
from nitari.model.data import Data, Packed
from nitari.model.export import export
from nitari.model.module import scaled
from nitari.model.quantise import CALIBRATION, quantise
from nitari.steps import Progress, silent
from nitari.steps.pictures import Pictures
from nitari.threads import pool

RECONSTRUCTIONS = "reconstructions.png"
CHUNK = 256


@dataclass(frozen=True)
class Encode:
    """What follows the network. ``int8`` computes it in 8-bit integers where codes stay the same (``model.quantise``);
    ``mirror`` averages each code with the mirrored picture's. ``postprocess`` are the arguments of ``extractor.postprocess.fit`` (None: nothing), fitted
    on at most ``max_items`` training pictures. ``beside`` are extractors' specifications by name, whose vectors share the
    space by their ``weights``, the code having 1 (``extractor.companion``); fitted on ``max_beside`` pictures, as is the
    post-processing that brings all of it together by the arguments ``reduce`` (None: as it is).
    """

    mirror: bool = True
    int8: bool = True
    postprocess: Mapping[str, Any] | None = field(default_factory=lambda: {"center": True, "pca": 128, "whiten": 0.5})
    max_items: int = 50_000
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    max_beside: int = 20_000
    reduce: Mapping[str, Any] | None = field(default_factory=lambda: {"pca": 256})


def write(
    out: Path,
    network: nn.Module,
    untrained: nn.Module,
    source: Packed,
    pictures: Pictures,
    rows: np.ndarray,
    how: Encode,
    seed: int,
    progress: Progress = silent,
    threads: int = 1,
) -> dict[str, Any]:
    """Every file of an encoder but its lists; returns what its manifest says of it.

    ``rows`` are the catalog rows that trained, in the order of ``source.train``.
    """
    difference = export(network, out / ONNX)
    agreement = None
    if how.int8:
        agreement = quantise(out / ONNX, source.pictures[source.train[_some(len(rows), CALIBRATION, seed)]])
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, out / WEIGHTS)
    chosen = _some(len(rows), how.max_items, seed)
    raw = codes(
        out / ONNX, source.pictures, source.train[chosen], mirror=how.mirror, progress=progress, threads=threads
    )
    after = None
    if how.postprocess is not None:
        after = postprocess.fit(raw, **how.postprocess)
        after.save(out / POSTPROCESS)
    some = _some(len(chosen), how.max_beside, seed)
    beside, vectors = companions(pictures, rows[chosen[some]], how, progress, threads)
    for other in beside:
        if other.after is not None:
            other.after.save(out / other.file)
    dim = int(network.dim)  # type: ignore[arg-type]
    out_dim = (after.dim if after else dim) + sum(other.dim for other in beside)
    if beside and how.reduce is not None:
        fused = postprocess.fit(fuse(after(raw[some]) if after else raw[some], vectors), **how.reduce)
        fused.save(out / FUSED)
        out_dim = fused.dim
    if getattr(network, "decoder", None) is not None:
        seen = source.held_out if len(source.held_out) else source.train
        reconstructions(network, untrained, source.pictures[seen[:10]]).save(out / RECONSTRUCTIONS)
    return {
        "side": int(network.size),  # type: ignore[arg-type]
        "fit": source.fit,
        "mirror": how.mirror,
        "dim": dim,
        "out_dim": out_dim,
        "beside": {other.name: other.note for other in beside},
        "onnx_difference": difference,
        "int8_cosine": agreement,
    }


def codes(
    path: Path,
    pictures: np.ndarray,
    positions: np.ndarray,
    *,
    mirror: bool,
    progress: Progress = silent,
    threads: int = 1,
) -> np.ndarray:
    """(n, d) float32 raw codes of packed pictures, as the extractor computes them."""
    runtime = OnnxRuntime(path, threads)
    parts = []
    for start in range(0, len(positions), 64):
        parts.append(average(runtime, pictures[positions[start : start + 64]], mirror))
        progress(min(start + 64, len(positions)), len(positions))
    return np.concatenate(parts)


def companions(
    pictures: Pictures, rows: np.ndarray, how: Encode, progress: Progress = silent, threads: int = 1
) -> tuple[list[Companion], list[np.ndarray]]:
    """The descriptors that share the space, each post-processed as it wishes, fitted on the pictures of ``rows``; and
    their (n, dim) vectors.
    """
    found, vectors = [], []
    for name, (extractor, weight) in companion.wanted(how.beside, how.weights).items():
        raw = np.empty((len(rows), extractor.space.dim), np.float32)

        def fill(start: int, raw: np.ndarray = raw, extractor: Any = extractor) -> None:
            part = slice(start, start + CHUNK)
            raw[part] = extractor.extract(pictures.read(rows[part], extractor.side))

        with pool(threads) as workers:
            for number, _ in enumerate(workers.map(fill, range(0, len(rows), CHUNK)), start=1):
                progress(min(number * CHUNK, len(rows)), len(rows))
        found.append(companion.fitted(name, extractor, weight, raw))
        vectors.append(found[-1].finish(raw))
    return found, vectors


@torch.no_grad()
def reconstructions(after: Any, before: Any, pictures: np.ndarray) -> Image.Image:
    """Three rows: the pictures, what the untrained network makes of them, and what the trained one does."""
    batch = scaled(torch.from_numpy(pictures))
    rows = [batch, *(network.eval().decode(network.encode(batch)) for network in (before, after))]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    return Image.fromarray((sheet.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy())


def _some(n: int, most: int, seed: int) -> np.ndarray:
    """Ascending positions, all or a seeded sample."""
    return Data(max_items=most).choose(np.ones(n, bool), seed)[0]
