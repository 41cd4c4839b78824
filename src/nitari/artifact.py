"""Artifacts: directories with a manifest, written aside, published by rename, and verified when opened."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitari.command import command, home, renewal
from nitari.errors import ArtifactError, DamagedArtifactError
from nitari.files import sha256_of, sync, write_atomic
from nitari.stamps import Stamps, stamped

MANIFEST = "manifest.json"
FORMAT_VERSIONS = {
    "catalog": 1,
    "thumbnails": 1,
    "encoder": 1,
    "vocabulary": 1,
    "embeddings": 1,
    "annotation": 1,
    "index": 2,
    "text": 1,
    "evaluation": 1,
    "release": 1,
}


@dataclass(frozen=True)
class Manifest:
    """What an artifact says of itself. ``parents`` maps a role to {kind, id, digest}; ``files`` a path to {sha256, size}."""

    kind: str
    id: str
    format_version: int
    created: str
    counts: dict[str, int] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    parents: dict[str, dict[str, str]] = field(default_factory=dict)
    mlflow_run: str | None = None

    def to_json(self) -> str:
        return json.dumps(self.__dict__, indent=1, sort_keys=True, ensure_ascii=False)

    @property
    def digest(self) -> str:
        """sha256 over the whole manifest, and through its checksums over every file."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def text(self) -> str:
        """What is written: the manifest and its own digest, so that damage to it is seen as well."""
        return json.dumps({**self.__dict__, "sha256": self.digest}, indent=1, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Artifact:
    """A published, immutable directory."""

    path: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def reference(self) -> dict[str, str]:
        """What a child pins in its ``parents``."""
        return {"kind": self.manifest.kind, "id": self.id, "digest": self.manifest.digest}

    def file(self, name: str, *, full: bool = False) -> Path:
        """The path of one verified file. ``full`` rehashes even when size and mtime are as when last verified.

        Native code never gets bytes that were not hashed in full.
        """
        self.verify([name], full=full)
        return self.path / name

    def verify(self, names: Iterable[str] | None = None, *, full: bool = False) -> None:
        """Raise DamagedArtifactError unless the named files (default: all) match the manifest."""
        for damage in self.damages(names, full=full):
            raise DamagedArtifactError(damage)

    def damages(self, names: Iterable[str] | None = None, *, full: bool = False) -> Iterator[str]:
        """Each of the named files (default: all) that does not match the manifest, in words. See ``damaged``."""
        return (what for _, what in self.damaged(names, full=full))

    def damaged(self, names: Iterable[str] | None = None, *, full: bool = False) -> Iterator[tuple[str, str]]:
        """The name of each of the named files (default: all) that does not match the manifest, and what is wrong with it.

        A file is read where its size, mtime or inode are not those of when it was last found right; all are where ``full``.
        """
        stamps = Stamps(self.path, self.manifest.digest)
        right = stamps.read()
        fresh = dict(right)
        for name in self.manifest.files if names is None else names:
            entry = self.manifest.files.get(name)
            if entry is None:
                raise ArtifactError(f"{self._label()} has no file '{name}'. Build it again: {self._remedy()}")
            path = self.path / name
            try:
                stat = path.stat()
            except FileNotFoundError:
                yield name, f"{self._label()} lacks its file '{name}'. {self._remedy()}"
                continue
            stamp = stamped(stat)
            if not full and right.get(name) == stamp:
                continue
            found = "" if stat.st_size != entry["size"] else sha256_of(path)
            if found != entry["sha256"]:
                fresh.pop(name, None)
                fact = (
                    f"{stat.st_size} bytes, not {entry['size']}"
                    if not found
                    else f"sha256 {found[:12]}…, not {entry['sha256'][:12]}…"
                )
                yield name, f"{self._label()} is damaged: '{name}' has {fact}. It was not loaded. {self._remedy()}"
                continue
            fresh[name] = stamp
        if fresh != right:
            stamps.write(fresh)

    def expect_parent(self, role: str, parent: Artifact) -> None:
        """Raise ArtifactError unless this artifact was made from exactly ``parent``."""
        pinned = self.manifest.parents.get(role)
        if pinned is None or pinned["digest"] != parent.manifest.digest:
            was = pinned["id"] if pinned else "none"
            raise ArtifactError(f"{self._label()} was made from {role} {was}, not {parent.id}. {self._remedy()}")

    def _label(self) -> str:
        return f"{self.manifest.kind} '{'/'.join(self.path.parts[-2:])}'"

    def _remedy(self) -> str:
        return f"Renew it with: {renewal(self.path, self.manifest.kind)}"

    @property
    def home(self) -> Path:
        """The folder of the collection that it is in."""
        return home(self.path, self.manifest.kind)


def new_id() -> str:
    """Ids sort by time: 20261124T133205-3f2a1c."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"[:18] + f"-{secrets.token_hex(3)}"


def publish(
    work: Path,
    destination: Path,
    kind: str,
    *,
    parents: Mapping[str, Artifact | Mapping[str, str]] | None = None,
    counts: Mapping[str, int] | None = None,
    config: Mapping[str, Any] | None = None,
    info: Mapping[str, Any] | None = None,
    mlflow_run: str | None = None,
    sharing: Artifact | None = None,
) -> Artifact:
    """Checksum everything under ``work``, write its manifest, fsync, and rename it to ``destination``/<id>.

    ``work`` must be on the same file system. Killed before the rename, nothing was published. A parent may be given by
    its ``Artifact.reference``. Files that are also those of ``sharing``, and as they were when that was last found right,
    are not read again.
    """
    (work / MANIFEST).unlink(missing_ok=True)
    right = {} if sharing is None else Stamps(sharing.path, sharing.manifest.digest).read()
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(p for p in work.rglob("*") if p.is_file()):
        name, stat = path.relative_to(work).as_posix(), path.stat()
        if sharing is not None and right.get(name) == stamped(stat):
            files[name] = sharing.manifest.files[name]
        else:
            files[name] = {"sha256": sha256_of(path), "size": stat.st_size}
    manifest = Manifest(
        kind=kind,
        id=new_id(),
        format_version=FORMAT_VERSIONS[kind],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        counts=dict(counts or {}),
        config=json.loads(json.dumps(dict(config or {}))),
        info=json.loads(json.dumps(dict(info or {}))),
        files=files,
        parents={
            role: parent.reference if isinstance(parent, Artifact) else dict(parent)
            for role, parent in (parents or {}).items()
        },
        mlflow_run=mlflow_run,
    )
    return admit(work, destination, manifest)


def admit(work: Path, destination: Path, manifest: Manifest) -> Artifact:
    """Publish ``work``, whose files were found to be what ``manifest`` says: fsync, and rename it to ``destination``/<id>."""
    for name in manifest.files:
        sync(work / name)
    write_atomic(work / MANIFEST, manifest.text)
    for folder in [p for p in work.rglob("*") if p.is_dir()] + [work]:
        sync(folder)
    destination.mkdir(parents=True, exist_ok=True)
    final = destination / manifest.id
    work.rename(final)
    sync(destination)
    artifact = Artifact(final, manifest)
    Stamps(final, manifest.digest).write({name: stamped((final / name).stat()) for name in manifest.files})
    return artifact


def open_artifact(path: Path, kind: str) -> Artifact:
    """Read and check a manifest. Files are verified as they are asked for, or all at once by ``verify``."""
    remedy = f"Remove the directory and renew it with: {renewal(path, kind)}"
    try:
        text = (path / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        shown = command("show", home(path, kind))
        raise ArtifactError(f"There is no {kind} at '{path}'. See what exists with: {shown}") from None
    except (OSError, ValueError) as error:
        raise DamagedArtifactError(f"The manifest of '{path}' cannot be read: {error}. {remedy}") from None
    return Artifact(path, read_manifest(text, kind, path.name, str(path), remedy))


def read_manifest(text: str, kind: str, name: str, path: str, remedy: str) -> Manifest:
    """Check what a manifest says, of an artifact ``name`` at ``path``; raises ArtifactError, which tells ``path`` and ``remedy``."""
    try:
        values = json.loads(text)
        found = str(values["kind"]), values["format_version"], str(values["id"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DamagedArtifactError(f"The manifest of '{path}' cannot be read: {error}. {remedy}") from None
    if found[0] != kind:
        raise ArtifactError(f"'{path}' is of kind '{found[0]}', not '{kind}'")
    known = FORMAT_VERSIONS[kind]
    if found[1] != known:
        raise ArtifactError(
            f"'{path}' has {kind} format {found[1]}, this nitari reads {known}. "
            "Open it with the version that wrote it, or build it again"
        )
    if found[2] != name:
        raise DamagedArtifactError(f"'{path}' says its id is '{found[2]}'. An artifact may be moved, not renamed")
    values.pop("sha256", None)
    try:
        manifest = Manifest(**values)
    except TypeError as error:
        raise DamagedArtifactError(f"The manifest of '{path}' cannot be read: {error}. {remedy}") from None
    if manifest.text != text:
        raise DamagedArtifactError(f"The manifest of '{path}' was changed after it was published. {remedy}")
    return manifest
