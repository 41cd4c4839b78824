"""The app: routes, the gate before them, and what runs beside them while it is up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles

from nitari import __version__
from nitari.collection import Collection
from nitari.errors import NitariError
from nitari.feedback import Feedback
from nitari.startup import lean, without_pandas

from . import about, feedback, health, items, problem, recommend, schema
from .context import Context
from .gate import App, Gate, Receive, Scope, Send
from .metrics import MULTIPROCESS, Metrics
from .protocol import Impatient
from .settings import Settings
from .shelf import Shelf
from .workshop import Workshop

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent.parent / "page"
POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
FAILED = "failed"
_READING = 30.0  # seconds for reading and encoding one picture; its limits are stricter


def prepare(settings: Settings) -> None:
    """What holds for all of a process that serves."""
    lean()
    logging.basicConfig(level=settings.log.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    Impatient.patience = settings.patience
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def worker() -> FastAPI:
    """The app of one of several worker processes. Where it cannot be made, all of them end, with a mark for their parent."""
    settings = Settings.here()
    prepare(settings)
    without_pandas()
    try:
        return create(settings)
    except NitariError as error:
        mark = Path(os.environ[MULTIPROCESS]) / FAILED
        if not mark.exists():
            print(f"nitari: {error}", file=sys.stderr)
        mark.touch()
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(2)


def create(settings: Settings) -> FastAPI:
    """An app of one collection. It opens and verifies the current release now, and raises what is wrong with it."""
    collection = Collection.existing(settings.root, settings.collection)
    metrics = Metrics()
    here = Context(
        settings,
        collection,
        Shelf(collection),
        Workshop(settings.root, settings.collection, _READING),
        Workshop(settings.root, settings.collection, _READING),
        metrics,
        Feedback(collection),
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(_watch(here))
        warm = asyncio.create_task(_start(here.reading)) if settings.uploads else None
        yield
        for task in (watch, warm):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await here.reading.stop()
        await here.writing.stop()

    app = FastAPI(
        title="nitari",
        version=__version__,
        summary=f"More like this, of the collection '{settings.collection}'",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.context = here
    for part in (items, recommend, about, feedback, health):
        app.include_router(part.router)
    _page(app)
    problem.install(app)
    describe(app)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Nitari-Release"],
        )
    app.add_middleware(
        Gate,
        hosts=settings.hosts,
        origins=settings.origins,
        upload=settings.upload,
        uploads=(recommend.UPLOAD, items.ITEMS),
        patience=settings.patience,
        guard=items.Guard(settings.token),
    )
    app.add_middleware(_Measured, metrics=metrics)
    return app


class _Measured:
    """Counts requests, and how long they take, by the route that answered."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def noted(message: Scope) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path_format", "other")
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.latency.labels(route).observe(time.perf_counter() - start)


async def _watch(here: Context) -> None:
    """Notice another release, and items that came or went, without a request having to wait for it."""
    swaps = 0
    while True:
        try:
            await here.refresh()
        except Exception:
            log.exception("Looking for changes failed, and is tried again")
        shelf, metrics = here.shelf, here.metrics
        metrics.swaps.inc(shelf.swaps - swaps)
        swaps = shelf.swaps
        metrics.items.set(shelf.current.catalog.n_ready - len(shelf.current.hidden))
        metrics.follow(shelf.current.release.id, shelf.current.plans)
        metrics.refused.set(shelf.trouble is not None)
        await asyncio.sleep(here.settings.poll)


async def _start(workshop: Workshop) -> None:
    with contextlib.suppress(problem.Problem):  # it is tried again with the first picture
        await workshop.start()


class _Fresh(StaticFiles):
    """Asked for again each time, so that a newer server's modules do not meet older ones of the browser's cache."""

    def file_response(self, *args: Any, **more: Any) -> Response:
        response = super().file_response(*args, **more)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = POLICY
        return response


def _page(app: FastAPI) -> None:
    index = PAGE / "index.html"
    if not index.is_file():
        return
    app.mount("/page", _Fresh(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        return Response(index.read_bytes(), headers=headers, media_type="text/html; charset=utf-8")


def describe(app: FastAPI) -> None:
    """Every problem in the OpenAPI document is of our kind."""
    original = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            found = original()
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = schema.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
