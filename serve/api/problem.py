"""Problems: what went wrong, as RFC 9457 describes it, with the fact, the value and the remedy in ``detail``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from nitari.errors import (
    ArtifactError,
    ConfigError,
    DamagedArtifactError,
    FilterError,
    NitariError,
    PictureError,
    QueryError,
)
from nitari.guess import meant

from . import schema

log = logging.getLogger(__name__)

_SHOWN = 40  # characters of a value
MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request cannot be answered",
    401: "A token is needed",
    403: "Not from there",
    404: "Not found",
    405: "Not that way",
    408: "Too slow",
    411: "Of no known length",
    413: "Too large",
    415: "Not of a kind that is read",
    421: "Not this host",
    422: "The request is not as described",
    500: "Damaged or broken",
    503: "Not now",
    507: "No room left",
}


class Problem(HTTPException):
    """Raised by routes and by the gate; becomes the answer. An HTTPException, which FastAPI lets through while it reads
    a body. ``headers`` go with the answer, ``more`` into the document.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(status, detail, headers)
        self.more = more


class Busy(Problem):
    """503, of what will be over in a moment."""

    def __init__(self, detail: str) -> None:
        super().__init__(503, detail, {"Retry-After": "1"})


def body(status: int, detail: str, path: str, **more: Any) -> bytes:
    return orjson.dumps(
        {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
        | {"instance": path}
        | more
    )


def respond(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    content = body(status, request.app.state.context.told(detail), request.url.path, **more)
    return Response(content, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return respond(request, error.status_code, error.detail, error.headers, **error.more)

    async def known(request: Request, error: Exception) -> Response:
        status, more = _status(error)
        if status >= 500:
            log.error("%s %s: %s", request.method, request.url.path, error)
        return respond(request, status, str(error), **more)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = error.errors()
        unknown = (fault for fault in faults if fault["type"] == "extra_forbidden")
        first = next(unknown, faults[0])  # which says more than of which kinds a part might have been
        return respond(request, 422, told(first), errors=[_fault(fault) for fault in faults[:20]])

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = f"{request.method} {request.url.path}: {error.detail}. /openapi.json describes what there is"
        return respond(request, error.status_code, detail, error.headers)

    async def broken(request: Request, error: Exception) -> Response:
        log.exception("%s %s", request.method, request.url.path, exc_info=error)
        return respond(request, 500, "The server failed. Its log says how")

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(NitariError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, broken)


def _status(error: Exception) -> tuple[int, dict[str, Any]]:
    match error:
        case FilterError():
            return 400, {"position": error.position}
        case PictureError():
            return 415, {"reason": error.reason}
        case DamagedArtifactError():
            return 500, {}
        case ArtifactError():
            return 404, {}
        case QueryError() | ConfigError():
            return 400, {}
    return 500, {}


def told(fault: Any) -> str:
    """A fault that pydantic found: where, what, the value it was given, and what an unknown name may have meant."""
    where = ".".join(str(part) for part in fault["loc"]) or "the request"
    if fault["type"] == "extra_forbidden":
        word = str(fault["loc"][-1])  # what another request may well have
        what = f"{where} is not known here. {meant(word, [name for name in _names() if name != word])}".rstrip()
    else:
        value = fault.get("input")
        given = f", which is {_shown(value)}" if isinstance(value, str | int | float) else ""
        what = f"{where}{given}: {fault['msg']}."
    return f"{what} /openapi.json describes what is taken"


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
    return json.dumps(value)


def _names() -> list[str]:
    """Every field that some request has."""
    models = (one for one in vars(schema).values() if isinstance(one, type) and issubclass(one, schema.Strict))
    return sorted({name for model in models for name in model.model_fields})


def _fault(fault: Any) -> dict[str, str]:
    return {"where": ".".join(str(part) for part in fault["loc"]), "what": str(fault["msg"])}
