"""The training step: views, codes, objective, and the optimiser with its schedule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from nitari.model.augment import Augment
from nitari.model.codes import measures
from nitari.model.objective import Batch, Objective
from nitari.model.trainer import Settings

# (n, side, side, 3) uint8, alone or with what ``Batch`` has beside the pictures, by name.
Pictures = Tensor | tuple[Tensor, dict[str, Tensor]]


class Training(lightning.LightningModule):
    """``done`` counts optimiser steps over every interruption, of ``total``; each step's random draws follow from
    (seed, done), and so does its learning rate.
    """

    def __init__(
        self, network: nn.Module, objective: nn.Module, augment: Augment, settings: Settings, seed: int
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.augment = augment
        self.settings = settings
        self.seed = seed
        self.total = 1
        self.steps_per_epoch = 1
        self.done = 0
        self.seconds = 0.0
        self.logged: dict[str, Tensor] = {}
        encode = cast(Any, network).encode
        self._encode = torch.compile(encode) if settings.compile else encode

    def training_step(self, batch: Pictures, index: int) -> Tensor:
        loss, logs, _ = self._loss(batch, (self.seed, self.done, self.global_rank))
        self.logged = {"loss": loss.detach(), **logs}
        return loss

    def validation_step(self, batch: Pictures, index: int) -> None:
        """val_loss, and what the codes tell without any label (``model.codes``), within a batch."""
        loss, logs, views = self._loss(batch, (self.seed, 2**31 + index, self.global_rank))
        clean = self._encode(views.pictures)
        logs = {"loss": loss, **logs, **measures(views.codes[0], clean)}
        for name, value in logs.items():
            self.log(f"val_{name}", value.float(), batch_size=len(clean), on_epoch=True, sync_dist=True)

    def on_train_batch_start(self, batch: Any, index: int) -> None:
        rate = self.settings.lr * self.schedule()
        for group in cast(torch.optim.Optimizer, self.optimizers()).param_groups:
            group["lr"] = rate * group.get("scale", 1.0)

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        super().optimizer_step(*arguments, **named)
        self.done += 1

    def schedule(self) -> float:
        """Share of the peak rate: linear warm-up, then half a cosine to zero, over steps or minutes, what is spent first."""
        spent = (self.done + 0.5) / self.total
        if self.settings.max_minutes:
            spent = max(spent, self.seconds / (60 * self.settings.max_minutes))
        if spent < self.settings.warmup:
            return spent / self.settings.warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (spent - self.settings.warmup) / (1 - self.settings.warmup))))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; biases and normalisation are not decayed, and what lies deeper in the network learns more slowly where
        ``layer_decay`` says so: Howard and Ruder, "Universal language model fine-tuning" (ACL 2018).
        """
        depth = {id(p): below for below, p in _depths(self.network)}
        groups: dict[tuple[int, bool], dict[str, Any]] = {}
        for parameter in self.parameters():
            if parameter.requires_grad:
                key = (depth.get(id(parameter), 0), parameter.ndim > 1)
                scale = self.settings.layer_decay ** key[0]
                decay = self.settings.weight_decay if key[1] else 0.0
                groups.setdefault(key, {"params": [], "weight_decay": decay, "scale": scale})["params"].append(
                    parameter
                )
        ordered = [groups[key] for key in sorted(groups, key=lambda key: (key[0], not key[1]))]
        return torch.optim.AdamW(ordered, lr=self.settings.lr, betas=self.settings.betas, fused=True)

    def _loss(self, batch: Pictures, seed: tuple[int, ...]) -> tuple[Tensor, Mapping[str, Tensor], Batch]:
        batch, beside = (batch, {}) if isinstance(batch, Tensor) else batch
        objective = cast(Objective, self.objective)
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1)
        )
        pictures = scaled(batch)
        views = tuple(channels_last(self.augment(pictures, generator)) for _ in range(objective.views))
        codes = self._encode(torch.cat(views)).chunk(len(views))
        seen = Batch(self.network, views, codes, pictures, generator=generator, **beside)
        loss, logs = objective(seen)
        return loss, logs, seen


def _depths(network: nn.Module) -> Iterator[tuple[int, nn.Parameter]]:
    """Parameters with how many of the network's layers lie between them and its code, where it tells its ``layers``."""
    layers = getattr(network, "layers", [])
    for below, layer in enumerate(reversed(list(layers))):
        for parameter in layer.parameters():
            yield below, parameter


def scaled(batch: Tensor) -> Tensor:
    """(n, side, side, 3) uint8 -> (n, 3, side, side) float32 in [0, 1], channels last in memory."""
    return batch.permute(0, 3, 1, 2).float().div_(255.0)


def channels_last(pictures: Tensor) -> Tensor:
    return pictures.contiguous(memory_format=torch.channels_last)
