"""Tar shards as webdataset writes them: members that share a name up to its first dot belong together."""

from __future__ import annotations

import glob
import json
import logging
import posixpath
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from nitari import storage
from nitari.errors import NitariError, SourceError
from nitari.source import columns, objects
from nitari.source.listing import Listing, finish

log = logging.getLogger(__name__)

_PICTURE = re.compile(r"jpe?g?|png|gif|webp|avif|tiff?|bmp|dib|ico|p[bgnp]m|jp2|j2k|jpeg", re.IGNORECASE)
_SIDECARS = frozenset(("json", "cls", "txt"))
_MAX_SIDECAR = 1 << 20
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstandard"}
_WILD = re.compile(r"[*?\[{]")
_BATCH = 16384


class TarSource:
    """``path`` is one tar, a folder of them, or a pattern: ``train-*.tar``, ``train-{000..123}.tar``, ``{a,b}.tar``.

    ``.json``, ``.cls`` and ``.txt`` members become columns of the picture beside them; other members of its group are
    passed over. Pictures are later read by position, so the tars must not be compressed. ``path`` may be a URL of an object
    store; each tar is read through once there, to list it.
    """

    def __init__(self, path: str, name: str = "main") -> None:
        self.path = path
        self.name = name

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": "tar", "path": self._path}

    @property
    def _path(self) -> str:
        return self.path if storage.is_url(self.path) else str(Path(self.path).expanduser().absolute())

    def listing(self) -> pa.Table:
        root, shards = _stored(self._path) if storage.is_url(self.path) else _shards(self._path)
        listing = Listing(self.name)
        parts: list[pa.Table] = []
        attributes: list[dict[str, Any]] = []
        for shard in shards:
            for more in _each(listing, shard, shard.removeprefix(root).lstrip("/")):
                attributes.append(more)
                if len(attributes) == _BATCH:
                    parts.append(_to_table(attributes))
                    attributes = []
        data = columns.concat([*parts, _to_table(attributes)]).drop_columns("row")
        return finish(listing.table(), data, f"'{self.path}'")


