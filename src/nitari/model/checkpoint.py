"""The state of a training under way: one safetensors file, so that nothing of it can run code when it is read."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nitari.files import sha256_of, sync

log = logging.getLogger(__name__)


@dataclass
class State:
    """``module``: the module's tensors. ``optimizer``: by "<parameter number>.<name>". ``notes``: plain values."""

    module: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    notes: dict[str, Any]


def save(folder: Path, step: int, state: State) -> Path:
    """Write the state aside, fsync, rename it to a name that carries its checksum, and remove the older ones."""
    tensors = {f"module/{k}": v.detach().cpu().contiguous() for k, v in state.module.items()}
    tensors |= {f"optimizer/{k}": v.detach().cpu().contiguous() for k, v in state.optimizer.items()}
    aside = folder / f".state.{os.getpid()}.tmp"
    save_file(tensors, aside, metadata={"notes": json.dumps(state.notes)})
    sync(aside)
    final = folder / f"state-{step:08d}-{sha256_of(aside)[:16]}.safetensors"
    aside.replace(final)
    sync(folder)
    for old in _all(folder):
        if old != final:
            old.unlink(missing_ok=True)
    return final


def load(folder: Path) -> State | None:
    """The newest whole state; a damaged one is said, and passed over."""
    for path in _all(folder):
        if sha256_of(path)[:16] != path.stem.rpartition("-")[2]:
            log.warning("The saved state '%s' is damaged and was not loaded", path)
            continue
        try:
            with safe_open(path, "pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                notes = json.loads(file.metadata()["notes"])
        except (SafetensorError, KeyError, ValueError) as error:
            log.warning("The saved state '%s' cannot be read: %s", path, error)
            continue
        parts = {
            kind: {k.removeprefix(f"{kind}/"): v for k, v in tensors.items() if k.startswith(f"{kind}/")}
            for kind in ("module", "optimizer")
        }
        return State(parts["module"], parts["optimizer"], notes)
    return None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = {}
    for number, parameter in enumerate(_parameters(optimizer)):
        for name, value in optimizer.state.get(parameter, {}).items():
            state[f"{number}.{name}"] = torch.as_tensor(value)
    return state


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Moments get the memory layout of their parameter, as the optimiser itself gives them."""
    for number, parameter in enumerate(_parameters(optimizer)):
        for key, value in tensors.items():
            at, _, name = key.partition(".")
            if int(at) == number:
                like = torch.empty_like(parameter) if value.shape == parameter.shape else value.clone()
                optimizer.state[parameter][name] = like.copy_(value) if value.shape == parameter.shape else like


def _parameters(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"), reverse=True)
