"""What the routes share: the settings, the shelf, the workshops, and how answers are written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response

from nitari.catalog import LIKE_ID
from nitari.collection import Collection
from nitari.command import rooted
from nitari.errors import QueryError
from nitari.feedback import Feedback
from nitari.recommend import cursor
from nitari.recommend.recommender import Recommender

from .metrics import Metrics
from .pace import Pace
from .problem import Busy, Problem
from .settings import Settings
from .shelf import Shelf
from .workshop import Workshop

RELEASE = "X-Nitari-Release"
_QUEUE = 16  # requests that wait for a release to be opened


@dataclass
class Context:
    settings: Settings
    collection: Collection
    shelf: Shelf
    reading: Workshop
    writing: Workshop
    metrics: Metrics
    feedback: Feedback
    pace: Pace = field(default_factory=Pace)
    _waiting: int = 0
    _opening: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "opening"))

    async def recommender(self, release: str | None, after: str | None = None) -> Recommender:
        """The current one at once, another release's when it is open. 503 where too many wait for others.

        Where no release is named, that of the cursor ``after`` is taken if it is still open: pages go on after a swap.
        """
        found = self.shelf.find(release)
        if release is None and after is not None:
            found = self.shelf.find(cursor.release_of(after)) or found
        if found is not None or release is None:
            return found or self.shelf.current
        if self._waiting >= _QUEUE:
            raise Busy(f"{self._waiting} requests wait for a release to be opened. Come again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._opening, self.shelf.get, release)
        finally:
            self._waiting -= 1

    def told(self, text: str) -> str:
        """``text`` as clients may read it: where the collection lies is not for them."""
        root = Path(self.settings.root)
        for folder in (root.absolute(), root):
            text = text.replace(f"{folder}/", "").replace(rooted(folder), "")
        return text

    async def refresh(self) -> None:
        """Take in what changed, before the next answer."""
        await asyncio.to_thread(self.shelf.refresh)


async def context(request: Request) -> Context:  # were it no coroutine, a thread would run it
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]


def answer(found: Mapping[str, Any], status: int = 200) -> Response:
    """JSON, with the release that it came from among the headers."""
    headers = {RELEASE: str(found["release"])} if "release" in found else {}
    return Response(orjson.dumps(found, default=str, option=_OPTIONS), status, headers, "application/json")


_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


async def item_of(recommender: Recommender, address: str) -> tuple[int, str]:
    """The row and the id of the item with that address; 404 where there is none."""
    row_of = recommender.catalog.row
    try:  # among millions, a file name is looked for longer than others may wait
        row = row_of(address) if LIKE_ID.fullmatch(address) else await asyncio.to_thread(row_of, address)
    except QueryError as error:
        raise Problem(404, str(error)) from None
    return row, recommender.catalog.ids([row])[0]
