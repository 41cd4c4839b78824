"""Starting fast: a command that answers one question should not spend most of its time on imports."""

from __future__ import annotations

import sys
from types import ModuleType


def without_pandas() -> None:
    """Let pyarrow look for pandas now and not find it: it would import it, for more than a second, at the first value.

    The commands never use pandas. It can still be imported afterwards.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas())
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.pop(0)


class _NoPandas:
    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
