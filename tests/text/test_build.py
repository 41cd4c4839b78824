import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.text import build
from nitari.text.build import write
from nitari.text.words import terms

TEXTS = st.lists(st.none() | st.text("ab 東京\n", max_size=12), max_size=30)


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_a_row_has_its_terms_and_a_term_its_rows(indexed, texts):
    index = indexed(texts)
    assert len(index) == len(texts)
    for row, text in enumerate(texts):
        assert sorted(index.terms_of(row)) == sorted(set(terms(text or "")))
    for term in {term for text in texts for term in terms(text or "")}:
        held = [row for row, text in enumerate(texts) if term in terms(text or "")]
        rows, counts = index._posted(index._terms.find(term))
        assert rows.tolist() == held
        assert counts.tolist() == [terms(texts[row]).count(term) for row in held]


def test_batches_do_not_show(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(list("abcdefgh東京都靴"), random.integers(0, 6))) for _ in range(100)]
    monkeypatch.setattr(build, "_SIGNED", 5)
    for name, size in (("one", 1000), ("several", 7)):
        monkeypatch.setattr(build, "BATCH", size)
        (tmp_path / name).mkdir()
        assert write(tmp_path / name, iter(texts))["rows"] == 100
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert files == sorted(file.name for file in (tmp_path / "several").iterdir())
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "several" / file).read_bytes()


def test_a_word_repeated_very_often_is_counted_as_255(indexed):
    index = indexed(["shoe " * 70_000, "shoe"])
    assert index._posted(index._terms.find("shoe"))[1].tolist() == [255, 1]
    assert index._lengths.tolist() == [65535, 1]
