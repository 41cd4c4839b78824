import pytest

from nitari import lines
from nitari.errors import DamagedArtifactError


def test_records_come_back_in_order(tmp_path):
    file = tmp_path / "log.jsonl"
    assert list(lines.read(file, "")) == []
    lines.append(file, [{"a": 1}, {"a": "ü\n"}])
    lines.append(file, [{"a": 3}])
    assert list(lines.read(file, "")) == [(1, {"a": 1}), (2, {"a": "ü\n"}), (3, {"a": 3})]


def test_half_a_line_is_none_and_spoils_no_later_one(tmp_path):
    file = tmp_path / "log.jsonl"
    file.write_text('{"a": 1}\n{"a": 2')
    assert list(lines.read(file, "")) == [(1, {"a": 1})]
    lines.append(file, [{"a": 3}])
    assert list(lines.read(file, "")) == [(1, {"a": 1}), (2, {"a": 3})]


@pytest.mark.parametrize("bad", ["{", "7", "[1]"])
def test_a_line_that_cannot_be_read_is_named(tmp_path, bad):
    file = tmp_path / "log.jsonl"
    file.write_text('{"a": 1}\n' + bad + "\n")
    with pytest.raises(DamagedArtifactError, match=r"Line 2 of .* cannot be read\. Mend it"):
        list(lines.read(file, "Mend it"))
