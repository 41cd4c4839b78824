"""What the routes share: the settings, the shelf, the workshops, and how answers are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request, Response

from nitari.collection import Collection
from nitari.errors import ConfigError, QueryError
from nitari.feedback import Feedback
from nitari.recommend.recommender import Recommender

from .metrics import Metrics
from .problem import Problem
from .settings import Settings
from .shelf import Shelf
from .workshop import Workshop

T = TypeVar("T")
RELEASE = "X-Nitari-Release"


@dataclass
class Context:
    settings: Settings
    collection: Collection
    shelf: Shelf
    reading: Workshop
    writing: Workshop
    metrics: Metrics
    feedback: Feedback

    async def recommender(self, release: str | None) -> Recommender:
        """The current one at once, another release's when it is open."""
        if self.shelf.is_open(release):
            return self.shelf.get(release)
        return await asyncio.to_thread(self.shelf.get, release)

    async def refresh(self) -> None:
        """Take in what changed, before the next answer."""
        await asyncio.to_thread(self.shelf.refresh)


def context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]


def answer(found: Mapping[str, Any], status: int = 200) -> Response:
    """JSON, with the release that it came from among the headers."""
    headers = {RELEASE: str(found["release"])} if "release" in found else {}
    return Response(orjson.dumps(found, default=str, option=_OPTIONS), status, headers, "application/json")


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


async def aside(work: Callable[[], T], slow: bool) -> T:
    """Run ``work`` here, which is fastest, or in a thread where it may take so long that others would wait for it."""
    return await asyncio.to_thread(work) if slow else work()


def row_of(recommender: Recommender, item: str) -> int:
    """The row of an item in a URL; 404 where there is none."""
    try:
        return recommender.catalog.row(item)
    except QueryError as error:
        raise Problem(404, str(error)) from None


def weights(text: str | None) -> dict[str, float] | None:
    """``encoder:1,colour:.3`` -> numbers by name; ConfigError."""
    if not text:
        return None
    found = {}
    for part in text.split(","):
        name, mark, number = part.partition(":")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            mark = ""
        if not mark:
            raise ConfigError(f"weights has '{part}'. Write it as name:number,name:number")
    return found
