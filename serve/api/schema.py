"""What is asked and answered, as OpenAPI describes it. Answers are written without going through these models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from nitari.feedback import DEEPEST, TEXTS
from nitari.feedback import MOST as MOST_EVENTS

MOST = 500  # results a page
_TEXT = 4000  # characters of a filter or of words

Id = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=_TEXT)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Weights = Annotated[dict[Name, Weight], Field(max_length=32)]


Where = Annotated[
    Text | None, Field(description="only items that this filter admits, such as `category='bag' and price<50`")
]
After = Annotated[Text | None, Field(description="`after` of the page before, for the next one")]
Chosen = Annotated[Name | None, Field(description="id of a release; otherwise the current one")]
Named = Annotated[Name | None, Query(description="id of a release; otherwise the current one")]
Other = Annotated[
    Name | None, Field(description="another release: results of both by team draft, and which is whose in `arms`")
]


class Strict(BaseModel):
    """A misspelt name is told, not passed over."""

    model_config = ConfigDict(extra="forbid")


def _boxed(value: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    if value[0] >= value[2] or value[1] >= value[3]:
        raise ValueError("left must be less than right, and top less than bottom")
    return value


Corners = Annotated[
    tuple[Fraction, Fraction, Fraction, Fraction],
    AfterValidator(_boxed),
    Field(description="[left, top, right, bottom] as fractions of the width and height; left < right, top < bottom"),
]


class Part(Strict):
    """The part of an item's picture in ``box``."""

    item_id: Id
    box: Corners


Entry = Id | Part


class Recommend(Strict):
    """``like`` and ``history`` together hold at least one item, unless a picture is uploaded. As ``nitari recommend``."""

    like: list[Entry] = Field([], max_length=50, description="items, or parts of their pictures")
    like_weights: list[Weight] | None = Field(None, max_length=50, description="how much each of `like` counts")
    unlike: list[Entry] = Field([], max_length=200, description="to stay away from")
    unlike_by: Literal["subtract", "penalise", "avoid"] = Field(
        "subtract",
        description="move the query away; lower scores near them; drop what is nearer to them",
    )
    unlike_strength: Fraction = Field(0.5, description="how much subtract and penalise do")
    history: list[Id] = Field([], max_length=200, description="items of a user, the newest first")
    half_life: float = Field(5.0, gt=0, le=1e6, description="items after which one of the history counts half")
    where: Where = None
    k: int = Field(24, ge=1, le=MOST, description="results of a page")
    weights: Weights | None = Field(None, description="how much each source counts; otherwise the release's own")
    fuse: Literal["score", "rank"] = Field("score", description="how several sources make one order")
    diversity: Fraction = Field(0.0, description="score given up for results unlike each other")
    collapse: bool = Field(True, description="near-copies are one result")
    exclude: list[Id] = Field([], max_length=1000, description="items not to show")
    echo: bool = Field(False, description="show what was asked with, too")
    after: After = None
    release: Chosen = None
    interleave: Other = None


class Uploaded(Recommend):
    """What goes with an uploaded picture, which is liked beside ``like``; ``box`` is the part of it that counts."""

    box: Corners | None = None


class Browse(Strict):
    where: Where = None
    text: Text | None = Field(None, description="words to search for, instead of browsing in order")
    k: int = Field(60, ge=1, le=MOST, description="results of a page")
    after: After = None
    release: Chosen = None


class MoreLike(Strict):
    k: int = Field(24, ge=1, le=MOST, description="results of a page")
    where: Where = None
    weights: Text | None = Field(None, description="name:number,name:number", examples=["encoder:1,colour:.3"])
    fuse: Literal["score", "rank"] = Field("score", description="how several sources make one order")
    diversity: Fraction = Field(0.0, description="score given up for results unlike each other")
    collapse: bool = Field(True, description="near-copies are one result")
    after: After = None
    release: Chosen = None
    interleave: Other = None


class Facets(Strict):
    where: Where = None
    columns: Text | None = Field(None, description="names separated by commas; otherwise those of few values")
    limit: int = Field(12, ge=1, le=200)
    release: Chosen = None


class MapBox(Strict):
    box: Annotated[
        str | None,
        Field(pattern=r"^-?[0-9.]{1,20}(,-?[0-9.]{1,20}){3}$", description="left,top,right,bottom from 0 to 1"),
    ] = None
    limit: int = Field(1000, ge=1, le=5000)
    where: Where = None
    release: Chosen = None


class Event(Strict):
    event: Literal["shown", "clicked", "liked", "hidden"]
    item_id: Annotated[str, StringConstraints(min_length=1, max_length=TEXTS["item_id"], pattern=r"^[!-~]+$")]
    query: Annotated[str, StringConstraints(min_length=1, max_length=TEXTS["query"])] | None = None
    rank: int | None = Field(None, ge=0, le=DEEPEST)
    arm: Annotated[str, StringConstraints(min_length=1, max_length=TEXTS["arm"])] | None = None
    session: Annotated[str, StringConstraints(min_length=1, max_length=TEXTS["session"])] | None = None


class Events(Strict):
    events: list[Event] = Field(min_length=1, max_length=MOST_EVENTS)


class Result(BaseModel):
    item_id: str
    score: float
    similarity: dict[str, float]
    distance: dict[str, float]
    rank: dict[str, int | None]
    copies: list[str]
    attributes: dict[str, Any]


class Page(BaseModel):
    collection: str
    release: str
    where: str | None
    after: str | None
    results: list[Result]
    why: str | None = Field(None, description="of a page without results: what the filter asks for that no picture has")
    arms: list[str] | None = None


class ItemDetail(BaseModel):
    item_id: str
    removed: bool
    attributes: dict[str, Any]


class Item(BaseModel):
    collection: str
    release: str
    item: ItemDetail


class Added(BaseModel):
    added: int
    known: int
    removed: int
    items: dict[str, str] = Field(description="item ids by name of the kept file")
    refused: list[dict[str, str | None]]


class Removed(BaseModel):
    removed: bool = Field(description="false: it was removed before")


class Accepted(BaseModel):
    accepted: int


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


Problems = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Problems:
    """How a route says what it may answer beside what was asked for."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "A problem", "content": content} for status in (*statuses, 403, 413, 421, 500, 503)}


Browsing = Annotated[Browse, Query()]
"""Query parameters of ``GET /v1/items``; the others alike."""
Liking = Annotated[MoreLike, Query()]
Counting = Annotated[Facets, Query()]
Boxing = Annotated[MapBox, Query()]
