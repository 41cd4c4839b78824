"""Networks, their objectives and augmentations, and how they are trained. Importing this imports no torch.

Networks and objectives hold weights, so they are described by a specification and created under a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitari.errors import ConfigError
from nitari.target import resolve


def create(spec: Mapping[str, Any]) -> Any:
    """Build ``{"_target_": "nitari.model.<module>.<Class>", **arguments}``; arguments may be specifications themselves.

    Only classes of this package are instantiated, whatever a manifest says.
    """
    values = {key: _nested(value) for key, value in spec.items() if key != "_target_"}
    target = str(spec.get("_target_", ""))
    kind = resolve(target, "model")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"'{target}' does not take these settings: {error}") from None


def _nested(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return create(value) if "_target_" in value else {key: _nested(part) for key, part in value.items()}
