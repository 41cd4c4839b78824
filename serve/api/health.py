"""Health: whether the process lives, whether it can answer, and what it measured."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from .context import Here, answer

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: str


class Ready(BaseModel):
    status: str
    release: str
    trouble: str | None


@router.get("/healthz", response_model=Alive)
async def healthz() -> Response:
    return answer({"status": "ok"})


@router.get("/readyz", response_model=Ready)
async def readyz(here: Here) -> Response:
    """``trouble`` says why the collection's current release, or a change, was refused; the one before answers meanwhile."""
    trouble = here.shelf.trouble and here.told(here.shelf.trouble)
    return answer({"status": "ready", "release": here.shelf.current.release.id, "trouble": trouble})


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def metrics(here: Here) -> Response:
    """For Prometheus."""
    return Response(here.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