def _to_table(rows: list[dict[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: columns.from_values([row.get(name) for row in rows]) for name in names}
    return pa.table({"row": pa.nulls(len(rows)), **values})


def _shards(path: str) -> tuple[str, list[str]]:
    """The folder that shards are named from, and the shards, sorted."""
    if Path(path).is_dir():
        root, found = Path(path), sorted(Path(path).rglob("*.tar"))
    elif _WILD.search(path) and not Path(path).exists():
        root = Path(path[: _WILD.search(path).start()] + "x").parent  # type: ignore[union-attr]
        found = []
        for pattern in _braces(path):
            match = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]
            found += [Path(name) for name in match]
    else:
        root, found = Path(path).parent, [Path(path)]
    for shard in found:
        if not shard.is_file():
            raise SourceError(f"There is no tar '{shard}'. Check the path or the pattern: source.path=PATH")
        with shard.open("rb") as file:
            _check(str(shard), file.read(8))
    if not found:
        raise SourceError(f"No tar is at '{path}'. Give a .tar, a folder of them or a pattern: source.path=PATH")
    return str(root), list(dict.fromkeys(str(shard) for shard in found))


def _stored(url: str) -> tuple[str, list[str]]:
    """As ``_shards``, in an object store."""
    url = url.rstrip("/")
    found: list[str] = []
    try:
        if _WILD.search(url):
            root = storage.parent(url[: _WILD.search(url).start()] + "x")  # type: ignore[union-attr]
            for pattern in _braces(url):
                found += storage.glob(pattern) if glob.has_magic(pattern) else [pattern]
        elif url.endswith(".tar"):
            root, found = storage.parent(url), [url]
        else:
            root = url
            found = sorted(storage.join(url, key) for key, _ in objects.walk(url) if key.endswith(".tar"))
        for shard in found:
            _check(shard, storage.read(shard, 0, 8))
    except OSError as error:
        raise SourceError(f"'{error.filename}' cannot be read: {error.strerror}. Check: source.path=URL") from None
    if not found:
        raise SourceError(f"No tar is at '{url}'. Give a .tar, a folder of them or a pattern: source.path=URL")
    return root, list(dict.fromkeys(found))


def _check(shard: str, start: bytes) -> None:
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            raise SourceError(
                f"'{shard}' is compressed with {name}. Pictures are read from tars by position: decompress it first"
            )


def _braces(pattern: str) -> list[str]:
    """Expand the first ``{a,b}`` or ``{000..012}``, and then the rest."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    inside = match[1]
    steps = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if steps:
        choices = [f"{i:0{len(steps[1])}d}" for i in range(int(steps[1]), int(steps[2]) + 1)]
    else:
        choices = inside.split(",")
    return [more for choice in choices for more in _braces(pattern[: match.start()] + choice + pattern[match.end() :])]


def _opened(shard: str) -> tuple[IO[bytes], str]:
    """And a stamp that changes with it."""
    if storage.is_url(shard):
        try:
            return storage.open_sequential(shard), storage.entry(shard).fingerprint
        except OSError as error:
            raise SourceError(f"'{shard}' cannot be read: {error.strerror}") from None
    status = Path(shard).stat()
    return Path(shard).open("rb"), f"{status.st_mtime_ns}-{status.st_size}"


def _each(listing: Listing, shard: str, name: str) -> Iterator[dict[str, Any]]:
    """As ``_list_shard``; what a store fails to give ends the listing, as the items after it are not gone."""
    try:
        yield from _list_shard(listing, shard, name)
    except (NitariError, GeneratorExit):
        raise
    except Exception as error:
        if not storage.is_url(shard):
            raise
        raise SourceError(f"'{shard}' cannot be read on: {error}. Run again") from None


def _list_shard(listing: Listing, shard: str, name: str) -> Iterator[dict[str, Any]]:
    """Adds the shard's items to ``listing`` and yields the attributes of each."""
    opened, stamp = _opened(shard)
    group: list[tarfile.TarInfo] = []
    sidecars: dict[str, Any] = {}
    key: str | None = None
    with opened as file:

        def end_group() -> Iterator[dict[str, Any]]:
            pictures = [member for member in group if _PICTURE.fullmatch(_suffix(member.name))]
            for member in pictures or group:
                listing.add(
                    f"{name}/{member.name}",
                    shard,
                    offset=member.offset_data,
                    size=member.size,
                    fingerprint=f"{stamp}-{member.offset_data}-{member.size}",
                )
                yield dict(sidecars)
            if sidecars and not group:
                message = "There is metadata, and no picture beside it"
                listing.add(f"{name}/{key}", shard, reason="missing", message=message)
                yield dict(sidecars)

        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # else it keeps every header
                    if member.isdir():
                        continue
                    problem = _problem(member)
                    if problem:
                        listing.add(f"{name}/{member.name}", shard, reason="refused", message=problem)
                        yield {}
                        continue
                    if _key(member.name) != key:
                        yield from end_group()
                        group, sidecars, key = [], {}, _key(member.name)
                    if _suffix(member.name) in _SIDECARS and member.size <= _MAX_SIDECAR:
                        file.seek(member.offset_data)
                        sidecars |= _sidecar(_suffix(member.name), file.read(member.size))
                    else:
                        group.append(member)
            yield from end_group()
        except tarfile.TarError as error:
            yield from end_group()
            listing.add(name, shard, reason="damaged", message=f"The tar cannot be read on: {error}")
            yield {}


def _key(member: str) -> str:
    folder, base = posixpath.split(member)
    return posixpath.join(folder, base.split(".")[0])


def _suffix(member: str) -> str:
    return posixpath.basename(member).lower().rpartition(".")[2]


def _problem(member: tarfile.TarInfo) -> str | None:
    if not member.isreg() or member.issparse():
        return "This is no ordinary member of the tar (a link, a device, a sparse file)"
    if member.name.startswith("/") or ".." in member.name.split("/"):
        return "Its name leads out of the tar"
    return None


def _sidecar(suffix: str, data: bytes) -> dict[str, Any]:
    text = data.decode("utf-8", "replace").strip()
    if suffix == "json":
        try:
            value = json.loads(text)
        except ValueError:
            log.warning("A .json member is not JSON, and is kept as text: %.60s", text)
            return {"json": text}
        return value if isinstance(value, dict) else {"json": text}
    if suffix == "cls":
        return {"cls": int(text) if re.fullmatch(r"-?\d{1,18}", text) else text}
    return {suffix: text}
