"""Transfer: a release and all that it pins, to an object store and back.

``<store>/<collection>/`` holds ``blobs/<sha256>``, every file once; a manifest a published artifact, in the folders that a
collection has; ``removed.json``, what was removed; and ``current``, the release that was pushed last. A manifest is written
once all that it names is there, the release's after those of its parts, and ``current`` last: what is half copied is never seen.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nitari import storage
from nitari.artifact import MANIFEST, Manifest, admit, read_manifest
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.files import link_or_copy, sha256_of
from nitari.steps import Progress, servers, silent
from nitari.steps.verify import verify

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PUSH = "Push it again from where it is whole: nitari push … full=true"


class Transferred(NamedTuple):
    """``bytes`` went over the network, in ``files``; ``kept`` files were at their place already."""

    release: str
    artifacts: int
    files: int
    bytes: int
    kept: int


def push(
    collection: Collection,
    to: str,
    release_id: str | None = None,
    *,
    full: bool = False,
    threads: int = 4,
    progress: Progress = silent,
) -> Transferred:
    """Copy a release (the current one) to the store ``to``, once it is verified. What the store has is not sent again,
    so that a killed push goes on; ``full`` sends all anew.
    """
    storage.check(to)
    release = collection.release(release_id)
    verify(collection, release.id).check()
    parts = [(role, collection.pinned(release, role)) for role in release.manifest.parents]
    base = storage.join(to, collection.name)
    with _reaching(base):
        there = {} if full else _sizes(storage.join(base, "blobs"))
        wanted = {}
        for part in (*(part for _, part in parts), release):
            for name, entry in part.manifest.files.items():
                wanted[str(entry["sha256"])] = part.path / name, int(entry["size"])
        missing = [sha for sha, (_, size) in wanted.items() if there.get(sha) != size]
        removed = sorted(Changes(collection).removed())
        storage.write(storage.join(base, "removed.json"), json.dumps(removed).encode())
        sent = _each(
            missing,
            lambda sha: storage.upload(wanted[sha][0], storage.join(base, "blobs", sha)),
            lambda sha: wanted[sha][1],
            threads,
            progress,
        )
        for role, part in (*parts, ("", release)):
            url = _manifest(base, collection, part.manifest.kind, part.id, collection.name_in(role, part.manifest.kind))
            storage.write(url, part.manifest.text.encode())
        storage.write(storage.join(base, "current"), f"{release.id}\n".encode())
    return Transferred(release.id, len(parts) + 1, len(missing), sent, len(wanted) - len(missing))


def pull(
    collection: Collection,
    origin: str,
    release_id: str | None = None,
    *,
    switch: bool = True,
    threads: int = 4,
    progress: Progress = silent,
) -> Transferred:
    """Copy a release (the one pushed last) from the store ``origin``, verify it and make it the current one.

    Every file is checked against its sha256 before it is used. Artifacts that are here are not fetched again, nor are files
    that other artifacts share; a killed pull goes on. What was removed at the origin is removed here, and never the other
    way round. Raises DamagedArtifactError where the store holds something else than what was pushed.
    """
    storage.check(origin)
    base = storage.join(origin, collection.name)
    with _reaching(base):
        chosen = release_id or _current(base)
        manifest = _read(base, collection, "release", chosen, None)
        wanted: list[tuple[str | None, Manifest]] = [(None, manifest)]
        for role, pin in manifest.parents.items():
            name = collection.name_in(role, pin["kind"])
            part = _read(base, collection, pin["kind"], pin["id"], name)
            if part.digest != pin["digest"]:
                raise DamagedArtifactError(f"{pin['kind']} '{pin['id']}' in '{base}' is not what was pinned. {_PUSH}")
            wanted.insert(0, (name, part))
        removed = _removed(storage.join(base, "removed.json"))
        with collection.lock("release"):
            absent = [(name, part) for name, part in wanted if not _here(collection, name, part)]
            work = collection.work("pull", {"release": chosen})
            local = _local(collection, {str(one["sha256"]) for _, part in absent for one in part.files.values()})
            todo: dict[str, tuple[list[Path], int]] = {}
            for _, part in absent:
                for file, entry in part.files.items():
                    todo.setdefault(str(entry["sha256"]), ([], int(entry["size"])))[0].append(work / part.id / file)
            fetched: list[str] = []

            def fetch(sha: str) -> None:
                first, *others = todo[sha][0]
                if not first.exists():
                    if sha in local:
                        link_or_copy(local[sha], first)
                    else:
                        _fetch(storage.join(base, "blobs", sha), first, sha)
                        fetched.append(sha)
                for other in others:
                    if not other.exists():
                        link_or_copy(first, other)

            _each(todo, fetch, lambda sha: todo[sha][1], threads, progress)
            for name, part in absent:
                (work / part.id).mkdir(exist_ok=True)
                artifact = admit(work / part.id, collection.folder(part.kind, name), part)
                if part.kind == "index":
                    servers.pulled(artifact)
            collection.discard(work)
            verify(collection, chosen).check()
            release = collection.release(chosen)
            servers.check(collection, release)
            Changes(collection).remove(removed)
            if switch:
                collection.switch(release, "pull")
    size = sum(todo[sha][1] for sha in fetched)
    return Transferred(chosen, len(wanted), len(fetched), size, sum(len(p.files) for _, p in wanted) - len(fetched))


def _manifest(base: str, collection: Collection, kind: str, artifact_id: str, name: str | None) -> str:
    folder = collection.folder(kind, name).relative_to(collection.path).as_posix()
    return storage.join(base, folder, artifact_id, MANIFEST)


def _current(base: str) -> str:
    return storage.read(storage.join(base, "current")).decode("utf-8", "replace").strip()


def _removed(url: str) -> list[str]:
    try:
        return [str(item) for item in list(json.loads(storage.read(url)))]
    except (ValueError, TypeError) as error:
        raise DamagedArtifactError(f"'{url}' cannot be read: {error}. {_PUSH}") from None


def _read(base: str, collection: Collection, kind: str, artifact_id: str, name: str | None) -> Manifest:
    """A manifest of the store, which may name nothing outside of its own folder."""
    for word in (artifact_id, *([name] if name is not None else [])):
        if not _SAFE.fullmatch(word):
            raise DamagedArtifactError(f"'{base}' names '{word}', which is no id. {_PUSH}")
    url = _manifest(base, collection, kind, artifact_id, name)
    manifest = read_manifest(storage.read(url).decode("utf-8", "replace"), kind, artifact_id, url, _PUSH)
    for file in manifest.files:
        if file == MANIFEST or PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise DamagedArtifactError(f"'{url}' names the file '{file}', which leads out of it. {_PUSH}")
    return manifest


def _here(collection: Collection, name: str | None, manifest: Manifest) -> bool:
    """Whether an artifact is here and whole; one that is damaged is taken away."""
    path = collection.folder(manifest.kind, name) / manifest.id
    if not path.exists():
        return False
    try:
        artifact = collection.open(manifest.kind, manifest.id, name)
        artifact.verify()
        if artifact.manifest.digest == manifest.digest:
            return True
    except DamagedArtifactError:
        pass
    collection.drop(path)
    return False


def _local(collection: Collection, wanted: set[str]) -> dict[str, Path]:
    """Files of published artifacts that have one of the checksums, found right."""
    found: dict[str, Path] = {}
    for kind in ("thumbnails", "catalog", "embeddings", "index", "text", "annotation", "encoder", "vocabulary"):
        for folder in collection.folders(kind) if wanted else []:
            for path in folder.iterdir():
                try:
                    artifact = collection.open(
                        kind, path.name, None if folder == collection.folder(kind) else folder.name
                    )
                    for name, entry in artifact.manifest.files.items():
                        if entry["sha256"] in wanted and entry["sha256"] not in found:
                            found[str(entry["sha256"])] = artifact.file(name)
                except ArtifactError:  # damaged or of another version: fetched instead
                    continue
    return found


def _sizes(folder: str) -> dict[str, int]:
    try:
        return {entry.name: entry.size for entry in storage.entries(folder)}
    except FileNotFoundError:
        return {}


def _fetch(url: str, file: Path, sha: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.part")
    storage.download(url, aside)
    if (found := sha256_of(aside)) != sha:
        aside.unlink()
        raise DamagedArtifactError(f"'{url}' is damaged: its sha256 is {found[:12]}…. Nothing of it was used. {_PUSH}")
    aside.replace(file)


def _each(
    keys: Iterable[str], work: Callable[[str], None], size: Callable[[str], int], threads: int, progress: Progress
) -> int:
    """Do ``work`` for every key in threads; returns the sum of their sizes. Progress is in kB."""
    if threads < 1:
        raise ConfigError(f"threads is {threads}. Give a count from 1")
    chosen = list(keys)
    total, done = sum(map(size, chosen)), 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for key, _ in zip(chosen, pool.map(work, chosen), strict=True):
                done += size(key)
                progress(done // 1000, total // 1000)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return total


@contextmanager
def _reaching(base: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if not storage.is_url(str(error.filename)):
            raise
        raise ArtifactError(
            f"There is nothing at '{error.filename}'. Put a release there with: nitari push "
            f"collection={shlex.quote(base.rpartition('/')[2])} to={shlex.quote(base.rpartition('/')[0])}"
        ) from None
    except OSError as error:
        if not storage.is_url(str(error.filename)):
            raise
        raise ArtifactError(f"'{error.filename}' cannot be reached: {error.strerror}") from None
