"""The API's page of the docs, written from its OpenAPI document.

python -m nitari.serve.api.document > docs/api.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from . import about, feedback, health, items, problem, recommend
from .app import describe

_TITLES = {
    "items": "Items",
    "recommend": "More like this",
    "collection": "The collection",
    "feedback": "Feedback",
    "health": "Health",
}
_START = """# The HTTP API

`nitari serve collection=X` answers these; the same as a machine reads it: `/openapi.json`. This page is written from that:
`python -m nitari.serve.api.document`.

Every answer that comes from a release names it, in `release` and in the header `X-Nitari-Release`. What is wrong is told by a
problem document (RFC 9457, `application/problem+json`) whose `detail` says the fact, the value and the remedy; where a filter
is wrong, `position` is the place in its text. Requests for other host names than the server's (421) and changing requests
of other origins' pages (403) are refused, and so are bodies that are too large (413), too slow (408) or of another content type
than the one that a route takes (415). Changes need `Authorization: Bearer TOKEN`.

Parameters and fields that are not listed are refused, so that a misspelt one is noticed.
"""


def openapi() -> dict[str, Any]:
    """The document, without opening a collection."""
    app = FastAPI(title="nitari")
    for part in (items, recommend, about, feedback, health):
        app.include_router(part.router)
    problem.install(app)
    describe(app)
    return app.openapi()


def document(found: Mapping[str, Any]) -> str:
    """Markdown of an OpenAPI document."""
    lines = [_START]
    by_tag: dict[str, list[str]] = {tag: [] for tag in _TITLES}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]] += [*_operation(method.upper(), path, operation, found), ""]
    for tag, title in _TITLES.items():
        lines += [f"## {title}", "", *by_tag[tag]]
    lines += ["## What is sent and answered", ""]
    schemas = found["components"]["schemas"]
    sent = _sent(found)
    for name, schema in sorted(schemas.items()):
        if "properties" in schema and not name.startswith("Body_"):
            lines += [*_schema(name, schema, null=name not in sent), ""]
    return "\n".join(lines).rstrip() + "\n"


def _operation(method: str, path: str, operation: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{method} {path}`"
    yield ""
    yield " ".join(operation.get("description", "").split())
    yield ""
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | default | |"
        yield "|---|---|---|---|---|"
        for one in parameters:
            kind = one["schema"]
            default = "required" if one["required"] else _value(kind.get("default"))
            yield f"| `{one['name']}` | {one['in']} | {_type(kind)} | {default} | {one.get('description', '')} |"
        yield ""
    if "requestBody" in operation:
        for media, content in operation["requestBody"]["content"].items():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            if not name.startswith("Body_"):
                yield f"Body: [{name}](#{name.lower()}), `{media}`."
            else:
                fields = found["components"]["schemas"][name]
                parts = (f"`{key}` ({_type(kind)})" for key, kind in fields["properties"].items())
                yield f"Body: `{media}` with {', '.join(parts)}."
            yield ""
    answers = []
    for status, answer in operation["responses"].items():
        media = next(iter(answer.get("content", {})), "")
        schema = answer.get("content", {}).get(media, {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        if name != "Problem":
            answers.append(
                f"{status} {f'[{name}](#{name.lower()})' if name else f'`{media}`' if media else ''}".strip()
            )
    problems = [
        status
        for status, answer in operation["responses"].items()
        if "application/problem+json" in answer.get("content", {})
    ]
    yield f"Answers: {', '.join(answers)}; problems: {', '.join(sorted(problems)) or 'none'}."


def _sent(found: Mapping[str, Any]) -> set[str]:
    """Names of the schemas that requests' bodies are made of."""
    operations = [operation for methods in found["paths"].values() for operation in methods.values()]
    names: set[str] = set()
    new = _named([operation["requestBody"] for operation in operations if "requestBody" in operation])
    while new:
        names |= new
        new = _named([found["components"]["schemas"][name] for name in new]) - names
    return names


def _named(node: Any) -> set[str]:
    """Names of the schemas that a part of the document refers to."""
    if isinstance(node, Mapping):
        own = {node["$ref"].rpartition("/")[2]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(_named, node.values()))
    return set().union(*map(_named, node)) if isinstance(node, list) else set()


def _schema(name: str, schema: Mapping[str, Any], null: bool) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if text := schema.get("description"):
        yield " ".join(text.split())
        yield ""
    yield "| field | type | default | |"
    yield "|---|---|---|---|"
    for key, kind in schema["properties"].items():
        default = "required" if key in schema.get("required", ()) else _value(kind.get("default"))
        yield f"| `{key}` | {_type(kind, null)} | {default} | {kind.get('description', '')} |"


def _value(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _type(kind: Mapping[str, Any], null: bool = False) -> str:
    """``null``: say where a value may be null, as answers have them; what is null in a request is as well left out."""
    if "$ref" in kind:
        name = kind["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in kind:
        return " or ".join(_type(one, null) for one in kind["anyOf"] if null or one.get("type") != "null")
    if "enum" in kind:
        return " or ".join(f"`{value}`" for value in kind["enum"])
    if "const" in kind:
        return f"`{kind['const']}`"
    name = kind.get("type", "anything")
    if "contentMediaType" in kind or kind.get("format") == "binary":
        return "file"
    if name == "array":
        parts = kind.get("prefixItems")
        if parts:
            return f"[{', '.join(_type(one, null) for one in parts)}]"
        return f"list of {_type(kind.get('items', {}), null)}"
    if name == "object" and isinstance(kind.get("additionalProperties"), dict):
        return f"{_type(kind['additionalProperties'], null)} by name"
    bounds = [
        f"{sign} {kind[key]:g}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"))
        if key in kind
    ]
    return " ".join([name, *bounds])


def main() -> int:
    sys.stdout.write(document(openapi()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
