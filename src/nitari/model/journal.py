"""What happens around training steps: the saved state, the learning curve, the time spent, and when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from torch import Tensor

from nitari.errors import NitariError
from nitari.model import checkpoint
from nitari.model.checkpoint import State
from nitari.model.module import Training

Log = Callable[[Mapping[str, float], int], None]


class Journal(lightning.Callback):
    """Keeps ``folder``'s state, so that a killed training goes on at the same step with the same numbers.

    ``history`` has one row an epoch: step, epoch, learning_rate, pictures_per_second, the means of what training logged
    (``train_*``) and what validation found (``val_*``). ``log`` gets each row as it comes.

    ``best_module`` are the weights of the last epoch whose copy recall on held-out pictures was within one standard error
    of the best: the rule of Breiman et al., "Classification and regression trees" (1984), as later epochs are the riper.
    """

    def __init__(
        self, folder: Path, *, progress: Callable[[int, int], None] | None = None, log: Log | None = None
    ) -> None:
        self.folder = folder
        self.progress, self.report = progress, log
        self.history: list[dict[str, float]] = []
        self.best: tuple[float, int] = (math.inf, 0)  # val_loss, epoch
        self.kept: dict[str, float] = {}  # epoch, copy_recall and best_copy_recall, where any picture is held out
        self.best_module: dict[str, Tensor] = {}
        self.sums: dict[str, Tensor] = {}
        self.steps = 0.0
        self.total: int | None = None  # steps of the whole training, as the saved state counted them
        self.finished = False
        self._optimizer: dict[str, Tensor] = {}
        self._clock = self._saved = 0.0
        self._epoch_seconds = 0.0

    def resume(self, module: Training) -> None:
        """Take up the state of an interrupted training, where there is one."""
        state = checkpoint.load(self.folder)
        if state is None:
            return
        notes = state.notes
        own = module.state_dict()
        module.load_state_dict({k: v for k, v in state.module.items() if k in own})
        self.best_module = {k.removeprefix("best/"): v for k, v in state.module.items() if k.startswith("best/")}
        module.done, module.seconds = int(notes["done"]), float(notes["seconds"])
        self.history, self.best, self.finished = notes["history"], tuple(notes["best"]), notes["finished"]
        self.kept = notes["kept"]
        self.sums = {k: torch.tensor(v, dtype=torch.float64) for k, v in notes["sums"].items()}
        self.steps, self._epoch_seconds = float(notes["steps"]), float(notes["epoch_seconds"])
        self.total = notes.get("total")
        self._optimizer = state.optimizer

    def recount(self, module: Training) -> None:
        """Go on as far through training as the saved state was, where ``module.total`` counts other steps than it did: with
        another number of processes, a step takes another number of pictures, and an epoch another number of steps.
        """
        before, now = self.total or module.total, module.total
        if before != now:
            module.done = module.done * now // before
            self.steps *= now / before
            self.sums = {name: value * (now / before) for name, value in self.sums.items()}
        epochs = {0: 0}
        for row in self.history:
            row["step"] = int(row["step"]) * now // before
            epochs[int(row["epoch"])] = row["epoch"] = _epoch(int(row["step"]), module)
        self.best = (self.best[0], epochs[self.best[1]])
        if "epoch" in self.kept:
            self.kept["epoch"] = epochs[int(self.kept["epoch"])]

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        checkpoint.restore_optimizer(trainer.optimizers[0], self._optimizer)
        self._optimizer = {}
        self._clock = self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        training = cast(Training, module)
        self._tick(trainer, training)
        for name, value in training.logged.items():
            value = value.detach().to(torch.float64)
            self.sums[name] = self.sums[name].to(value.device) + value if name in self.sums else value
        self.steps += 1
        if self.progress and trainer.is_global_zero:
            together = training.settings.batch * trainer.world_size
            self.progress(training.done * together, training.total * together)
        limit = training.settings.max_minutes
        if limit and training.seconds >= 60 * limit:
            trainer.should_stop = True
        ends = training.done % training.steps_per_epoch == 0 or training.done >= training.total or trainer.should_stop
        if not ends and time.monotonic() - self._saved >= training.settings.save_every:
            self._save(trainer, training)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        training = cast(Training, module)
        self._tick(trainer, training)
        epoch = _epoch(training.done, training)
        found = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val_")}
        pictures = self.steps * training.settings.batch * trainer.world_size
        row = {
            "step": training.done,
            "epoch": epoch,
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "pictures_per_second": round(pictures / max(self._epoch_seconds, 1e-9), 1),
            **self._means(trainer),
            **found,
        }
        if not math.isfinite(row.get("train_loss", 0.0)):
            raise NitariError(
                f"Training diverged: the loss was {row['train_loss']} before step {training.done}. "
                "Lower trainer.lr, or give trainer.clip=1 or trainer.precision=float32"
            )
        self.history.append(row)
        if self.report and trainer.is_global_zero:
            self.report({name: value for name, value in row.items() if name != "step"}, training.done)
        self.sums, self.steps, self._epoch_seconds = {}, 0.0, 0.0
        if "val_copy_recall" in found:
            self._keep(training, epoch, found["val_copy_recall"], trainer)
        patience = training.settings.patience
        if patience and "val_loss" in found:
            if found["val_loss"] < self.best[0]:
                self.best = (found["val_loss"], epoch)
            elif epoch - self.best[1] >= patience:
                trainer.should_stop = True
        self.finished = training.done >= training.total or trainer.should_stop
        if self.finished or time.monotonic() - self._saved >= training.settings.save_every:
            self._save(trainer, training)

    def _means(self, trainer: lightning.Trainer) -> dict[str, float]:
        """Of what training logged this epoch, over all processes."""
        means = {f"train_{name}": float(value) / self.steps for name, value in self.sums.items()}
        if trainer.world_size > 1:
            own = torch.tensor(list(means.values()), device=trainer.strategy.root_device)
            together = cast(Tensor, trainer.strategy.reduce(own, reduce_op="mean"))
            means = dict(zip(means, together.tolist(), strict=True))
        return means

    def _keep(self, module: Training, epoch: int, recall: float, trainer: lightning.Trainer) -> None:
        best = max(recall, self.kept.get("best_copy_recall", 0.0))
        held_out = len(cast(Any, trainer).datamodule.held_out)
        if recall >= best - math.sqrt(best * (1 - best) / max(held_out, 1)):
            self.kept = {"epoch": epoch, "copy_recall": recall}
            self.best_module = {k: v.detach().cpu().clone() for k, v in module.state_dict().items()}
        self.kept["best_copy_recall"] = best

    def _tick(self, trainer: lightning.Trainer, module: Training) -> None:
        """Every process goes by the first one's clock: the learning rate may follow it."""
        now = time.monotonic()
        passed = now - self._clock
        self._clock = now
        if trainer.world_size > 1:
            passed = trainer.strategy.broadcast(passed)
        module.seconds += passed
        self._epoch_seconds += passed

    def _save(self, trainer: lightning.Trainer, module: Training) -> None:
        self._saved = time.monotonic()
        if not trainer.is_global_zero:
            return
        notes = {
            "done": module.done,
            "total": module.total,
            "seconds": module.seconds,
            "history": self.history,
            "best": self.best,
            "kept": self.kept,
            "finished": self.finished,
            "sums": {k: float(v) for k, v in self.sums.items()},
            "steps": self.steps,
            "epoch_seconds": self._epoch_seconds,
        }
        tensors = module.state_dict() | {f"best/{k}": v for k, v in self.best_module.items()}
        checkpoint.save(
            self.folder, module.done, State(tensors, checkpoint.optimizer_tensors(trainer.optimizers[0]), notes)
        )


def _epoch(step: int, module: Training) -> int:
    """The epoch that a step is the last of, or in."""
    return -(-step // module.steps_per_epoch)
