"""Listening: each worker on a socket of its own, so that the kernel spreads connections over them.

On a socket that is shared, whichever worker wakes first takes all that are waiting: of sixteen connections kept alive, one of two
workers had fifteen, and half of the peak load was more than it could answer.
"""

from __future__ import annotations

import socket
from asyncio import AbstractServer
from typing import Any

try:
    from uvloop import Loop
except ImportError:
    from asyncio import SelectorEventLoop as Loop  # type: ignore[assignment]


class Spread(Loop):
    """A loop that listens beside others on the address of the socket it is given."""

    async def create_server(self, *args: Any, sock: socket.socket | None = None, **more: Any) -> AbstractServer:  # type: ignore[override]
        return await super().create_server(*args, sock=None if sock is None else beside(sock), **more)


def beside(sock: socket.socket) -> socket.socket:
    """A socket of the same address as one that is bound and does not listen; that one where the system has no such thing."""
    if not hasattr(socket, "SO_REUSEPORT"):
        return sock
    own = socket.socket(sock.family, sock.type)
    try:
        for one in (sock, own):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(sock.getsockname())
    except OSError:
        own.close()
        return sock
    own.setblocking(False)
    return own
