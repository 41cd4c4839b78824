"""Object stores by URL, such as ``s3://bucket/folder``, through fsspec. Nothing of it is imported for paths of this machine.

Credentials and the endpoint come from the environment alone, as the store's own tools read it (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, FSSPEC_S3_ANON). Every failure is an OSError whose ``strerror`` says what it was.
"""

from __future__ import annotations

import errno
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from nitari.errors import ConfigError, MissingExtraError

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "memory": "fsspec"}
"""And the package of each. ``memory`` is this process's own, for trials."""
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_AHEAD = 8 << 20  # bytes fetched at once by a sequential reader


class Entry(NamedTuple):
    """``fingerprint`` changes with what is stored there."""

    url: str
    name: str
    size: int
    fingerprint: str
    is_folder: bool


def is_url(path: str) -> bool:
    return _URL.match(path) is not None


def check(url: str) -> None:
    """Raise ConfigError unless ``url`` is one of a known store, without a password in it."""
    match = _URL.match(url)
    if match is None or match[1] not in SCHEMES:
        raise ConfigError(f"'{url}' is no store that can be read. Give one of: {', '.join(f'{s}://' for s in SCHEMES)}")
    if "@" in match[2].partition("/")[0] and match[1] not in ("az", "abfs"):  # abfs://container@account
        raise ConfigError(
            f"'{match[1]}://…' has credentials in it, which would be kept with the collection. Give them in the "
            "environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )


def join(url: str, *keys: str) -> str:
    return "/".join([url.rstrip("/"), *keys])


def parent(url: str) -> str:
    return url.rstrip("/").rpartition("/")[0]


def entry(url: str) -> Entry:
    """What is stored under ``url``; raises FileNotFoundError."""
    system, path = _system(url)
    with _said(url):
        return _entry(url, system.info(path))


def entries(url: str) -> list[Entry]:
    """What is directly inside the folder ``url``, by name; raises FileNotFoundError where nothing is."""
    system, path = _system(url)
    with _said(url):
        found = system.ls(path, detail=True)
    inside = (_entry(join(url, posixpath.basename(one["name"].rstrip("/"))), one) for one in found)
    own = path.strip("/")  # stores that know no folders list an empty object in a folder's place
    kept = [one for one, raw in zip(inside, found, strict=True) if raw["name"].strip("/") != own]
    return sorted(kept, key=lambda one: one.name)


def glob(url: str) -> list[str]:
    """URLs that match a pattern, sorted."""
    system, path = _system(url)
    scheme = url.partition("://")[0]
    with _said(url):
        return sorted(f"{scheme}://{found.lstrip('/')}" for found in system.glob(path))


def read(url: str, offset: int = 0, size: int | None = None) -> bytes:
    """``size`` bytes from ``offset`` on, by one request; all of them where it is None. Fewer where the object ends."""
    system, path = _system(url)
    with _said(url):
        if size is None:
            return bytes(system.cat_file(path))
        try:
            return bytes(system.cat_file(path, start=offset, end=offset + size)) if size else b""
        except OSError as error:
            if error.errno == errno.EINVAL:  # it ends before that
                return b""
            raise


def open_sequential(url: str) -> IO[bytes]:
    """To be read from the start on, passing over what is not needed; fetched in pieces of some megabytes."""
    system, path = _system(url)
    with _said(url):
        file: IO[bytes] = system.open(path, "rb", block_size=_AHEAD, cache_type="readahead")
        return file


def write(url: str, data: bytes) -> None:
    """Store an object; it is seen whole or not at all."""
    system, path = _system(url)
    with _said(url):
        system.pipe_file(path, data)


def upload(file: Path, url: str) -> None:
    """Store a file as one object, which is seen whole or not at all."""
    system, path = _system(url)
    with _said(url):
        system.put_file(str(file), path)


def download(url: str, file: Path) -> None:
    system, path = _system(url)
    with _said(url):
        system.get_file(path, str(file))


def _entry(url: str, found: dict[str, Any]) -> Entry:
    size = int(found.get("size") or 0)
    stamp = found.get("ETag") or found.get("etag") or found.get("LastModified") or found.get("mtime")
    stamp = stamp or found.get("last_modified") or found.get("created") or ""
    name = posixpath.basename(url.rstrip("/"))
    return Entry(url, name, size, f"{size}-{str(stamp).strip(chr(34))}", found.get("type") == "directory")


def _system(url: str) -> tuple[Any, str]:
    """fsspec's file system, which it keeps, and the path in it."""
    check(url)
    scheme = url.partition("://")[0]
    try:
        import fsspec

        kind = fsspec.get_filesystem_class(scheme)
    except ImportError:
        raise MissingExtraError(SCHEMES[scheme], "remote") from None
    return fsspec.filesystem(scheme, use_listings_cache=False), kind._strip_protocol(url)


@contextmanager
def _said(url: str) -> Iterator[None]:
    """Stores raise errors of many kinds, of which few are OSErrors."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "There is nothing of that name", url) from None
    except PermissionError as error:
        text = f"The store refuses it ({error}). Check the credentials in the environment, and what they may do"
        raise PermissionError(errno.EACCES, text, url) from None
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if "credentials" in text.lower():
            text += ". Give them in the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        elif "endpoint" in text.lower() or "connect" in text.lower():
            text += ". Check the network, and AWS_ENDPOINT_URL"
        raise OSError(errno.EIO, text, url) from None
