"""How long, how fast and on what a network trains; Lightning does the loop."""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pytorch_lightning as lightning
import torch
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from nitari.errors import ConfigError

PRECISIONS = ("auto", "bf16", "float32")


@dataclass(frozen=True)
class Settings:
    """What is spent first ends the training: ``epochs``, ``max_steps`` or ``max_minutes`` (interruptions not counted).

    The learning rate follows whichever is further, so that it always ends at zero. The weights kept are those of the last
    epoch whose copy recall was within a standard error of the best. ``patience``: epochs without a better val_loss after
    which training stops. ``batch`` is that of each process: of ``devices`` together, a step takes so many times as many
    pictures, gradients are averaged, and what compares pictures of a batch (agreement, batch normalisation) sees a process's
    own. ``layer_decay``: how much slower each layer learns than the one after it. ``save_every``: seconds between saved states.
    """

    epochs: int = 40
    max_steps: int | None = 20_000
    max_minutes: float | None = None
    batch: int = 128
    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.02
    layer_decay: float = 1.0
    warmup: float = 0.05
    clip: float | None = None
    patience: int | None = None
    save_every: float = 15.0
    accelerator: str = "auto"
    devices: int | str = 1
    strategy: str = "auto"
    precision: str = "auto"
    compile: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.precision not in PRECISIONS:
            raise ConfigError(f"trainer.precision is '{self.precision}'. Choose one of: {', '.join(PRECISIONS)}")
        if self.epochs < 1 or self.batch < 2:
            raise ConfigError(f"trainer.epochs is {self.epochs} and trainer.batch {self.batch}: give at least 1 and 2")

    def total(self, steps_per_epoch: int) -> int:
        """Optimiser steps at most."""
        return min(self.epochs * steps_per_epoch, self.max_steps or 2**62)

    def budget(self) -> dict[str, Any]:
        """What decides the result; a run with the same goes on where another was interrupted."""
        skip = {"save_every", "accelerator", "devices", "strategy", "threads", "compile"}
        return {name: value for name, value in vars(self).items() if name not in skip}


def trainer(settings: Settings, callbacks: Sequence[lightning.Callback], *, validate: bool) -> lightning.Trainer:
    """A Trainer that prints nothing, and writes nothing but through ``callbacks``. Its loader says when an epoch ends."""
    strategy: Any = settings.strategy
    if strategy == "ddp":
        # Processes are started afresh rather than from the command line, which need not be a script.
        strategy = DDPStrategy(start_method="spawn", find_unused_parameters=True)
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if bf16_helps(settings.accelerator) else "float32"
    try:
        return lightning.Trainer(
            accelerator=settings.accelerator,
            devices=settings.devices,
            strategy=strategy,
            precision="bf16-mixed" if precision == "bf16" else "32-true",
            max_epochs=settings.epochs,
            gradient_clip_val=settings.clip,
            callbacks=list(callbacks),
            reload_dataloaders_every_n_epochs=1,
            limit_val_batches=1.0 if validate else 0,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, ValueError, ImportError) as error:  # a device or strategy that is not here
        raise ConfigError(
            f"trainer.accelerator is '{settings.accelerator}', devices {settings.devices}, strategy '{settings.strategy}': "
            f"{str(error).splitlines()[0]} trainer.accelerator=auto takes what is here"
        ) from None


def bf16_helps(accelerator: str = "auto") -> bool:
    """Whether this device computes in bfloat16; where it only pretends to, float32 is faster."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C stays a KeyboardInterrupt; Lightning would leave the process, and ignore further ones."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if main:
            signal.signal(signal.SIGINT, before)


class ProcessorThreads(lightning.Callback):
    """So many of torch's threads; None: one a core, or one alone where that is quicker, looked at again ``every`` so many
    seconds, as other work comes and goes. ``with`` it, they are afterwards as they were.

    Threads that share an operation wait for the slowest of them: on a machine busy with other work, two took ten times
    as long as one.
    """

    def __init__(self, threads: int | None, every: float = 120.0) -> None:
        self.threads = threads
        self.every = every
        self.before = self.most = torch.get_num_threads()
        self._chosen = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self.before)

    def on_fit_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.most = torch.get_num_threads()  # of this process: Lightning divides the machine's among several
        if self.threads:
            torch.set_num_threads(self.threads)
        else:
            self._choose(module)

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: object) -> None:
        if not self.threads and time.monotonic() > self._chosen + self.every:
            self._choose(module)

    def _choose(self, module: lightning.LightningModule) -> None:
        if module.device.type == "cpu" and self.most > 1:
            torch.set_num_threads(self.most if _seconds(self.most) < _seconds(1) else 1)
        self._chosen = time.monotonic()


def _seconds(threads: int) -> float:
    """Of some convolutions as training has them."""
    torch.set_num_threads(threads)
    kernels = torch.zeros(64, 64, 3, 3, requires_grad=True)  # drawn ones would move what training draws
    pictures = torch.zeros(64, 64, 16, 16)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        with torch.enable_grad():
            torch.nn.functional.conv2d(pictures, kernels, padding=1).sum().backward()
        times.append(time.perf_counter() - start)
    return sum(times[2:])


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning's advice is about its own loaders and loggers, which are not used."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for name in ("pytorch_lightning", "lightning_fabric", "torch"):
            warnings.filterwarnings("ignore", module=rf"{name}\b")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
