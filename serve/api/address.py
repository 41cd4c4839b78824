"""Addresses: how a path names an item, by its id or by its file name, whose slashes are part of it, encoded or not."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

_PARTS = ("thumbnail", "more-like")  # of an item, after its address


class _Address(Convertor[str]):
    """All of a path but an item's parts: servers and proxies decode %2F, so that an encoded slash is seen as any other."""

    regex = "(?s:.+" + "".join(f"(?<!/{part})" for part in _PARTS) + ")"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("address", _Address())
ITEM = "/{item_id:address}"
"""The end of a route's path that names an item."""
Address = Annotated[
    str, Path(description="an `item_id`, or a `file_name`: `bags/0001.jpg`, its slashes encoded or not")
]
