"""Feedback: what people were shown, clicked, liked and hid, kept to be replayed offline."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from fastapi import APIRouter, Response

from . import schema
from .body import Typed
from .context import Here, answer
from .problem import Problem
from .schema import Events, problems

_MOST = 4e9  # bytes of the log, which anybody may write to

router = APIRouter(prefix="/v1", tags=["feedback"], route_class=Typed)


@router.post("/feedback", response_model=schema.Accepted, responses=problems(400, 408, 415, 422, 507))
async def feedback(here: Here, asked: Events) -> Response:
    """Events, on disk when this is answered. ``nitari evaluate feedback=true`` replays them."""
    if not here.settings.feedback:
        raise Problem(403, "This server keeps no feedback. Start it with: nitari serve feedback=true")
    if _size(here.feedback.folder) > _MOST:
        raise Problem(
            507, f"The log of feedback has reached {_MOST / 1e9:g} GB. Move '{here.feedback.folder.name}' away"
        )
    events = [event.model_dump(exclude_none=True) for event in asked.events]
    return answer({"accepted": await asyncio.to_thread(here.feedback.append, events)})


def _size(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder)) if folder.is_dir() else 0
