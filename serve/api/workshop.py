"""The workshop: a process apart that reads what clients send, and may hang or die over it without harm.

Messages are ``head length, data length`` (two big-endian uint32), a JSON head and raw data. ``nitari.serve.api.hand``
is the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from nitari.errors import PictureError, QueryError
from nitari.recommend.source import Encoded

from .problem import Busy, Problem
from .settings import TOKEN

log = logging.getLogger(__name__)

FRAME = struct.Struct(">II")
_START = 60.0  # seconds for its imports
_QUEUE = 16  # requests that wait; others are told to come again
_ENCODED = 64  # pictures whose vectors are kept: one that is searched with is asked with again, page by page and setting by setting


class Workshop:
    """One process, one request at a time; ``seconds`` is what a request may take. Started by ``start`` or when needed."""

    def __init__(self, root: Path | str, collection: str, seconds: float) -> None:
        self._arguments = [str(root), collection]
        self.seconds = seconds
        self.deaths = 0
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._encoded: dict[tuple[Any, ...], Encoded] = {}  # the last ones asked for, the newest at the end

    async def start(self) -> None:
        async with self._turn:
            await self._running()

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def encode(
        self, release: str, spaces: list[str], picture: bytes, box: tuple[float, ...] | None, known: bool = False
    ) -> Encoded:
        """The vectors of a picture, or of its part in ``box`` (left, top, right, bottom as fractions), in each space.

        ``known`` pictures passed their limits before. PictureError where it cannot be read.
        """
        key = (release, tuple(spaces), hashlib.sha256(picture).digest(), box and tuple(box), known)
        found = self._encoded.pop(key, None)
        if found is None:
            found = await self._encode(release, spaces, picture, box, known)
        self._encoded[key] = found
        while len(self._encoded) > _ENCODED:
            del self._encoded[next(iter(self._encoded))]
        return found

    async def _encode(
        self, release: str, spaces: list[str], picture: bytes, box: tuple[float, ...] | None, known: bool
    ) -> Encoded:
        head = {"do": "encode", "release": release, "spaces": spaces, "box": box, "known": known}
        answer, data = await self._ask(head, picture)
        vectors, at = {}, 0
        for space, dtype, width in answer["vectors"]:
            size = np.dtype(dtype).itemsize * width
            vectors[space] = np.frombuffer(data[at : at + size], dtype)
            at += size
        return Encoded(vectors)

    async def append(self, files: list[str], seconds: float) -> dict[str, Any]:
        """Take files of the collection's folder of uploads into it, as ``nitari append`` does."""
        answer, _ = await self._ask({"do": "append", "files": files}, b"", seconds)
        found: dict[str, Any] = answer["appended"]
        return found

    async def _ask(
        self, head: Mapping[str, Any], data: bytes, seconds: float | None = None
    ) -> tuple[dict[str, Any], bytes]:
        if self._waiting >= _QUEUE:
            raise Busy(f"{self._waiting} pictures are waiting to be read. Come again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                process = await self._running()
                try:
                    async with asyncio.timeout(seconds or self.seconds):
                        answer, found = await self._exchange(process, head, data)
                except TimeoutError:
                    await self._bury("hung")
                    if seconds is not None:
                        raise Problem(
                            503, f"Taking pictures in took longer than {seconds:g} s. They are kept; send them again"
                        ) from None
                    raise PictureError(
                        "timeout", f"Reading it took longer than {seconds or self.seconds:g} s. Send a simpler one"
                    ) from None
                except (ConnectionError, asyncio.IncompleteReadError):
                    await self._bury("died")
                    raise PictureError("crashed", "The process that read it died. Send another one") from None
                except asyncio.CancelledError:  # the client is gone; its answer would be taken for the next one's
                    await self._bury("was left")
                    raise
        finally:
            self._waiting -= 1
        match answer.get("error"):
            case None:
                return answer, found
            case "picture":
                raise PictureError(answer["reason"], answer["message"])
            case "query":
                raise QueryError(answer["message"])
            case "nitari":
                raise Problem(503, str(answer["message"]))
        raise RuntimeError(answer["message"])

    async def _exchange(
        self, process: asyncio.subprocess.Process, head: Mapping[str, Any], data: bytes
    ) -> tuple[dict[str, Any], bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        text = orjson.dumps(head)
        process.stdin.write(FRAME.pack(len(text), len(data)) + text)
        process.stdin.write(data)
        await process.stdin.drain()
        sizes = FRAME.unpack(await process.stdout.readexactly(FRAME.size))
        answer = orjson.loads(await process.stdout.readexactly(sizes[0]))
        return answer, await process.stdout.readexactly(sizes[1])

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nitari.serve.api.hand", *self._arguments, str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # decoders written in C complain there about every odd file
            env={name: value for name, value in os.environ.items() if name != TOKEN} | {"OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_START):
                await self._process.stdout.readexactly(1)
        except (TimeoutError, asyncio.IncompleteReadError):
            await self._bury("did not start")
            raise Problem(503, "The process that reads pictures did not start. See the server's log") from None
        except asyncio.CancelledError:
            await self._bury("was left")
            raise
        return self._process

    async def _bury(self, how: str) -> None:
        self.deaths += 1
        log.warning("The process that reads pictures %s, and is ended", how)
        await asyncio.shield(self.stop())
