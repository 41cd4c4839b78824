"""Feedback: what people were shown, clicked, liked and hid, in a log that only grows.

``feedback/<id>.jsonl`` holds one event a line, with ``when``. Each process writes files of its own, so that several may
write at once, and what a killed one left of its last line ends its file.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitari.artifact import new_id
from nitari.collection import Collection
from nitari.errors import QueryError
from nitari.files import sync

log = logging.getLogger(__name__)

EVENTS = ("shown", "clicked", "liked", "hidden")
MOST = 1000
"""Events in one call."""
ROTATE = 64_000_000
"""Bytes from which on a file is followed by another."""
TEXTS = {"item_id": 16, "query": 256, "arm": 64, "session": 128}
"""Characters of a field, at most."""
DEEPEST = 1_000_000
"""The highest rank."""
_FIELDS = ("event", "item_id", "query", "rank", "arm", "session")


class Feedback:
    """The log of one collection. Thread-safe, and usable in a process that was forked."""

    def __init__(self, collection: Collection) -> None:
        self.folder = collection.path / "feedback"
        self._lock = threading.Lock()
        self._file = -1
        self._name = ""
        self._size = 0
        self._process = 0

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)

    def append(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Log ``events``, all or none; returns how many. They are on disk when this returns.

        An event is ``{"event": "shown" | "clicked" | "liked" | "hidden", "item_id": id, "query": opaque text | None,
        "rank": place from 0 on | None, "arm": release | None, "session": opaque text | None}``; what may be None may be
        left out. Raises QueryError naming the event and field that is wrong, and OSError where nothing can be written.
        """
        events = list(events)
        if not 1 <= len(events) <= MOST:
            raise QueryError(f"There are {len(events)} events. Send 1 to {MOST} at once")
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        records = [checked(event, at) | {"when": when} for at, event in enumerate(events)]
        data = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
        with self._lock:
            file = self._open()
            try:
                written = os.write(file, data)
                if written != len(data):
                    raise OSError(
                        f"{written} of {len(data)} bytes were written to '{self.folder}'. Make room on its disk"
                    )
                os.fsync(file)
            except BaseException:
                self._close()  # nothing follows half a line
                raise
            self._size += len(data)
        return len(records)

    def read(self) -> Iterator[dict[str, Any]]:
        """Every event, in order within a process: the fields of ``append``, None where there was none, and ``when`` (UTC)."""
        if self.folder.is_dir():
            for path in sorted(self.folder.glob("*.jsonl")):
                yield from read_file(path)

    def _open(self) -> int:
        """This process's file, opened to append. Another one, where that is full or was another process's."""
        if self._process != os.getpid() or self._size >= ROTATE:
            self._close()
        if self._file < 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            while (name := new_id()) <= self._name:  # files are read in the order of their names
                time.sleep(0.001)
            self._name = name
            self._file = os.open(self.folder / f"{name}.jsonl", flags, 0o644)
            self._size, self._process = 0, os.getpid()
            sync(self.folder)
            sync(self.folder.parent)
        return self._file

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def read_file(path: Path) -> Iterator[dict[str, Any]]:
    """The events of one file of JSON lines. What is no event is passed over, with a warning, but for half a last line."""
    bad = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                record = json.loads(line)
                event = checked({key: value for key, value in record.items() if key != "when"})
                yield event | {"when": record.get("when")}
            except (ValueError, AttributeError, RecursionError, QueryError):
                bad += 1
    if bad:
        log.warning("%s lines of '%s' are no events, and were passed over", f"{bad:,}", path)


def checked(event: Any, at: int = 0) -> dict[str, Any]:
    """``event`` with every field. QueryError names the field that is wrong, as ``events[3].rank``."""
    if not isinstance(event, Mapping):
        raise QueryError(f"events[{at}] is {_told(event)}. Give an object with: {', '.join(_FIELDS)}")
    for key in event:
        if key not in _FIELDS:
            raise QueryError(f"events[{at}] has a field {_told(key)}. It may have: {', '.join(_FIELDS)}")
    found = {field: event.get(field) for field in _FIELDS}
    if found["event"] not in EVENTS:
        raise QueryError(f"events[{at}].event is {_told(found['event'])}. Give one of: {', '.join(EVENTS)}")
    for field, longest in TEXTS.items():
        value = found[field]
        if value is None and field != "item_id":
            continue
        if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
            raise QueryError(
                f"events[{at}].{field} is {_told(value)}. Give text of 1 to {longest} characters that can be printed"
            )
    rank = found["rank"]
    if rank is not None and (type(rank) is not int or not 0 <= rank <= DEEPEST):
        raise QueryError(f"events[{at}].rank is {_told(rank)}. Give a whole number from 0 to {DEEPEST}, or null")
    return found


def _told(value: Any) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
