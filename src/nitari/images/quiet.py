"""Pillow's warnings about odd files, silenced while one is decoded: what is wrong with a picture goes to the catalog."""

from __future__ import annotations

import threading
import warnings


class _Quiet:
    """A context manager that many threads may be inside of at once; ``warnings.catch_warnings`` alone is not one.

    The first to enter sets the filter and the last to leave takes it away.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._catch = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._catch = warnings.catch_warnings()
                self._catch.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._catch.__exit__(None, None, None)


quiet = _Quiet()
