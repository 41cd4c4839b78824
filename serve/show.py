"""Shows what a collection holds, what is stale, and the commands that renew it.

    nitari show collection=shoes
    nitari show collection=shoes format=json

Counts, versions, sizes and parents of what there is; what was appended and removed since; what was made from older versions.

Settings:

    collection    name of the collection; without it, all collections are listed
    root          directory that holds all collections (collections)
    format        table | json (table)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nitari.arguments import choose, parse
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.steps.status import status

_FILELESS = {
    "nitari.index.exact.Exact": "no file of its own: it scans the vectors of the space",
    "nitari.index.milvus.Milvus": "no file of its own: it is on a server",
}


def main(words: Sequence[str]) -> int:
    values = parse(words, {"collection": "", "root": ROOT, "format": "table"}, "show")
    as_json = choose(values, "format", ("table", "json")) == "json"
    if not values["collection"]:
        root = Path(values["root"])
        names = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        print(
            json.dumps({"root": str(root), "collections": names})
            if as_json
            else "\n".join(names) or f"'{root}' holds no collection yet"
        )
        return 0
    found = status(Collection.existing(values["root"], values["collection"]))
    print(json.dumps(found, ensure_ascii=False) if as_json else table(found))
    return 0


def table(found: dict[str, Any]) -> str:
    """The description of ``nitari.steps.status`` for people."""
    items = found["items"]
    states = ", ".join(
        f"{items[key]:,} {key}" for key in ("ready", "unreadable", "gone") if items[key] or key == "ready"
    )
    lines = [f"{found['collection']}: {items['total']:,} items ({states}), {size(found['bytes'])} in all", ""]
    rows = [(kind, found[kind]) for kind in ("catalog", "thumbnails", "encoder")]
    for name, space in found["spaces"].items():
        rows.append((f"space {name}", space))
        if space["index"]:
            rows.append(("  its index", space["index"]))
    rows += [(f"annotation {name}", annotation) for name, annotation in found["annotations"].items()]
    rows += [("text", found["text"])] if found["text"] else []
    rows += [("release", found["release"]), ("evaluation", found["evaluation"])]
    width = max(16, *(len(label) for label, _ in rows))
    for label, entry in rows:
        if entry is None:
            lines.append(f"  {label:<{width}} none")
            continue
        shape = f"  {entry['metric']}, {entry['dim']} × {entry['dtype']}" if "metric" in entry else ""
        shape += ", to compare with" if entry.get("comparison") else ""
        held = (
            f"{size(entry['bytes']):>9}" if entry["bytes"] else _FILELESS.get(entry.get("kind"), "no file of its own")
        )
        lines.append(f"  {label:<{width}} {entry['id']}  {held}{shape}")
    if found["unfinished"]:
        lines += ["", f"Unfinished work that its job takes up again: {', '.join(found['unfinished'])}"]
    lines += _pending(found["pending"])
    lines.append("")
    if not found["stale"]:
        lines.append("Nothing is stale.")
    for entry in found["stale"]:
        lines += [f"Stale: {entry['what']}: {entry['why']}", f"  Run: {entry['renew']}"]
    return "\n".join(lines)


def _pending(found: dict[str, Any]) -> list[str]:
    """What was appended and removed, each with what takes it in."""
    lines = []
    if n := found["pictures"]:
        lines += ["", f"Appended and not built in: {n:,} {_pictures(n)}, which searches find beside the indexes"]
        lines += [f"  {what}" for what in found["move"]]
        lines += [f"  Run: {command}" for command in found["ingest"]]
        lines += ["  Then run what show calls stale" if found["ingest"] else "  Run what is stale"]
    if n := found["removed"]:
        lines += [
            "",
            f"Removed: {n:,} {_pictures(n)}, which no search finds; {found['held']:,} still kept in what is served",
        ]
        lines += [f"  To take what is kept off the disk, for good: {found['purge']}"] if found["purge"] else []
    return [*lines, *(line for damage in found["damaged"] for line in ("", damage))]


def _pictures(n: int) -> str:
    return "picture" if n == 1 else "pictures"


def size(n_bytes: float) -> str:
    """Bytes as people read them: 1.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
