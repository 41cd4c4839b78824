from collections import Counter
from itertools import count

import pytest

from nitari.errors import QueryError
from nitari.recommend.interleaving import drafted, team_draft

A, B = list("abcdefgh"), list("hgfedcba")


def test_each_round_both_pick_their_best():
    for seed in range(50):
        found = team_draft({"old": A, "new": B}, 6, seed=seed)
        assert len({item for item, _ in found}) == 6
        for start in (0, 2, 4):
            assert {arm for _, arm in found[start : start + 2]} == {"old", "new"}
        assert [item for item, arm in found if arm == "old"] == ["a", "b", "c"]
        assert [item for item, arm in found if arm == "new"] == ["h", "g", "f"]


def test_equal_rankings_are_shown_as_they_are_and_favour_nobody():
    wins = Counter()
    for seed in range(400):
        found = team_draft({"old": A, "new": A}, seed=f"query {seed}")
        assert [item for item, _ in found] == A
        wins[found[0][1]] += 1
    assert 150 < wins["old"] < 250


def test_pages_fit_together():
    whole = team_draft({"old": A, "new": B}, seed=3)
    assert len(whole) == 8
    for k in range(1, 9):
        assert team_draft({"old": A, "new": B}, k, seed=3) == whole[:k]
    assert team_draft({"new": B, "old": A}, seed=3) == whole


def test_the_longer_one_fills_the_list():
    found = team_draft({"old": ["a"], "new": B}, seed=1)
    assert {item for item, _ in found} == set(A)
    assert Counter(arm for _, arm in found)["old"] <= 1
    assert team_draft({"old": [], "new": []}) == []


def test_rankings_are_read_as_far_as_needed():
    found = drafted({"old": count(), "new": count(1)})
    assert len({next(found)[0] for _ in range(10)}) == 10


@pytest.mark.parametrize(
    ("rankings", "k", "message"), [({"old": A}, 3, "1 rankings"), ({"old": A, "new": B}, 0, "k is 0")]
)
def test_what_is_wrong_is_named(rankings, k, message):
    with pytest.raises(QueryError, match=message):
        team_draft(rankings, k)
