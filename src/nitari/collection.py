"""A collection: one set of pictures under one name, and the directory of everything derived from it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitari import lines
from nitari.artifact import Artifact, open_artifact
from nitari.command import MADE_BY, NAMED, command
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.files import sync, write_atomic
from nitari.guess import meant
from nitari.stamps import pulled_file, stamp_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID = re.compile(r"[\w-]+", re.ASCII)
_FOLDERS = {
    "catalog": "catalog",
    "thumbnails": "thumbnails",
    "encoder": "encoders",
    "vocabulary": "vocabularies",
    "embeddings": "embeddings",
    "annotation": "annotations",
    "index": "indexes",
    "text": "texts",
    "evaluation": "evaluations",
    "release": "releases",
}
SWITCHES = "releases.jsonl"
"""The log of switches, beside ``current``."""
_BRIEF = ("removals", "switch")  # held for moments
_JOBS = ("append", "ingest", "fit", "vocabulary", "build", "evaluate", "release")


class Collection:
    """Finds, opens and follows the artifacts under ``root``/``name``. Creates nothing until something is written."""

    def __init__(self, root: Path | str, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"'{name}' cannot name a collection. Use letters, digits, '.', '_' and '-', at most 64")
        self.name = name
        self.path = Path(root) / name

    @classmethod
    def existing(cls, root: Path | str, name: str) -> Collection:
        """Like the constructor, but raises ArtifactError when nothing was ever ingested under this name."""
        collection = cls(root, name)
        if not collection.path.is_dir():
            known = sorted(p.name for p in Path(root).iterdir() if p.is_dir()) if Path(root).is_dir() else []
            there = f"There are: {', '.join(known)}" if known else f"'{root}' holds none yet"
            made = collection.command("ingest", "source.path=…")
            raise ArtifactError(f"There is no collection '{name}'. {there}. Make it with: {made}")
        return collection

    def command(self, job: str, *words: str) -> str:
        """What to type in a shell to run ``job`` on this collection."""
        return command(job, self.path, *words)

    def folder(self, kind: str, space: str | None = None) -> Path:
        """Where artifacts of ``kind`` are published; embeddings and indexes have one folder a space, annotations one a name."""
        folder = self.path / _FOLDERS[kind]
        return folder / space if space else folder

    def ids(self, kind: str, space: str | None = None) -> list[str]:
        """Published ids, oldest first."""
        folder = self.folder(kind, space)
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    def spaces(self, kind: str = "embeddings") -> list[str]:
        """Names of the spaces that have a published artifact of ``kind``; of the annotators that have an annotation."""
        folder = self.folder(kind)
        return sorted(p.name for p in folder.iterdir() if self.ids(kind, p.name)) if folder.is_dir() else []

    def folders(self, kind: str) -> list[Path]:
        """Every folder that holds artifacts of ``kind``."""
        if kind in NAMED:
            return [self.folder(kind, name) for name in self.spaces(kind)]
        return [self.folder(kind)] if self.ids(kind) else []

    def open(self, kind: str, artifact_id: str, space: str | None = None) -> Artifact:
        return open_artifact(self.folder(kind, space) / artifact_id, kind)

    def find(self, kind: str, space: str | None = None) -> Artifact | None:
        """The newest published artifact, or None."""
        ids = self.ids(kind, space)
        return self.open(kind, ids[-1], space) if ids else None

    def latest(self, kind: str, space: str | None = None) -> Artifact:
        """The newest published artifact; raises ArtifactError naming the job that makes one."""
        artifact = self.find(kind, space)
        if artifact is None:
            what = f"{kind} of {'annotator' if kind == 'annotation' else 'space'} '{space}'" if space else kind
            group = {"embeddings": "extractor", "annotation": "annotator"}.get(kind)
            words = [f"{group}={space}"] if group and space else []
            run = self.command(MADE_BY[kind], *words)
            hint = meant(space, self.spaces(kind)) if space else ""
            raise ArtifactError(
                f"Collection '{self.name}' has no {what}{'' if hint else ' yet'}. {hint}{'Or run' if hint else 'Run'}: {run}"
            )
        return artifact

    def parent(self, artifact: Artifact, role: str, space: str | None = None) -> Artifact:
        """Open what ``artifact`` pins as ``role``, refusing one whose digest is another."""
        pinned = artifact.manifest.parents.get(role)
        if pinned is None:
            raise ArtifactError(f"{artifact.manifest.kind} '{artifact.id}' pins no {role}")
        parent = self.open(pinned["kind"], pinned["id"], space)
        artifact.expect_parent(role, parent)
        return parent

    def pinned(self, artifact: Artifact, role: str) -> Artifact:
        """As ``parent``, of an artifact whose roles name spaces and annotators: ``embeddings:<space>``."""
        kind = artifact.manifest.parents.get(role, {}).get("kind")
        return self.parent(artifact, role, self.name_in(role, kind))

    @staticmethod
    def name_in(role: str, kind: str | None) -> str | None:
        """The space or annotator that a role names, of a kind that has a folder a name."""
        return role.partition(":")[2] if kind in NAMED else None

    def annotations(self, catalog: Artifact) -> dict[str, Artifact]:
        """Each annotator's newest annotation that was made from ``catalog``, by the annotator's name."""
        found = {}
        for name in self.spaces("annotation"):
            for artifact_id in reversed(self.ids("annotation", name)):
                artifact = self.open("annotation", artifact_id, name)
                if artifact.manifest.parents["catalog"]["digest"] == catalog.manifest.digest:
                    found[name] = artifact
                    break
        return found

    def work(self, job: str, key: Mapping[str, Any]) -> Path:
        """A directory for a job's unfinished output, the same for the same ``key``, so that a killed job resumes."""
        digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:16]
        path = self.path / "work" / f"{job}-{digest}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def discard(self, work: Path) -> None:
        shutil.rmtree(work, ignore_errors=True)

    def drop(self, path: Path) -> None:
        """Delete an artifact or addition: out of sight by one rename, so that nothing half-deleted is ever opened."""
        aside = self.work("drop", {"drop": str(path)})
        shutil.rmtree(aside)
        path.rename(aside)
        for beside in (stamp_file(path), pulled_file(path)):
            beside.unlink(missing_ok=True)
        if path.parent == self.folder("release"):
            self.check_file(path.name).unlink(missing_ok=True)
        shutil.rmtree(aside)

    @contextmanager
    def lock(self, job: str, wait: bool = False) -> Iterator[None]:
        """One process at a time may run ``job`` here, others are refused or ``wait``; a killed one leaves no lock behind."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / f".{job}.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                file.seek(0)
                raise ArtifactError(
                    f"Another '{job}' is at work on collection '{self.name}' (process {file.read().strip()}). Wait for it, or end it"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def idle(self, but: Iterable[str] = ()) -> None:
        """Raise ArtifactError, as ``lock`` does, where a job other than ``but`` is at work here."""
        for file in self.path.glob(".*.lock"):
            job = file.name[1:-5]
            if job not in but:
                with self.lock(job):
                    pass

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """No job may run here meanwhile: those that wait do, others are refused, as this is where one is at work."""
        known = {file.name[1:-5] for file in self.path.glob(".*.lock")} - set(_BRIEF)
        with ExitStack() as held:
            for job in sorted({*known, *_JOBS}):
                held.enter_context(self.lock(job, wait=job == "append"))
            yield

    @property
    def current(self) -> str | None:
        """Id of the release being served, or None."""
        try:
            text = (self.path / "current").read_bytes()
        except FileNotFoundError:
            return None
        if not re.fullmatch(rb"[\w-]+\n", text):
            raise DamagedArtifactError(
                f"'{self.path / 'current'}' does not name a release. Run: {self.command('build')}"
            )
        return text.decode().strip()

    def switch(self, release: Artifact, by: str = "build") -> None:
        """Make ``release`` the current one, atomically, and add to the log of switches that ``by`` did it."""
        with self.lock("switch", wait=True):
            try:
                before = self.current
            except DamagedArtifactError:
                before = None
            write_atomic(self.path / "current", release.id + "\n")
            sync(self.path)
            if before != release.id:
                when = datetime.now(UTC).isoformat(timespec="seconds")
                entry = {"when": when, "release": release.id, "before": before, "by": by}
                lines.append(self.path / SWITCHES, [entry])

    def switches(self) -> list[dict[str, Any]]:
        """Every switch of the current release, oldest first: ``release``, ``before``, ``by`` (build, release or rollback), ``when``."""
        return [entry for _, entry in lines.read(self.path / SWITCHES, "Remove the line")]

    def check_file(self, release_id: str) -> Path:
        """Where the last check of a release is left."""
        return self.path / "checks" / f"{release_id}.json"

    def served(self) -> list[str]:
        """Ids of the releases to go back through, the current one last. What was rolled back is not among them."""
        trail: list[str] = []
        for entry in self.switches():
            release, before = str(entry.get("release")), entry.get("before")
            if before and (not trail or trail[-1] != before):  # served before there was a log, or its line was lost
                trail.append(str(before))
            if entry.get("by") == "rollback" and release in trail:
                del trail[trail.index(release) + 1 :]
            if trail[-1:] != [release]:
                trail.append(release)
        current = self.current
        if current is not None and trail[-1:] != [current]:
            trail.append(current)
        return trail

    def release(self, release_id: str | None = None) -> Artifact:
        """The named release, or the current one."""
        chosen = release_id or self.current
        if chosen is None:
            raise ArtifactError(f"Collection '{self.name}' has no release yet. Run: {self.command('build')}")
        if not _ID.fullmatch(chosen):
            raise ArtifactError(f"'{chosen}' is no release. There are: {', '.join(self.ids('release')) or 'none yet'}")
        if not (self.folder("release") / chosen).is_dir():
            raise ArtifactError(
                f"There is no release '{chosen}' of collection '{self.name}'. See which there are: {self.command('release list')}"
            )
        return self.open("release", chosen)
