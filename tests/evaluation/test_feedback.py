import json

import pandas as pd
import pytest

from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.evaluation.feedback import evaluate_feedback, table
from nitari.evaluation.protocols import results
from nitari.feedback import Feedback
from nitari.recommend.recommender import Recommender
from nitari.steps.build import build

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    """Beside item 0, its nearest was clicked and what is no item; beside item 1, its farthest."""
    collection = Collection(tmp_path, "shoes")
    space_of(collection, catalog_of(collection, 40), "encoder")
    build(collection, EXACT)
    recommender = Recommender.open(collection)
    events = []
    for number, place in ((0, 0), (1, -1)):
        query = f"{number:016x}"
        found = recommender.recommend(query, k=50).results
        shared = {"query": query, "session": f"s{number}"}
        events += [
            {"event": "shown", "item_id": found[0].item_id, "arm": "r1", **shared},
            {"event": "shown", "item_id": found[-1].item_id, "arm": "r2", **shared},
            {"event": "clicked", "item_id": found[place].item_id, **shared},
        ]
    events.append({"event": "liked", "item_id": "gone", "query": f"{0:016x}", "session": "s9"})
    events.append({"event": "clicked", "item_id": "gone", "query": "an opaque one"})
    Feedback(collection).append(events)
    return collection


def test_the_log_is_replayed(collection):
    artifact = evaluate_feedback(collection)
    found = results(artifact)
    assert found["events"] == artifact.manifest.counts["events"] == 8
    assert found["compared"][0]["wins"] == {"r1": 1, "r2": 1}
    assert found["replay"]["release"] == collection.current
    assert found["replay"]["recall_at_10"]["value"] == 0.25  # half of the one's, none of the other's
    queries = pd.read_parquet(artifact.file("queries.parquet"))
    assert queries["winner"].tolist() == ["r1", "r2"]
    text = table(found)
    assert "r2 against r1: 2 interleaved queries with clicks, 2 sessions" in text
    assert "no difference shown" in text
    assert "recommends 25.0%" in text
    assert results(evaluate_feedback(collection, max_queries=0))["replay"] is None


def test_a_query_may_be_an_item_and_more(collection, tmp_path):
    """A page asks with one item many times: what follows the colon tells the questions apart."""
    log = next(Feedback(collection).folder.iterdir()).read_text().splitlines()
    file = tmp_path / "unique.jsonl"
    events = [json.loads(line) for line in log]
    file.write_text("".join(json.dumps(e | {"query": f"{e['query']}:{i}"}) + "\n" for i, e in enumerate(events)))
    assert results(evaluate_feedback(collection, file))["replay"] == results(evaluate_feedback(collection))["replay"]


def test_from_files(collection, tmp_path):
    folder = Feedback(collection).folder
    by_folder = results(evaluate_feedback(collection, folder))
    by_file = results(evaluate_feedback(collection, next(folder.iterdir())))
    assert by_folder["compared"] == by_file["compared"] == results(evaluate_feedback(collection))["compared"]
    for path in (tmp_path / "none", tmp_path / "shoes" / "indexes"):
        with pytest.raises(ConfigError, match="Give a file of JSON lines"):
            evaluate_feedback(collection, path)


def test_no_feedback_yet(collection, tmp_path):
    for path in Feedback(collection).folder.iterdir():
        path.unlink()
    with pytest.raises(ConfigError, match="no feedback in collection 'shoes'"):
        evaluate_feedback(collection)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(ConfigError, match="no feedback in '"):
        evaluate_feedback(collection, tmp_path / "empty.jsonl")


def test_nothing_to_compare(collection, tmp_path):
    file = tmp_path / "few.jsonl"
    file.write_text(json.dumps({"event": "shown", "item_id": "a", "query": "q"}) + "\n")
    found = results(evaluate_feedback(collection, file))
    assert "nothing is compared" in table(found)
    assert found["replay"] is None
