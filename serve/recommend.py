"""Recommends items like the ones, or like the picture files, that you name.

    nitari recommend collection=shoes like=ITEM_ID k=12
    nitari recommend collection=shoes like=photo.jpg sheet=neighbours.jpg
    nitari recommend collection=shoes like=ITEM_ID,OTHER_ID where="category='bag' and price<50" format=json
    nitari recommend collection=shoes like=ITEM_ID unlike=OTHER_ID weights=encoder:1,colour:.3 diversity=.3
    nitari recommend collection=shoes history=NEWEST_ID,ID,OLDEST_ID
    nitari recommend collection=shoes text="red sneaker" where="price<50"

Settings:

    collection    name of the collection
    like          item ids, file names of items or paths of pictures, separated by commas; several are averaged
    text          words to search for instead, in the columns that the release was built with
    unlike        the same, to stay away from
    unlike_by     subtract: move the query away | penalise: lower scores near them | avoid: drop what is nearer to them (subtract)
    unlike_strength  how much subtract and penalise do, 0 to 1 (0.5)
    history       items of a user, the newest first; those liked long ago count less
    half_life     after how many items of the history one counts half (5)
    k             how many results (12)
    after         the cursor that a page with format=json ends with, for the next page
    where         only items that this filter admits
    exclude       items not to show
    spaces        spaces to compare in, alike (the release's own weights)
    weights       how much each space counts, as encoder:1,colour:.3 (the release's own weights)
    fuse          several spaces by score | rank (score)
    diversity     0 to 1: score given up for results unlike each other (0)
    collapse      near-copies are one result (true)
    echo          show what was asked with, too (false)
    columns       columns of the table, as file_name,price (those that any result has, as the terminal has room)
    format        table | json (table)
    sheet         a .jpg, .png or .webp file to draw the query and its results into
    release       id of a release (the current one)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nitari import guess
from nitari.arguments import choose, named, parse
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.errors import ConfigError, QueryError
from nitari.recommend.page import Page, Result
from nitari.recommend.question import known
from nitari.recommend.recommender import Recommender
from nitari.startup import without_pandas

if TYPE_CHECKING:
    import numpy as np

    from nitari.steps.picture_encoder import PictureEncoder
    from nitari.steps.pictures import Pictures

SETTINGS: dict[str, Any] = {
    "collection": str,
    "like": "",
    "text": None,
    "unlike": "",
    "unlike_by": "subtract",
    "unlike_strength": 0.5,
    "history": [],
    "half_life": 5.0,
    "k": 12,
    "after": None,
    "where": None,
    "exclude": [],
    "spaces": [],
    "weights": {},
    "fuse": "score",
    "diversity": 0.0,
    "collapse": True,
    "echo": False,
    "columns": [],
    "format": "table",
    "sheet": None,
    "release": None,
    "root": ROOT,
}
_PASSED = (
    *("unlike_by", "unlike_strength", "history", "half_life", "k", "after", "where", "exclude"),
    *("fuse", "diversity", "collapse", "echo"),
)
_COLUMNS = 12  # results a row of the sheet
_CELL = 128
_SEEN = 4  # items of a history on the sheet
_WIDEST = 40  # characters of an attribute in the table
_NARROWEST = 12  # characters of a file name
_PIPED = 100  # characters of a line where there is no terminal
_NAMED = 6  # columns that are named of those that there is no room for


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "recommend")
    as_json = choose(values, "format", ("table", "json")) == "json"
    sheet = _sheet_file(values["sheet"])
    if values["spaces"] and values["weights"]:
        raise ConfigError("spaces and weights were both given. Give weights alone, such as weights=encoder:1,colour:.3")
    weights = values["weights"] or dict.fromkeys(values["spaces"], 1.0) or None
    without_pandas()
    collection = Collection.existing(values["root"], values["collection"])
    release = collection.release(values["release"])

    @cache
    def encoder() -> PictureEncoder:  # Pillow and the extractors are loaded only for queries and sheets of pictures
        from nitari.steps.picture_encoder import PictureEncoder

        return PictureEncoder(collection, release)

    recommender = Recommender(collection, release, lambda space, pictures: encoder()(space, pictures))
    like: list[str | bytes] = []
    if values["text"]:
        others = [name for name in (*_PASSED, "like", "unlike", "spaces", "weights") if values[name] != SETTINGS[name]]
        if beside := [name for name in others if name not in ("where", "k", "after")]:
            raise ConfigError(
                f"text was given with {', '.join(beside)}. Searching by words takes where, k and after alone"
            )
        page = recommender.find(values["text"], where=values["where"], k=values["k"], after=values["after"])
    else:
        like = _like(values["like"], recommender, encoder) if values["like"] or not values["history"] else []
        unlike = _like(values["unlike"], recommender, encoder) if values["unlike"] else []
        if unknown := [name for name in values["spaces"] if name not in recommender.sources]:
            raise ConfigError(guess.unknown("spaces names", unknown[0], recommender.sources, "There are"))
        passed = {name: values[name] for name in _PASSED}
        page = recommender.recommend(like, unlike=unlike, weights=weights, **passed)
    if sheet is not None:
        seen = [item for item, _ in known(recommender.catalog, values["history"])][:_SEEN]
        what = values["like"] or values["text"] or "what was seen"
        _draw(sheet, encoder().pictures, recommender, what, [*like, *seen], page)
    if as_json:
        print(json.dumps(page.to_dict(), ensure_ascii=False, default=str))
    else:
        _print(page, values["columns"])
        if page.why:
            print(page.why, file=sys.stderr)
    return 0


def table(page: Page, columns: Sequence[str] = (), width: int = 100) -> tuple[str, list[str]]:
    """Results for people, and the attributes that ``width`` characters have no room for: score, similarity by space where
    there are several, id, how many near-copies each stands for where any does, then ``columns``, whatever their width, or
    those attributes that any has. ConfigError on an unknown column.
    """
    if not page.results:
        return "No item matches.", []
    first = page.results[0]
    if unknown := [name for name in columns if name not in first.attributes]:
        raise ConfigError(f"columns names '{unknown[0]}'. Results have: {', '.join(first.attributes)}")
    spaces = list(first.similarity) if len(first.similarity) > 1 else []
    shown = [["score", *(f"{result.score:.4f}" for result in page.results)]]
    shown += [[space, *(f"{result.similarity[space]:.4f}" for result in page.results)] for space in spaces]
    shown.append(["item_id", *(result.item_id for result in page.results)])
    if any(result.copies for result in page.results):
        shown.append(["copies", *(str(len(result.copies) or "") for result in page.results)])
    room = width - sum(2 + _wide(column) for column in shown) + 2
    left: list[str] = []
    for name in columns or first.attributes:
        widest = width if name == "file_name" else _WIDEST
        values = [_cell(result.attributes[name], widest) for result in page.results]
        if not columns and not any(values):
            continue
        column = [name, *values]
        if not columns and name == "file_name":  # what people know an item by is shortened before it is left out
            column = [_clipped(cell, max(room - 2, _NARROWEST)) for cell in column]
        if columns or 2 + _wide(column) <= room:
            shown.append(column)
            room -= 2 + _wide(column)
        else:
            left.append(name)
    widths = [_wide(column) for column in shown]
    rows = zip(*shown, strict=True)
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded), left


def _cell(value: Any, widest: int) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else " ".join(str(value).split())
    return _clipped(text, widest)


def _clipped(text: str, width: int) -> str:
    """Its end, which tells file names apart."""
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _wide(column: Sequence[str]) -> int:
    return max(map(len, column))


def _print(page: Page, columns: Sequence[str]) -> None:
    """The table as wide as the terminal; what that has no room for is said beside it, as no part of the results."""
    text, left = table(page, columns, shutil.get_terminal_size((_PIPED, 0)).columns)
    print(text)
    if left:
        few = ", ".join(left[:_NAMED]) + (f" and {len(left) - _NAMED} more" if len(left) > _NAMED else "")
        example = ",".join(dict.fromkeys(("file_name", left[0])))
        print(f"No room for {few}. Choose with columns={example}; format=json has all", file=sys.stderr)


def _like(text: str, recommender: Recommender, encoder: Callable[[], PictureEncoder]) -> list[str | bytes]:
    """Items stay as they are named; files become their bytes. Text that is one item or file is not split at commas."""
    if not text.strip():
        raise QueryError("like is empty. Give an item_id, a file_name or the path of a picture file")
    return named(text, lambda name: _one(name, recommender, encoder))


def _one(name: str, recommender: Recommender, encoder: Callable[[], PictureEncoder]) -> str | bytes:
    try:
        recommender.catalog.row(name)
        return name
    except QueryError as error:
        if not _is_file(name):
            raise QueryError(f"'{name}' is no picture file. {error}") from None
    return encoder().read(Path(name))


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # longer than a path may be, or with a zero byte
        return False


def _sheet_file(name: str | None) -> Path | None:
    if name is None:
        return None
    path = Path(name)
    if path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
        raise ConfigError(f"sheet is '{name}'. Give a file that ends in .jpg, .png or .webp")
    if not path.parent.is_dir():
        raise ConfigError(f"sheet is '{name}', and the directory '{path.parent}' does not exist. Make it first")
    return path


def _caption(result: Result) -> str:
    copies = f" ×{1 + len(result.copies)}" if result.copies else ""
    return f"{result.score:.3f}{copies} {Path(str(result.attributes['file_name'])).name}"


def _draw(
    path: Path, pictures: Pictures, recommender: Recommender, query: str, like: Sequence[str | bytes], page: Page
) -> None:
    """One row a liked picture or a dozen results, whichever needs more."""
    from nitari.images.sheet import contact_sheet
    from nitari.thumbnails import decode

    size = pictures.thumbnails.size_for(_CELL) or pictures.thumbnails.sizes[-1]

    def shown(entry: str | bytes) -> np.ndarray:
        if isinstance(entry, bytes):
            return pictures.thumbnail_of(entry, size)
        return decode(recommender.thumbnail(entry, size))

    count = max(len(like), math.ceil(len(page.results) / _COLUMNS), 1)
    step = max(1, math.ceil(len(page.results) / count))
    rows, captions = [], []
    for i in range(count):
        part = page.results[i * step : (i + 1) * step]
        asked = [shown(like[i % len(like)])] if like else []
        rows.append([*asked, *(shown(result.item_id) for result in part)])
        captions.append([*(["query"] if like else []), *(_caption(result) for result in part)])
    sheet = contact_sheet(rows, captions, cell=min(_CELL, size), title=f"{page.collection}: like {query}")
    try:
        sheet.save(path, quality=92)
    except OSError as error:
        raise ConfigError(f"The sheet cannot be written to '{path}': {error.strerror or error}") from None
    print(f"The sheet is in {path}", file=sys.stderr)
