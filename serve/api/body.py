"""Bodies: each route takes one content type, and says so where another comes, before it reads any of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from .problem import Problem

JSON = "application/json"
_HOW = {JSON: "curl --json '{…}'", "multipart/form-data": "curl -F picture=@FILE"}


class Typed(APIRoute):
    """A route that refuses a body of another type than its own with 415. JSON is any ``+json``, as elsewhere."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler
        wanted = str(getattr(self.body_field.field_info, "media_type", JSON))

        async def checked(request: Request) -> Response:
            check(request.headers.get("content-type", ""), wanted)
            return await handler(request)

        return checked


def check(given: str, wanted: str) -> None:
    """Raise Problem unless the Content-Type header ``given`` is of the media type ``wanted``."""
    media = given.partition(";")[0].strip().lower()
    if media == wanted or (wanted == JSON and media.startswith("application/") and media.endswith("+json")):
        return
    what = f"The body's content type is '{media[:100]}'" if media else "The body has no content type"
    raise Problem(415, f"{what}. Send it as {wanted}, as {_HOW.get(wanted, wanted)} does", {"Accept": wanted})
