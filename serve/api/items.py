"""Items: browsing and searching them, one of them, its thumbnail, and taking some in or out."""

from __future__ import annotations

import asyncio
import hmac
import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile
from fastapi.security import HTTPBearer

from nitari.changes import Changes
from nitari.errors import QueryError
from nitari.recommend.listing import attributes, browse

from . import schema
from .address import ITEM, Address
from .body import Typed
from .context import Context, Here, answer, item_of
from .problem import Problem
from .schema import Browsing, Named, problems
from .uploads import Uploads

router = APIRouter(prefix="/v1/items", tags=["items"], route_class=Typed)
ITEMS = "/v1/items"
_APPEND = 60.0  # seconds that taking in one picture may take, at most
_MOST = 100  # pictures of one request
_bearer = HTTPBearer(auto_error=False, description="the token that the server was started with")


@dataclass(frozen=True)
class Guard:
    """Lets what changes the collection pass with the server's ``token`` only."""

    token: str | None

    def __call__(self, method: str, path: str, authorization: str) -> None:
        """For the gate, before any of a body is read."""
        if (method == "POST" and path == ITEMS) or (method == "DELETE" and path.startswith(f"{ITEMS}/")):
            self.check(authorization)

    def check(self, authorization: str) -> None:
        if self.token is None:
            raise Problem(403, "This server takes no changes. Start it with a token: nitari serve token_file=FILE")
        scheme, _, given = authorization.partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        if not hmac.compare_digest(given.encode("latin-1", "replace"), self.token.encode()):
            what = "The token is not the server's" if given else "There is no token"
            raise Problem(401, f"{what}. Send its own: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


async def _writer(here: Here, request: Request, _: Annotated[object, Depends(_bearer)]) -> Context:
    """Once more where it is routed: no path that the gate knows otherwise leads past it."""
    Guard(here.settings.token).check(request.headers.get("authorization", ""))
    return here


Writer = Annotated[Context, Depends(_writer)]


@router.get("", response_model=schema.Page, responses=problems(400, 404, 422))
async def items(here: Here, asked: Browsing) -> Response:
    """Items in the catalog's order, or those with the words of ``text``, best first."""
    recommender = await here.recommender(asked.release, asked.after)
    if asked.text and asked.text.strip():
        text = asked.text
        kind: Hashable = ("find", recommender.release.id, text, asked.where, asked.k, asked.after)
        page = await here.pace.run(
            kind, lambda: recommender.find(text, where=asked.where, k=asked.k, after=asked.after)
        )
    else:
        kind = ("browse", recommender.release.id, asked.where, asked.k, asked.after)
        page = await here.pace.run(kind, lambda: browse(recommender, asked.where, k=asked.k, after=asked.after))
    return answer(page.to_dict())


@router.get(ITEM, response_model=schema.Item, responses=problems(404, 422))
async def item(here: Here, item_id: Address, release: Named = None) -> Response:
    """What is known of an item."""
    recommender = await here.recommender(release)
    row, found_id = await item_of(recommender, item_id)
    found = {
        "item_id": found_id,
        "removed": recommender.hides(row),
        "attributes": attributes(recommender, row),
    }
    about = {"collection": recommender.collection.name, "release": recommender.release.id}
    return answer({**about, "item": found})


@router.get(
    f"{ITEM}/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "As the client has it"},
        **problems(404, 422),
    },
)
async def thumbnail(
    here: Here,
    request: Request,
    item_id: Address,
    side: Annotated[int, Query(ge=1, le=10_000, description="pixels wanted of the longer side")] = 256,
    release: Named = None,
) -> Response:
    """The smallest picture that is kept of at least ``side`` pixels, or the largest there is."""
    recommender = await here.recommender(release)
    row, found = await item_of(recommender, item_id)
    if recommender.hides(row):
        raise Problem(404, f"Item '{item_id}' was removed")
    data = recommender.thumbnail(found, side)
    tag = f'"{len(data):x}-{zlib.crc32(data):08x}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300"}
    if tag in (known.strip() for known in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="image/jpeg")


@router.post("", response_model=schema.Added, responses=problems(400, 401, 408, 415, 422))
async def add(here: Writer, picture: Annotated[list[UploadFile], File()]) -> Response:
    """Take pictures into the collection: they are found as soon as this is answered. Their originals are kept."""
    if len(picture) > _MOST:
        raise QueryError(f"{len(picture)} pictures were sent. Send at most {_MOST} at once")
    uploads = Uploads(here.collection)
    names = []
    for one in picture:
        data = await one.read()
        names.append(await asyncio.to_thread(uploads.keep, data, one.filename or ""))
    done = await here.writing.append(names, _APPEND * len(names))
    await here.refresh()
    return answer(done)


@router.delete(ITEM, response_model=schema.Removed, responses=problems(400, 401, 404, 422))
async def remove(here: Writer, item_id: Address) -> Response:
    """Hide an item at once and for good. ``nitari purge`` rewrites the collection without it."""
    recommender = await here.recommender(None)
    _, found = await item_of(recommender, item_id)
    changed = await asyncio.to_thread(Changes(here.collection).remove, [found])
    await here.refresh()
    return answer({"removed": bool(changed)})
