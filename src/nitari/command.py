"""A command as somebody would paste it: with all that it takes to reach the same collection."""

from __future__ import annotations

import shlex
from pathlib import Path

ROOT = "collections"
"""The directory of all collections where none is named."""
ADDITIONS = "additions"
"""Of a collection: small collections of what was appended."""
OPEN = "collection=…"
"""What stands in a message of a room that does not know of which collection it speaks; ``filled`` tells."""

MADE_BY = {
    "catalog": "ingest",
    "thumbnails": "ingest",
    "encoder": "fit",
    "vocabulary": "extract",
    "embeddings": "extract",
    "annotation": "annotate",
    "index": "build",
    "text": "build",
    "evaluation": "evaluate",
    "release": "build",
}
"""The job that makes each kind."""
NAMED = ("embeddings", "annotation", "index")
"""Kinds with a folder a space, or an annotator."""


def command(job: str, folder: Path, *words: str) -> str:
    """``nitari JOB collection=NAME root=ROOT WORD …`` for the collection in ``folder``. ``words`` are as typed in a shell."""
    return " ".join(["nitari", job, reached(folder), *words])


def reached(folder: Path) -> str:
    """``collection=NAME root=ROOT``, without a root that is the usual one."""
    whole = owner(folder)
    return f"collection={whole.name}{rooted(whole.parent)}"


def rooted(root: Path | str) -> str:
    """`` root=ROOT`` as typed in a shell, or nothing where it is the usual one."""
    return "" if Path(root) == Path(ROOT) else f" root={shlex.quote(str(root))}"


def filled(text: str, folder: Path) -> str:
    """``text`` with the words that lead to the collection in ``folder`` wherever they were left open."""
    return text.replace(OPEN, reached(folder))


def owner(folder: Path) -> Path:
    """The collection that the small one in ``folder`` is, or becomes, an addition to; any other is its own."""
    above = folder.parent.parent
    if folder.parent.name == ADDITIONS and (above / "catalog").is_dir():
        return above
    if folder.name == "addition" and above.name == "work" and (above.parent / "catalog").is_dir():
        return above.parent
    return folder


def home(path: Path, kind: str) -> Path:
    """The folder of the collection that an artifact of ``kind`` at ``path`` is in."""
    steps = 2 if kind in NAMED else 1
    return (path if len(path.parents) > steps + 1 else path.absolute()).parents[steps]


def renewal(path: Path, kind: str) -> str:
    """The command that makes an artifact of ``kind`` like the one at ``path``."""
    group = {"embeddings": "extractor", "annotation": "annotator"}.get(kind)
    return command(MADE_BY[kind], home(path, kind), *([f"{group}={path.parent.name}"] if group else []))
