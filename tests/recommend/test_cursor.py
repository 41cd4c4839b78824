import numpy as np
import pytest

from nitari.errors import QueryError
from nitari.recommend import cursor


def test_there_and_back():
    asked = cursor.fingerprint("release", [1, 2], {"form": 1.0})
    written = cursor.write(40, asked, "20261127T173052054-006c55")
    assert cursor.read(written, asked) == 40
    assert cursor.release_of(written) == "20261127T173052054-006c55"
    assert written.isascii()


def test_pictures_count_by_their_bytes():
    one, two = np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)
    assert cursor.fingerprint([one]) == cursor.fingerprint([one.copy()]) != cursor.fingerprint([two])
    assert cursor.fingerprint([b"a"]) != cursor.fingerprint([b"b"])


@pytest.mark.parametrize("text", ["", "x", "1.2", "ünsinn", "====", cursor.write(-1, "q", "r"), "A" * 5000])
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(QueryError, match="after is"):
        cursor.read(text, "q")
    assert cursor.release_of(text) in (None, "r")


def test_the_cursor_of_another_question_is_refused():
    with pytest.raises(QueryError, match="another query or release"):
        cursor.read(cursor.write(3, "one", "r"), "two")
