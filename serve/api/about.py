"""About the collection: what it holds and can be asked, its facets, its releases, its map."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from nitari.errors import ArtifactError, QueryError
from nitari.recommend.listing import described, facets
from nitari.recommend.recommender import Recommender

from . import atlas
from .context import Here, answer
from .problem import Problem
from .schema import Boxing, Counting, Named, problems

router = APIRouter(prefix="/v1", tags=["collection"])


class Source(BaseModel):
    name: str
    metric: str | None
    weight: float


class Column(BaseModel):
    name: str
    type: str
    values: int | None


class About(BaseModel):
    collection: str
    release: str
    items: int
    added: int
    removed: int
    sources: list[Source]
    columns: list[Column]
    text: bool
    map: bool
    thumbnails: list[int]
    uploads: bool
    writable: bool
    releases: list[str]
    upload_limit: int


class FacetValue(BaseModel):
    value: str | bool | float
    count: int


class Facet(BaseModel):
    name: str
    values: list[FacetValue]
    more: int


class Counted(BaseModel):
    release: str
    total: int
    facets: list[Facet]


class Release(BaseModel):
    id: str
    created: str
    items: int
    spaces: list[str]
    current: bool


class Releases(BaseModel):
    current: str
    releases: list[Release]


class Map(BaseModel):
    release: str
    total: int
    points: list[tuple[str, float, float]]


@router.get("/collection", response_model=About, responses=problems(404, 422))
async def collection(here: Here, release: Named = None) -> Response:
    """What is served, and what it can be asked with."""
    recommender = await here.recommender(release)
    return answer(await asyncio.to_thread(_about, here, recommender))


@router.get("/facets", response_model=Counted, responses=problems(400, 404, 422))
async def count(here: Here, asked: Counting) -> Response:
    """How many of the items that ``where`` admits have each value of a column."""
    recommender = await here.recommender(asked.release)
    names = None if asked.columns is None else [name.strip() for name in asked.columns.split(",") if name.strip()]
    kind = ("facets", recommender.release.id, asked.where, tuple(names or ()), asked.limit)
    total, found = await here.pace.run(kind, lambda: facets(recommender, asked.where, names, asked.limit))
    listed = [
        {"name": one.name, "values": [{"value": v, "count": n} for v, n in one.values], "more": one.more}
        for one in found
    ]
    return answer({"release": recommender.release.id, "total": total, "facets": listed})


@router.get("/releases", response_model=Releases, responses=problems(422))
async def releases(here: Here) -> Response:
    """The releases that are there, the newest first. ``release=`` of other requests takes their ids."""
    return answer(await asyncio.to_thread(_releases, here))


@router.get("/map", response_model=Map, responses=problems(400, 404, 422))
async def points(here: Here, asked: Boxing) -> Response:
    """Items at their places on the map. Where more are in the box than ``limit``, a sample that stays as one zooms in."""
    recommender = await here.recommender(asked.release)
    if not atlas.known(recommender):
        raise Problem(
            404,
            f"This release has no map. Make one: nitari annotate collection={here.settings.collection} "
            "annotator=map, and build",
        )
    box = (0.0, 0.0, 1.0, 1.0) if asked.box is None else _box(asked.box)
    kind = ("map", recommender.release.id, asked.where, tuple(box), asked.limit)
    total, found = await here.pace.run(kind, lambda: atlas.points(recommender, box, asked.limit, asked.where))
    return answer({"release": recommender.release.id, "total": total, "points": found})


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise QueryError(f"box is '{text}'. Give left,top,right,bottom") from None
    if left >= right or top >= bottom:
        raise QueryError(f"box is '{text}'. left must be less than right, and top less than bottom")
    return left, top, right, bottom


def _about(here: Here, recommender: Recommender) -> dict[str, Any]:
    catalog, settings = recommender.catalog, here.settings
    sources = [recommender.source(name) for name in recommender.sources]
    return {
        "collection": settings.collection,
        "release": recommender.release.id,
        "items": catalog.n_ready - len(recommender.hidden),
        "added": catalog.n_ready - catalog.n_stored,
        "removed": len(recommender.hidden),
        "sources": [
            {
                "name": source.name,
                "metric": getattr(getattr(source, "space", None), "metric", None),
                "weight": recommender.weights.get(source.name, 0.0),
            }
            for source in sources
        ],
        "columns": described(recommender),
        "text": "text" in recommender.sources,
        "map": atlas.known(recommender),
        "thumbnails": recommender.thumbnail_sizes,
        "uploads": settings.uploads,
        "writable": settings.token is not None,
        "releases": here.collection.ids("release")[::-1],
        "upload_limit": settings.upload,
    }


def _releases(here: Here) -> dict[str, Any]:
    current = here.shelf.current.release.id
    found = []
    for name in reversed(here.collection.ids("release")):
        try:
            manifest = here.collection.open("release", name).manifest
        except ArtifactError:  # it is listed by `nitari release list`, and cannot be asked
            continue
        found.append(
            {
                "id": name,
                "created": manifest.created,
                "items": manifest.counts["items"],
                "spaces": list(manifest.info["spaces"]),
                "current": name == current,
            }
        )
    return {"current": current, "releases": found}
