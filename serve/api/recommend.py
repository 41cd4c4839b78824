"""More like this: of an item, of several, of parts of pictures, and of pictures that are uploaded."""

from __future__ import annotations

import secrets
from collections.abc import Hashable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import ValidationError

from nitari.arguments import numbers
from nitari.catalog import LIKE_ID
from nitari.errors import QueryError
from nitari.recommend.interleaving import team_draft
from nitari.recommend.page import Page
from nitari.recommend.recommender import Recommender
from nitari.recommend.source import Encoded

from . import schema
from .address import ITEM, Address
from .body import Typed
from .context import Context, Here, answer, item_of
from .problem import Problem, told
from .schema import Liking, Part, Recommend, Uploaded, problems

router = APIRouter(prefix="/v1", tags=["recommend"], route_class=Typed)
UPLOAD = "/v1/recommend/upload"
_PASSED = (
    *("like_weights", "unlike_by", "unlike_strength", "history", "half_life", "where", "k", "weights", "fuse"),
    *("diversity", "collapse", "exclude", "echo", "after"),
)


@router.get(f"/items{ITEM}/more-like", response_model=schema.Page, responses=problems(400, 404, 422))
async def more_like(here: Here, item_id: Address, asked: Liking) -> Response:
    """Items like this one, best first, and why each is among them."""
    recommender = await here.recommender(asked.release, asked.after)
    _, item = await item_of(recommender, item_id)
    settings = {name: getattr(asked, name) for name in ("k", "where", "fuse", "diversity", "collapse", "after")}
    settings["weights"] = numbers("weights", asked.weights) if asked.weights else None
    return await _answer(here, recommender, asked.interleave, [item], [], settings)


@router.post("/recommend", response_model=schema.Page, responses=problems(400, 404, 408, 415, 422))
async def recommend(here: Here, asked: Recommend) -> Response:
    """Items like some and unlike others."""
    recommender = await here.recommender(asked.release, asked.after)
    return await _recommend(here, recommender, asked, [])


@router.post("/recommend/upload", response_model=schema.Page, responses=problems(400, 404, 408, 415, 422))
async def upload(
    here: Here, picture: Annotated[UploadFile, File()], settings: Annotated[str | None, Form(max_length=200_000)] = None
) -> Response:
    """Items like a picture, or a part of one. ``settings`` are those of ``POST /v1/recommend`` as JSON, and ``box``."""
    _check_encoding(here)
    try:
        asked = Uploaded.model_validate_json(settings or "{}")
    except ValidationError as error:
        fault = error.errors()[0]
        raise Problem(422, told({**fault, "loc": ("settings", *fault["loc"])})) from None
    data = await picture.read()
    if not data:
        raise Problem(415, "picture has no bytes. Send a picture file", reason="empty")
    if len(data) > here.settings.upload:
        raise Problem(413, f"picture has {len(data):,} bytes. At most {here.settings.upload:,} are taken")
    recommender = await here.recommender(asked.release, asked.after)
    spaces = _spaces(recommender, asked.weights)
    with here.metrics.stage("encode"):
        encoded = await here.reading.encode(recommender.release.id, spaces, data, asked.box)
    return await _recommend(here, recommender, asked, [encoded])


async def _recommend(here: Context, recommender: Recommender, asked: Recommend, first: list[Encoded]) -> Response:
    if asked.interleave is not None and (first or any(isinstance(one, Part) for one in [*asked.like, *asked.unlike])):
        raise QueryError("interleave was given with a picture. Pictures are encoded for one release: ask with items")
    like = [*first, *await _entries(here, recommender, asked.like, asked.weights)]
    unlike = await _entries(here, recommender, asked.unlike, asked.weights)
    settings = {name: getattr(asked, name) for name in _PASSED}
    if settings["like_weights"] is not None:
        settings["like_weights"] = [*(1.0 for _ in first), *settings["like_weights"]]
    return await _answer(here, recommender, asked.interleave, like, unlike, settings)


async def _entries(
    here: Context, recommender: Recommender, entries: Sequence[str | Part], counted: dict[str, float] | None
) -> list[str | Encoded]:
    found: list[str | Encoded] = []
    for entry in entries:
        if isinstance(entry, Part):
            _check_encoding(here)
            picture = recommender.thumbnail(entry.item_id, 1 << 30)
            spaces = _spaces(recommender, counted)
            with here.metrics.stage("encode"):
                found.append(await here.reading.encode(recommender.release.id, spaces, picture, entry.box, known=True))
        else:
            found.append(entry)
    return found


async def _answer(
    here: Context,
    recommender: Recommender,
    interleave: str | None,
    like: Sequence[str | Encoded],
    unlike: Sequence[str | Encoded],
    settings: dict[str, Any],
) -> Response:
    if interleave is not None:
        if interleave == recommender.release.id:
            raise QueryError(f"interleave is '{interleave}', the release that answers. Name another one")
        if settings["after"] is not None:
            raise QueryError("interleave was given with after. Interleaved results are one page: ask for a larger k")
    kind = _kind(recommender, like, unlike, settings)

    def work() -> Page:
        return recommender.recommend(like, unlike=unlike, **settings)

    with here.metrics.stage("recommend"):
        page = await here.pace.run(kind, work)
    here.metrics.candidates.observe(page.scored)
    if interleave is None:
        return answer(page.to_dict())
    other = await here.recommender(interleave)
    theirs = await here.pace.run(
        _kind(other, like, unlike, settings), lambda: other.recommend(like, unlike=unlike, **settings)
    )
    return answer(_interleaved(page, theirs, settings["k"]))


def _kind(
    recommender: Recommender, like: Sequence[str | Encoded], unlike: Sequence[str | Encoded], settings: dict[str, Any]
) -> Hashable:
    """What makes one question slower than another."""
    named = any(isinstance(one, str) and not LIKE_ID.fullmatch(one) for one in [*like, *unlike])  # names are looked for
    lists = (like, unlike, settings.get("history", ()), settings.get("exclude", ()))
    how = (settings["fuse"], settings.get("unlike_by"), settings["diversity"] > 0, settings["collapse"])
    shape = (named, *(len(one).bit_length() for one in lists), settings["k"].bit_length(), settings["after"])
    return (recommender.release.id, settings["where"], *how, *shape, *(settings["weights"] or ()))


def _interleaved(page: Page, other: Page, k: int) -> dict[str, Any]:
    lists = {one.release: [result.item_id for result in one.results] for one in (page, other)}
    known = {(one.release, result.item_id): result for one in (page, other) for result in one.results}
    drafted = team_draft(lists, k, seed=secrets.token_hex(8))
    found = page.to_dict()
    found["results"] = [known[arm, item].to_dict() for item, arm in drafted]
    found["arms"] = [arm for _, arm in drafted]
    found["why"] = None if drafted else found["why"]
    found["after"] = None
    return found


def _check_encoding(here: Context) -> None:
    if not here.settings.uploads:
        raise Problem(
            403, "This server encodes no pictures. Ask with items, or start it with: nitari serve uploads=true"
        )


def _spaces(recommender: Recommender, counted: dict[str, float] | None) -> list[str]:
    """The spaces that a picture has to be encoded in."""
    chosen = recommender.weights if counted is None else counted
    return [name for name in recommender.spaces if chosen.get(name)]
