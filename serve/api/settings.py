"""What a server is told: by ``nitari serve``, and by it to the worker processes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from nitari.errors import ConfigError

VARIABLE = "NITARI_SERVE"
TOKEN = "NITARI_TOKEN"  # the name of a variable
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """``hosts`` are the names that a request's Host may have, ``origins`` those whose pages may ask from elsewhere.
    ``upload`` is in bytes, ``patience`` the seconds that a client has to send its head and then its body, ``poll`` those
    between two looks at the collection. ``token`` allows writing; without one nobody may.
    """

    collection: str
    root: str = "collections"
    hosts: tuple[str, ...] = LOOPBACK
    origins: tuple[str, ...] = ()
    upload: int = 25_000_000
    patience: float = 20.0
    poll: float = 0.25
    uploads: bool = True
    feedback: bool = True
    log: str = "info"
    token: str | None = field(default=None, repr=False)

    @classmethod
    def here(cls) -> Self:
        """As ``share`` left them in the environment."""
        found = json.loads(os.environ[VARIABLE])
        lists = {name: tuple(found[name]) for name in ("hosts", "origins")}
        return cls(**found | lists, token=os.environ.get(TOKEN) or None)

    def share(self) -> Mapping[str, str]:
        """The variables that worker processes read; the token is not in the readable one."""
        found: dict[str, Any] = asdict(self)
        token = found.pop("token")
        return {VARIABLE: json.dumps(found)} | ({TOKEN: token} if token else {})


def token(file: str | None) -> str | None:
    """The token in a file, or else in the environment. ConfigError where it is too short to be one."""
    if file is None:
        found, where = os.environ.get(TOKEN, ""), f"The variable {TOKEN}"
    else:
        try:
            found, where = Path(file).read_text(encoding="utf-8").strip(), f"'{file}'"
        except (OSError, ValueError) as error:
            raise ConfigError(f"token_file '{file}' cannot be read: {error}") from None
    if file is None and not found:
        return None
    if len(found) < 16 or not found.isascii() or any(letter.isspace() for letter in found):
        raise ConfigError(
            f"{where} holds {len(found)} characters. A token has at least 16, without spaces; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return found
