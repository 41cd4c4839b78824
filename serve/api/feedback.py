"""Feedback: what people were shown, clicked, liked and hid, kept to be replayed offline."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from . import schema
from .context import Here, answer
from .schema import Events, problems

router = APIRouter(prefix="/v1", tags=["feedback"])


@router.post("/feedback", response_model=schema.Accepted, responses=problems(400, 408, 422))
async def feedback(here: Here, asked: Events) -> Response:
    """Events, on disk when this is answered. ``nitari evaluate feedback=true`` replays them."""
    events = [event.model_dump(exclude_none=True) for event in asked.events]
    return answer({"accepted": await asyncio.to_thread(here.feedback.append, events)})
