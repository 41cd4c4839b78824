"""uvicorn's HTTP protocol with less patience: who does not send the head of a request in time is hung up on."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import problem


class Impatient(HttpToolsProtocol):
    patience: ClassVar[float] = 20.0
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start()

    def on_message_begin(self) -> None:
        self._start()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP has a problem for an answer as well."""
        content = problem.body(400, f"{msg} Its head may be too long, or is not HTTP", "")
        head = (
            f"HTTP/1.1 400 Bad Request\r\nContent-Type: {problem.MEDIA_TYPE}\r\nContent-Length: {len(content)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()

    def _start(self) -> None:
        self._stop()
        self._clock = self.loop.call_later(self.patience, self._hang_up)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
