"""Objectives: what training asks of the codes. One module a kind; a weighted sum of them is what is minimised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """``views``: differently augmented pictures, each (n, 3, size, size) in [0, 1]; ``codes``: their (n, dim) codes;
    ``pictures``: the same ones unchanged; ``targets``: a teacher's (n, dims) vectors of them, where there is one;
    ``labels``: (n,) int64 classes, -1 unknown; ``generator``: on the processor, for what an objective draws.
    """

    network: nn.Module
    views: tuple[Tensor, ...]
    codes: tuple[Tensor, ...]
    pictures: Tensor
    targets: Tensor | None = None
    labels: Tensor | None = None
    generator: torch.Generator | None = None


class Objective(Protocol):
    """A term. ``views`` says how many augmented views of each picture it needs."""

    views: int

    def prepare(self, network: nn.Module) -> None:
        """Make what depends on the network; ConfigError where the two do not fit."""
        ...

    def __call__(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The scalar to minimise, and what to log beside it."""
        ...
