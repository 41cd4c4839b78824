"""Labels: pictures of one value in a column of the catalog belong together. For collections that have such a column."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nitari.errors import ConfigError, MissingExtraError
from nitari.model.objective import Batch
from nitari.model.objective.agreement import projection

# Those of pytorch-metric-learning that need nothing but vectors and labels, and those that keep one vector a class.
LOSSES = ("SupConLoss", "MultiSimilarityLoss", "TripletMarginLoss", "ContrastiveLoss", "CircleLoss")
CLASSIFIERS = ("NormalizedSoftmaxLoss", "ArcFaceLoss", "CosFaceLoss", "ProxyAnchorLoss")


class Labels(nn.Module):
    """A loss of pytorch-metric-learning on a projection of the views' codes: classification (``CLASSIFIERS``) or metric
    learning (``LOSSES``). Pictures without a value in ``column`` are passed over. ``arguments`` are the loss's own.

    Musgrave, Belongie and Lim, "A metric learning reality check" (ECCV 2020).
    """

    views = 1

    def __init__(
        self,
        column: str,
        loss: str = "NormalizedSoftmaxLoss",
        width: int = 128,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if loss not in LOSSES + CLASSIFIERS:
            raise ConfigError(
                f"The objective 'labels' has loss '{loss}'. Choose one of: {', '.join(LOSSES + CLASSIFIERS)}"
            )
        self.column = column
        self.kind = loss
        self.width = width
        self.arguments = dict(arguments or {})
        self.classes = 0  # set before prepare, once the catalog was read
        self.project: nn.Module = nn.Identity()
        self.loss: nn.Module = nn.Identity()

    def prepare(self, network: nn.Module) -> None:
        try:
            from pytorch_metric_learning import losses
        except ImportError:
            raise MissingExtraError("pytorch-metric-learning", "labels") from None
        if self.classes < 2:
            raise ConfigError(
                f"The column '{self.column}' has {self.classes} different values among training pictures, and an objective "
                "needs two at least. Name another column"
            )
        sizes = {"num_classes": self.classes, "embedding_size": self.width} if self.kind in CLASSIFIERS else {}
        self.project = projection(network, 0, self.width)
        try:
            self.loss = getattr(losses, self.kind)(**sizes, **self.arguments)
        except TypeError as error:
            raise ConfigError(f"The loss '{self.kind}' does not take these arguments: {error}") from None

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        if batch.labels is None:
            raise ConfigError(f"The objective 'labels' needs the values of column '{self.column}', and got none")
        known = batch.labels >= 0
        vectors = self.project(batch.codes[0]).float()[known]
        if len(vectors) < 2:
            return batch.codes[0].float().sum() * 0.0, {}
        with torch.autocast(vectors.device.type, enabled=False):
            return self.loss(vectors, batch.labels[known]), {}
