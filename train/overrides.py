"""Overrides as a shell user types them, quoted where Hydra's grammar would not take them bare."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

_OVERRIDE = re.compile(r"(?P<key>[+~]{0,2}[A-Za-z_][\w./@:-]*)=(?P<value>.*)", re.DOTALL)


def quote(words: Sequence[str], *, sweep: bool = False) -> list[str]:
    """Quote the values that Hydra's override grammar would refuse or split, so that users type them bare.

    ``where=price<50 and tag in (a,b)`` becomes ``where='price<50 and tag in (a,b)'``; lists and dictionaries stay, and
    so do comma-separated choices where ``sweep`` is asked for, or ``-m``.
    """
    parser = OverridesParser.create()
    multirun = sweep or "-m" in words or "--multirun" in words
    quoted = []
    for word in words:
        match = _OVERRIDE.fullmatch(word)
        if match is None or word.startswith("-"):
            quoted.append(word)
            continue
        try:
            override = parser.parse_override(word)
            plain = multirun or not override.is_sweep_override()
        except HydraException:
            plain = False
        if not plain:
            value = re.sub(r"(\\*)'", r"\1\1\\'", match["value"])
            value = re.sub(r"(\\+)$", r"\1\1", value)
            word = f"{match['key']}='{value}'"
        quoted.append(word)
    return quoted
