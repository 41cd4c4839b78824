"""The gate: what every request passes before it is read, as plain ASGI so that it costs next to nothing.

Closed by default: requests for other host names, pages of other origins, bodies that are too large or too slow.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from . import problem
from .problem import Problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SMALL = 1_000_000  # bytes of a body that holds no picture
MARGIN = 65_536  # of an upload, beside its pictures
_PORT = re.compile(r":\d{1,5}$")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class Gate:
    """``uploads`` are the paths that take pictures, and ``upload`` their bytes at most; ``patience`` is in seconds.
    ``guard`` raises Problem where a method and path want a token, and the Authorization header has another.
    """

    def __init__(
        self,
        app: App,
        hosts: Sequence[str],
        origins: Sequence[str],
        upload: int,
        uploads: Sequence[str],
        patience: float,
        guard: Callable[[str, str, str], None],
    ) -> None:
        self.app = app
        self.hosts = {host.lower().strip("[]") for host in hosts}
        self.origins = set(origins)
        self.upload = upload
        self.uploads = set(uploads)
        self.patience = patience
        self.guard = guard
        policy = b"cross-origin" if origins else b"same-origin"
        self.headers = [*_HEADERS, (b"cross-origin-resource-policy", policy)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        started = refusing = False
        headless = scope["method"] == "HEAD"
        asked = {**scope, "method": "GET"} if headless else scope

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *self.headers]
                if refusing or message["status"] in (408, 413, 415):  # what is still to come is not read
                    message["headers"].append((b"connection", b"close"))
            elif headless and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            limit = self._checked(scope)
            try:
                await self.app(asked, self._limited(receive, limit), answer)
            finally:
                if "route" in asked:
                    scope["route"] = asked["route"]
        except Problem as refused:
            if started:
                raise
            refusing = scope["method"] not in _BARE
            await _refuse(answer, refused, scope["path"], self._readable(scope))

    def _readable(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The headers by which pages of an origin that may ask can read why they were refused."""
        origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
        if origin.decode("latin-1") not in self.origins:
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]

    def _checked(self, scope: Scope) -> int:
        """Bytes that the body may have; raises Problem."""
        headers = {name: value for name, value in scope["headers"] if name in _ASKED}
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _name(host) not in self.hosts and "*" not in self.hosts:
            raise Problem(421, f"This server is not '{host[:200]}'. Start it with that name: nitari serve hosts=…")
        origin = headers.get(b"origin", b"").decode("latin-1")
        foreign = origin and origin not in self.origins and origin.lower().partition("://")[2] != host
        if foreign and scope["method"] not in _BARE:
            raise Problem(403, f"Pages of '{origin[:200]}' may not ask here. Allow them: nitari serve origins=…")
        named = [part.partition(b"=")[0] for part in scope["query_string"].split(b"&") if part]
        if len(set(named)) < len(named) and scope["path"].startswith("/v1/"):
            twice = next(name for name in named if named.count(name) > 1).decode("latin-1")
            raise Problem(422, f"'{twice[:100]}' is given more than once. Give each parameter once")
        self.guard(scope["method"], scope["path"], headers.get(b"authorization", b"").decode("latin-1"))
        limit = self.upload + MARGIN if scope["path"] in self.uploads else SMALL
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            raise Problem(413, f"The body has {length.decode('latin-1')} bytes. At most {limit:,} are taken")
        return limit

    def _limited(self, receive: Receive, limit: int) -> Receive:
        read = 0
        begun: float | None = None

        async def limited() -> MutableMapping[str, Any]:
            nonlocal read, begun
            loop = asyncio.get_running_loop()
            if begun is None:
                begun = loop.time()
            if read < 0:  # the body is read: what may come is the end of the connection
                return await receive()
            try:
                async with asyncio.timeout_at(begun + self.patience):
                    message = await receive()
            except TimeoutError:
                raise Problem(408, f"The body did not come within {self.patience:g} s. Send it faster") from None
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > limit:
                    raise Problem(413, f"The body has more than {limit:,} bytes, the most that is taken")
                if not message.get("more_body"):
                    read = -1
            return message

        return limited


_ASKED = {b"host", b"origin", b"content-length", b"authorization"}
_BARE = ("GET", "HEAD", "OPTIONS")  # methods that change nothing, and have no body


def _name(host: str) -> str:
    return _PORT.sub("", host).strip("[]") if not host.startswith("::") else host


async def _refuse(send: Send, refused: Problem, path: str, more: Sequence[tuple[bytes, bytes]]) -> None:
    content = problem.body(refused.status_code, refused.detail, path)
    headers = [
        (b"content-type", problem.MEDIA_TYPE.encode()),
        (b"content-length", str(len(content)).encode()),
    ]
    headers += [*more, *((k.encode(), v.encode()) for k, v in (refused.headers or {}).items())]
    await send({"type": "http.response.start", "status": refused.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": content})
