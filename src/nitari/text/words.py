"""Words: text -> the terms it is found by, and what somebody types -> the words to look for.

Text is NFKC-normalised (full and half width are one), without case and accents; katakana are hiragana. Chinese, Japanese
and Korean, which set no spaces, are cut into overlapping pairs of characters, and Han characters stand alone as well, so
that 東京 and 靴 are found. Elsewhere a word is a run of letters and digits, in the singular.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA = "\u3041-\u3096\u309d\u309e"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30fe\u31f0-\u31ff"
_SPACELESS = f"{_HAN}{_HIRAGANA}{_KATAKANA}\uac00-\ud7a3"
_LETTER = rf"[^\W_{_SPACELESS}]"
_WORD = re.compile(rf"[{_SPACELESS}]+|{_LETTER}+(?:['’]{_LETTER}+)*")
_SCRIPT = re.compile(rf"[{_HAN}]+|[{_HIRAGANA}]+|[{_KATAKANA}]+|[^{_HAN}{_HIRAGANA}{_KATAKANA}]+")
_SPACELESS_WORD = re.compile(rf"[{_SPACELESS}]+")
_HAN_WORD = re.compile(rf"[{_HAN}]+")
_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_ACCENTS = re.compile("[\u0300-\u036f]")
_TO_HIRAGANA = {code: code - 0x60 for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)}
_LONGEST = 64  # characters of a word that are kept
_SEAMS = 3  # a word with more of them is a number or a checksum, and no compound


def words(text: str) -> list[str]:
    """The words of ``text``, as they are written but for width and accents, in their order."""
    return [found.replace("'", "").replace("’", "")[:_LONGEST] for found in _WORD.findall(_plain(text))]


def terms(text: str) -> list[str]:
    """What ``text`` is found by, in its order and as often as it is there."""
    return [term for word in words(text) for term in _terms(word)]


@lru_cache(maxsize=1 << 16)
def needed(word: str) -> tuple[str, ...]:
    """The terms that whatever holds ``word`` has, all of them."""
    if is_spaceless(word):
        folded = _fold(word)
        return tuple(_pairs(folded)) if len(folded) > 1 else (folded,)
    return (singular(_fold(word)),)


def parts(word: str) -> list[str]:
    """What a compound is made of: ``GrannySmith``, ``500ml``, 赤い靴. One part where it is none.

    Parts in hiragana alone, which are endings and particles, are left out beside others.
    """
    if not is_spaceless(word):
        return _SEAM.split(word)
    runs = _SCRIPT.findall(word)
    return [run for run in runs if not re.match(f"[{_HIRAGANA}]", run)] or runs


def is_spaceless(word: str) -> bool:
    """Whether ``word`` is written in a script without spaces between words, or with particles attached."""
    return _SPACELESS_WORD.fullmatch(word) is not None


def singular(word: str) -> str:
    """English plurals -> singular, more or less: Harman's S stemmer ("How effective is suffixing?", JASIS 1991).

    Unlike it, boxes and watches lose "es".
    """
    if len(word) < 4 or word[-1] != "s" or word[-2] in "su":
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes", "zzes")) else word[:-1]


@lru_cache(maxsize=1 << 16)
def _terms(word: str) -> tuple[str, ...]:
    if is_spaceless(word):
        folded = _fold(word)
        alone = [char for char in folded if len(folded) == 1 or _HAN_WORD.match(char)]
        return (*alone, *_pairs(folded))
    pieces = parts(word)
    whole = needed(word)
    return whole if not 1 < len(pieces) <= _SEAMS + 1 else (*whole, *(needed(piece)[0] for piece in pieces))


def _pairs(word: str) -> list[str]:
    return [word[i : i + 2] for i in range(len(word) - 1)]


def _plain(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text)))


def _fold(word: str) -> str:
    return word.casefold().translate(_TO_HIRAGANA)
