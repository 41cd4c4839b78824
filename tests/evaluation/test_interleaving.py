import random

import pytest

from nitari.evaluation.interleaving import Log, outcome, share
from nitari.recommend.interleaving import team_draft

OLD, NEW = "r1", "r2"


def event(kind, item, query="q", arm=None, session="s"):
    return {"event": kind, "item_id": item, "query": query, "rank": None, "arm": arm, "session": session}


def simulated(likes, queries=300, per_session=3, seed=0):
    """People who click a result of an arm with the chance that ``likes`` gives it, in interleaved lists."""
    chance = random.Random(seed)
    for query in range(queries):
        items = [f"i{number}" for number in range(12)]
        rankings = {arm: chance.sample(items, 12) for arm in (OLD, NEW)}
        for item, arm in team_draft(rankings, 6, seed=query):
            yield event("shown", item, f"q{query}", arm, f"s{query // per_session}")
            if chance.random() < likes[arm]:
                yield event("clicked", item, f"q{query}", arm, f"s{query // per_session}")


def test_the_better_arm_is_found():
    found = outcome(simulated({OLD: 0.1, NEW: 0.3}))
    (one,) = found["compared"]
    assert one["arms"] == [OLD, NEW]
    assert one["preferred"] == one["verdict"] == NEW
    assert one["preference"]["low"] > 0.6
    assert one["wins"][NEW] + one["wins"][OLD] + one["ties"] == one["queries"] <= 300
    assert (found["queries"], found["sessions"]) == (300, 100)
    rates = [found["arms"][arm]["click_through"] for arm in (OLD, NEW)]
    assert rates[0]["high"] < rates[1]["low"]
    assert rates[0]["low"] < 0.1 < rates[0]["high"]
    assert found["arms"]["all"]["shown"] == 1800
    assert found == outcome(simulated({OLD: 0.1, NEW: 0.3}))
    assert outcome(simulated({OLD: 0.3, NEW: 0.1}))["compared"][0]["verdict"] == OLD


def test_equal_arms_are_not_told_apart():
    wrong = [outcome(simulated({OLD: 0.2, NEW: 0.2}, 60, seed=seed))["compared"][0]["verdict"] for seed in range(20)]
    assert sum(verdict is not None for verdict in wrong) <= 2


def test_few_queries_tell_little():
    events = [event("shown", "a", arm=OLD), event("shown", "b", arm=NEW), event("clicked", "b", arm=NEW)]
    (one,) = outcome(events)["compared"]
    assert one["preference"]["value"] == 1
    assert one["preference"]["low"] < 0.5
    assert one["verdict"] is None


def test_an_item_counts_once_and_for_the_arm_that_showed_it():
    events = [event("shown", "a", arm=OLD), event("shown", "b", arm=NEW), event("shown", "c", arm=NEW)]
    events += [event("clicked", "b")] * 3 + [event("liked", "b"), event("clicked", "a"), event("hidden", "c")]
    found = outcome(events)
    (one,) = found["compared"]
    assert one["clicks"] == {OLD: 1, NEW: 1}
    assert one["ties"] == 1
    assert one["preference"]["value"] == 0.5
    rate = found["arms"][NEW].pop("click_through")
    assert found["arms"][NEW] == {"shown": 2, "clicked": 1, "liked": 1, "hidden": 1}
    assert rate["value"] == 0.5


def test_what_is_not_interleaved_is_counted_and_not_compared():
    events = [event("clicked", "a", query=None), event("shown", "a", query=None), event("clicked", "b", "q2", OLD)]
    found = outcome([*events, event("shown", "z", "q3", NEW)])
    assert found["compared"] == []
    assert found["arms"]["all"] == {
        "shown": 2,
        "clicked": 2,
        "liked": 0,
        "hidden": 0,
        "click_through": pytest.approx({"value": 1, "low": 0.342, "high": 1, "queries": 2}, abs=1e-3),
    }
    assert found["arms"][OLD]["click_through"] is None
    assert len(Log(events).queries()) == 0


def test_each_two_arms_are_compared_by_themselves():
    events = []
    for query, arms in (("q1", "ab"), ("q2", "bc"), ("q3", "abc")):
        events += [event("shown", f"i{arm}", query, arm) for arm in arms]
        events.append(event("clicked", "ib", query, "b"))
    found = outcome(events)["compared"]
    assert [(one["arms"], one["wins"]) for one in found] == [
        (["a", "b"], {"a": 0, "b": 1}),
        (["b", "c"], {"b": 1, "c": 0}),
    ]


def test_sessions_widen_the_interval():
    """A hundred queries of four people who always choose alike tell less than those of a hundred."""
    events = []
    for query in range(100):
        for item, arm in (("a", OLD), ("b", NEW)):
            events.append(event("shown", item, f"q{query}", arm, f"s{query % 4}"))
        events.append(event("clicked", "a" if query % 4 == 0 else "b", f"q{query}", None, f"s{query % 4}"))
    alike = outcome(events)["compared"][0]["preference"]
    apart = outcome([{**one, "session": None} for one in events])["compared"][0]["preference"]
    assert alike["value"] == apart["value"] == 0.75
    assert alike["high"] - alike["low"] > 1.5 * (apart["high"] - apart["low"])


def test_nothing_at_all():
    found = outcome([])
    assert (found["events"], found["compared"]) == (0, [])
    assert found["arms"]["all"]["click_through"] is None


def test_wilsons_interval():
    assert share(8, 10) == pytest.approx({"value": 0.8, "low": 0.4902, "high": 0.9433, "queries": 10}, abs=1e-4)
    assert share(0, 5)["low"] == 0
    assert share(5, 5)["high"] == 1
