"""The weighted sum of objectives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from nitari.errors import ConfigError
from nitari.model.objective import Batch, Objective


class Weighted(nn.Module):
    """``terms`` by name, each times its weight; each is logged under its name."""

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms or set(terms) != set(weights):
            raise ConfigError(
                f"objective.terms are {sorted(terms)} and objective.weights are for {sorted(weights)}. Give each term one weight"
            )
        self.terms = nn.ModuleDict(dict(terms))
        self.weights = {name: float(weights[name]) for name in terms}
        self.views = max(cast(Objective, term).views for term in terms.values())

    @property
    def teacher(self) -> tuple[str, int] | None:
        """The space, and the numbers of it, that a term learns from; ConfigError where two terms name two."""
        wanted = {(term.teacher, term.dims) for term in self.terms.values() if getattr(term, "teacher", None)}
        if len(wanted) > 1:
            raise ConfigError(f"Terms of the objective learn from {len(wanted)} spaces: {sorted(wanted)}. Name one")
        return cast("tuple[str, int]", wanted.pop()) if wanted else None

    @property
    def columns(self) -> dict[str, list[nn.Module]]:
        """The terms that learn from a column of the catalog, by its name; ConfigError where two columns are named."""
        found: dict[str, list[nn.Module]] = {}
        for term in self.terms.values():
            if hasattr(term, "column"):
                found.setdefault(str(term.column), []).append(term)
        if len(found) > 1:
            raise ConfigError(f"Terms of the objective learn from {len(found)} columns: {sorted(found)}. Name one")
        return found

    def prepare(self, network: nn.Module) -> None:
        for term in self.terms.values():
            cast(Objective, term).prepare(network)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        total = batch.codes[0].new_zeros(())
        logs: dict[str, Tensor] = {}
        for name, term in self.terms.items():
            if not self.weights[name]:
                continue
            value, more = term(batch)
            total = total + self.weights[name] * value
            logs[name] = value.detach()
            logs.update(more)
        return total, logs
