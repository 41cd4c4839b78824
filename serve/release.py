"""Serves a build that was not switched to, once it is checked; goes back to the release before; lists and verifies.

    nitari build collection=shoes switch=false
    nitari release collection=shoes
    nitari release collection=shoes release=ID recall=.98 overlap=.5
    nitari release rollback collection=shoes
    nitari release list collection=shoes
    nitari release verify collection=shoes full=true

`nitari release` (or `release create`) takes the newest release, or the one named: every checksum of it and of all it pins
is checked, and that all of it belongs together (indexes of these vectors, vectors of this catalog and encoder); then it and
the current release answer the same queries, items that both hold. It becomes the current one only if it reaches the
thresholds, by one rename: whoever asks is served by the old release or the new one. What was checked is left in
checks/ID.json; every switch, builds' as well, is a line of releases.jsonl. The status is 1 where it was refused.

`rollback` serves the release that was current before, or the one named, once that is verified; asked again, the one before
that. `verify` names each damaged, missing or unmatched file and what renews it, with status 1; files are read again only
where size, time or inode changed, or with full=true.

Settings:

    collection    name of the collection
    release       id of a release (create: the newest; rollback: the one before; verify: the current one)
    recall        create: ann_recall_at_k that every index has to reach (0.95)
    answered      create: share of the queries that have to be answered (0.99)
    overlap       create: share of the results that has to be as the current release's (0)
    queries       create: items that are asked with (200)
    k             create: results a query (10)
    seed          create: another one draws other queries (0)
    force         create: switch even where a threshold is missed; never to what is damaged (false)
    full          read every file again (false)
    format        table | json (table)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nitari.arguments import choose, parse
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.errors import ConfigError
from nitari.guess import meant
from nitari.startup import without_pandas

from .show import size

SETTINGS: dict[str, Any] = {
    "collection": str,
    "release": None,
    "recall": 0.95,
    "answered": 0.99,
    "overlap": 0.0,
    "queries": 200,
    "k": 10,
    "seed": 0,
    "force": False,
    "full": False,
    "format": "table",
    "root": ROOT,
}
_SHARED = ("collection", "format", "root")


def main(words: Sequence[str]) -> int:
    """Returns 1 where a release was refused, or is damaged."""
    named = bool(words) and "=" not in words[0]
    verb, rest = (words[0], words[1:]) if named else ("create", words)
    if verb not in _VERBS:
        hint = meant(verb, _VERBS) or f"There are: {', '.join(_VERBS)}. "
        raise ConfigError(f"nitari release does not know '{verb}'. {hint}See: nitari release --help")
    run, show, keys = _VERBS[verb]
    values = parse(rest, {key: SETTINGS[key] for key in SETTINGS if key in (*_SHARED, *keys)}, f"release {verb}")
    as_json = choose(values, "format", ("table", "json")) == "json"
    without_pandas()
    collection = Collection.existing(values["root"], values["collection"])
    found = run(collection, values)
    print(json.dumps(found, ensure_ascii=False) if as_json else show(collection, found))
    return 1 if found.get("problems") or (found.get("refused") and not found["switched"]) else 0


def create(collection: Collection, values: Mapping[str, Any]) -> dict[str, Any]:
    from nitari.steps.progress import Progress
    from nitari.steps.release import Thresholds, promote

    return promote(
        collection,
        values["release"],
        thresholds=Thresholds(values["recall"], values["answered"], values["overlap"]),
        **{key: values[key] for key in ("queries", "k", "seed", "full", "force")},
        progress=Progress("Asking", "queries"),
    )


def rollback(collection: Collection, values: Mapping[str, Any]) -> dict[str, Any]:
    from nitari.steps.progress import Progress
    from nitari.steps.release import rollback

    return rollback(collection, values["release"], full=values["full"], progress=Progress("Verifying", "files"))


def listed(collection: Collection, values: Mapping[str, Any]) -> dict[str, Any]:
    from nitari.steps.release import releases

    return {"collection": collection.name, "current": collection.current, "releases": releases(collection)}


def verified(collection: Collection, values: Mapping[str, Any]) -> dict[str, Any]:
    from nitari.steps.progress import Progress
    from nitari.steps.verify import verify

    found = verify(collection, values["release"], full=values["full"], progress=Progress("Verifying", "files"))
    return {"collection": collection.name, **found._asdict()}


def show_create(collection: Collection, found: Mapping[str, Any]) -> str:
    asked, k = found["smoke"], found["smoke"]["k"]
    against = asked["against"] or {}
    lines = [
        f"{found['collection']}: release {found['release']}",
        f"  {_counted(found['verified'])}: every checksum is right, and all belong together",
        f"  {asked['queries']:,} queries, seed {asked['seed']}; beside it {found['against'] or 'nothing to compare with'}",
        "",
    ]
    rows: list[tuple[str, ...]] = [("", "this release", "current" if against else "")]
    for name, form in (("answered", "{:.2%}"), ("p50_ms", "{:g} ms"), ("p95_ms", "{:g} ms")):
        values = [side.get(name) for side in (asked["release"], against)]
        rows.append((name.removesuffix("_ms"), *("" if value is None else form.format(value) for value in values)))
    if asked["overlap"] is not None:
        rows.append((f"overlap at {k}", f"{asked['overlap']:.4f}", ""))
    for space, recall in asked[f"ann_recall_at_{k}"].items():
        text = "" if recall is None else f"{recall['value']:.4f} [{recall['low']:.4f}, {recall['high']:.4f}]"
        rows.append((f"ann_recall_at_{k} {space}", text, ""))
    lines += _table(rows)
    lines += ["", *(f"Refused: {reason}" for reason in found["refused"])]
    if found["switched"]:
        before = found["against"]
        lines.append(f"{found['release']} is current now" + (f"; before it was {before}" if before else ""))
        lines += [f"Go back with: {collection.command('release rollback')}"] if before else []
    elif found["current"] == found["release"]:
        lines.append("It is the current one already")
    else:
        lines.append(f"Current is still {found['current']}. To switch nevertheless: force=true, or other thresholds")
    return "\n".join(lines)


def show_rollback(collection: Collection, found: Mapping[str, Any]) -> str:
    if not found["switched"]:
        return f"{found['release']} is the current one already; {_counted(found['verified'])} are as they should be"
    forward = collection.command("release create", f"release={found['before']}")
    return (
        f"{found['release']} is current now ({_counted(found['verified'])}, verified); before it was {found['before']}\n"
        f"Go forward again with: {forward}"
    )


def show_listed(collection: Collection, found: Mapping[str, Any]) -> str:
    if not found["releases"]:
        return f"{found['collection']} has no release yet. Run: {collection.command('build')}"
    rows = [("release", "created", "items", "size", "spaces", "")]
    for one in found["releases"]:
        if "error" in one:
            rows.append((one["id"], "", "", "", one["error"], ""))
            continue
        mark = "current" if one["current"] else "rollback goes here" if one["previous"] else ""
        if not mark and one["check"] and not one["check"]["switched"]:
            mark = "refused" if one["check"]["refused"] else ""
        rows.append(
            (one["id"], one["created"], f"{one['items']:,}", size(one["bytes"]), ", ".join(one["spaces"]), mark)
        )
    return "\n".join(_table(rows))


def show_verified(collection: Collection, found: Mapping[str, Any]) -> str:
    lines = [f"{found['collection']}: release {found['release']}, {_counted(found)}", *found["problems"]]
    return "\n".join([*lines, f"Problems: {len(found['problems'])}" if found["problems"] else "All is well."])


def _counted(verified: Mapping[str, Any]) -> str:
    return f"{verified['artifacts']} artifacts, {verified['files']:,} files, {size(verified['bytes'])}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    cells = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [f"  {line}".rstrip() for line in cells]


_Run = Callable[[Collection, Mapping[str, Any]], dict[str, Any]]
_Show = Callable[[Collection, Mapping[str, Any]], str]
_VERBS: dict[str, tuple[_Run, _Show, tuple[str, ...]]] = {
    "create": (create, show_create, tuple(SETTINGS)),
    "rollback": (rollback, show_rollback, ("release", "full")),
    "list": (listed, show_listed, ()),
    "verify": (verified, show_verified, ("release", "full")),
}
