"""Trees of objects in a store, walked as folders on a disk are."""

from __future__ import annotations

from collections.abc import Iterator

from nitari import storage
from nitari.errors import SourceError
from nitari.storage import Entry

_LITTER = ("thumbs.db", "desktop.ini", "__macosx")


def passed_over(name: str) -> bool:
    """Hidden files, and what systems leave in folders."""
    return name.startswith(".") or name.lower() in _LITTER


def walk(root: str) -> Iterator[tuple[str, Entry]]:
    """Objects below the URL ``root`` with their path from there, sorted, a folder's objects before its folders.

    Raises SourceError where a folder cannot be listed: what a store withholds for a moment is not gone.
    """
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            entries = storage.entries(storage.join(root, prefix).rstrip("/"))
        except FileNotFoundError as error:
            if prefix:  # emptied meanwhile
                continue
            raise _unlisted(root, error) from None
        except OSError as error:
            raise _unlisted(root, error) from None
        found = [one for one in entries if not passed_over(one.name)]
        yield from ((prefix + one.name, one) for one in found if not one.is_folder)
        folders += [f"{prefix}{one.name}/" for one in reversed(found) if one.is_folder]


def _unlisted(root: str, error: OSError) -> SourceError:
    return SourceError(
        f"'{root}' cannot be listed: {error.strerror}. Give the folder that holds the pictures: source.path=URL"
    )
