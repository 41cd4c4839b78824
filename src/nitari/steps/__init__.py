"""The steps of the way through: each reads published artifacts, writes one new one, and resumes when killed."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total) as a step goes; the jobs turn it into a rate and the time left."""


def silent(done: int, total: int) -> None:
    """Reports nothing."""
