"""What a whole answer promises: paging, filters, copies, dislikes, histories and diversity, over more than one layer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, QueryError
from nitari.recommend.recommender import Recommender
from nitari.recommend.source import Source
from nitari.steps.build import build

N = 1500
EXACT = {"_target_": "nitari.index.exact.Exact"}
WEIGHTS = {"form": 1, "place": 2}


@pytest.fixture(scope="module")
def collection(tmp_path_factory, catalog_of, space_of):
    collection = Collection(tmp_path_factory.mktemp("root"), "shoes")
    catalog = catalog_of(collection, N)
    space_of(collection, catalog, "form", seed=1, same=range(100, 110))
    space_of(collection, catalog, "place", metric="l2", seed=2, same=range(100, 110))
    build(collection, EXACT, weights=WEIGHTS)
    return collection


@pytest.fixture(scope="module")
def recommender(collection):
    return Recommender.open(collection)


def item(i):
    return f"{i:016x}"


def rows_of(page):
    return [int(result.item_id, 16) for result in page.results]


def vectors_of(collection, name):
    return np.asarray(Embeddings(collection.latest("embeddings", name)).vectors)


asked = st.fixed_dictionaries(
    {
        "like": st.lists(st.integers(0, 40).map(item), min_size=1, max_size=3, unique=True),
        "unlike": st.lists(st.integers(41, 80).map(item), max_size=2, unique=True),
        "unlike_by": st.sampled_from(["subtract", "penalise", "avoid"]),
        "weights": st.sampled_from([{"form": 1}, WEIGHTS, {"place": 1}]),
        "fuse": st.sampled_from(["score", "rank"]),
        "diversity": st.sampled_from([0.0, 0.0, 0.4, 1.0]),
        "collapse": st.booleans(),
        "where": st.sampled_from([None, "category=c1", "category in (c0, c1, c2)", "category=none"]),
        "exclude": st.lists(st.integers(0, N - 1).map(item), max_size=30),
        "echo": st.booleans(),
    }
)


@settings(max_examples=20, deadline=None)
@given(question=asked, k=st.sampled_from([1, 7, 33, 60]))
def test_pages_are_parts_of_one_answer(recommender, question, k):
    depth = min(150, 6 * k)
    whole = recommender.recommend(**question, k=depth)
    rows, after = [], None
    while len(rows) < depth:
        page = recommender.recommend(**question, k=k, after=after)
        rows += rows_of(page)
        after = page.after
        if after is None:
            break
    assert rows[:depth] == rows_of(whole)
    assert len(set(rows)) == len(rows)


@settings(max_examples=20, deadline=None)
@given(question=asked)
def test_everything_that_matches_and_nothing_that_is_hidden(collection, recommender, question):
    page = recommender.recommend(**question, k=N)
    assert page.after is None
    catalog = Catalog(collection.latest("catalog"))
    matches = set(range(N)) if question["where"] is None else set(catalog.select(question["where"]).rows.tolist())
    hidden = {int(i, 16) for i in question["exclude"] + question["unlike"]}
    hidden |= set() if question["echo"] else {int(i, 16) for i in question["like"]}
    listed = rows_of(page) + [int(i, 16) for result in page.results for i in result.copies]
    assert set(listed) <= matches - hidden
    assert len(set(listed)) == len(listed)
    if question["unlike_by"] != "avoid" or not question["unlike"]:
        missing = matches - hidden - set(listed)
        assert missing <= set(range(100, 110)) if question["collapse"] else not missing


def test_a_deep_answer_is_the_whole_order_in_one_space(collection, recommender):
    vectors = vectors_of(collection, "form")
    apart = 1 - (vectors.astype(np.float64) @ vectors[7])
    page = recommender.recommend(item(7), k=N, weights={"form": 1}, collapse=False)
    assert rows_of(page) == [row for row in np.lexsort((np.arange(N), apart.astype(np.float32))) if row != 7]
    scores = [result.score for result in page.results]
    assert scores == sorted(scores, reverse=True)


def test_the_first_results_are_the_best_of_all(recommender):
    for query in range(8):
        first = recommender.recommend(item(query), k=20)
        everything = recommender.recommend(item(query), k=N)
        best = sorted(everything.results, key=lambda result: (-result.score, result.item_id))[:20]
        assert len(set(rows_of(first)) & {int(result.item_id, 16) for result in best}) >= 18


def test_a_result_says_why(collection, recommender):
    page = recommender.recommend(item(3), k=40, where="category=c1")
    assert page.where == "category=c1"
    for result in page.results:
        row = int(result.item_id, 16)
        apart = np.linalg.norm(vectors_of(collection, "place")[row] - vectors_of(collection, "place")[3])
        assert result.distance["place"] == pytest.approx(apart, rel=1e-5)
        mean = (result.similarity["form"] + 2 * result.similarity["place"]) / 3
        assert result.score == pytest.approx(mean, abs=2e-6)
    ranks = {result.rank["form"] for result in page.results}
    assert any(rank is not None for rank in ranks)


def test_a_rank_is_the_place_in_that_source(recommender):
    alone = rows_of(recommender.recommend(item(3), k=100, weights={"form": 1}, collapse=False))
    for result in recommender.recommend(item(3), k=32, collapse=False).results:
        row = int(result.item_id, 16)
        if row in alone:
            assert result.rank["form"] == alone.index(row) + 1


def test_ranks_are_fused_reciprocally(recommender):
    page = recommender.recommend(item(3), k=32, fuse="rank", collapse=False)
    for result in page.results:
        if None not in result.rank.values():
            score = (61 / (60 + result.rank["form"]) + 2 * 61 / (60 + result.rank["place"])) / 3
            assert result.score == pytest.approx(score)


def test_copies_are_one_result_that_names_them(recommender):
    page = recommender.recommend(item(5), k=N)
    found = {int(result.item_id, 16): [int(i, 16) for i in result.copies] for result in page.results}
    first = next(row for row in found if row in range(100, 110))
    assert first == 100
    assert found[first] == list(range(101, 110))
    apart = recommender.recommend(item(5), k=N, collapse=False)
    assert set(range(100, 110)) <= set(rows_of(apart))
    assert all(not result.copies for result in apart.results)


def test_copies_of_the_query_are_the_query(recommender):
    assert not set(rows_of(recommender.recommend(item(104), k=N))) & set(range(100, 110))
    assert rows_of(recommender.recommend(item(104), k=1, collapse=False)) == [100]
    echoed = recommender.recommend(item(104), k=1, echo=True).results[0]
    assert (int(echoed.item_id, 16), len(echoed.copies)) == (100, 9)


def test_subtract_moves_the_query(collection, recommender):
    """Rocchio: cosine compares directions; l2 starts at the liked, and goes away from the disliked."""
    form, place = (vectors_of(collection, name).astype(np.float64) for name in ("form", "place"))
    question = {"like": item(3), "unlike": item(50), "unlike_strength": 0.5, "k": 5, "collapse": False}
    away = form[3] - 0.5 * form[50]
    order = np.argsort(-(form @ away), kind="stable")
    page = recommender.recommend(**question, weights={"form": 1})
    assert rows_of(page) == [row for row in order.tolist() if row not in (3, 50)][:5]
    order = np.argsort(np.linalg.norm(place - (1.5 * place[3] - 0.5 * place[50]), axis=1), kind="stable")
    page = recommender.recommend(**question, weights={"place": 1})
    assert rows_of(page) == [row for row in order.tolist() if row not in (3, 50)][:5]


def test_penalise_takes_the_nearest_dislike_off_the_score(recommender):
    question = {"like": item(3), "unlike": [item(50), item(51)], "unlike_strength": 0.3, "collapse": False, "k": N}
    page = recommender.recommend(**question, unlike_by="penalise")
    near = [{r.item_id: r.score for r in recommender.recommend(item(i), k=N, collapse=False).results} for i in (50, 51)]
    for result in page.results[:50]:
        plain = sum(WEIGHTS[name] * result.similarity[name] for name in WEIGHTS) / 3
        worst = max(scores[result.item_id] for scores in near)
        assert result.score == pytest.approx(plain - 0.3 * worst, abs=2e-6)


def test_avoid_drops_what_is_nearer_to_a_dislike(recommender):
    page = recommender.recommend(item(3), unlike=item(50), unlike_by="avoid", collapse=False, k=N)
    scores = {}
    for seed in (3, 50):
        found = recommender.recommend(item(seed), k=N, collapse=False, exclude=[item(3), item(50)])
        scores[seed] = {int(result.item_id, 16): result.score for result in found.results}
    assert set(rows_of(page)) == {row for row in scores[3] if scores[50][row] <= scores[3][row]}


def test_a_history_decays(collection, recommender):
    vectors = vectors_of(collection, "form").astype(np.float64)
    seen = [item(3), "gone long ago", item(9)]
    mean = vectors[3] + 0.5 ** (2 / 4) * vectors[9]
    order = [row for row in np.argsort(-(vectors @ mean), kind="stable").tolist() if row not in (3, 9)]
    question = {"weights": {"form": 1}, "k": 5, "half_life": 4.0, "collapse": False}
    assert rows_of(recommender.recommend(history=seen, **question)) == order[:5]
    assert rows_of(recommender.recommend(history={item(9): 2, item(3): 0}, **question)) == order[:5]
    both = recommender.recommend(item(3), history={item(9): 2}, **question)
    assert rows_of(both) == order[:5]


def test_more_diversity_makes_results_less_alike(collection, recommender):
    vectors = vectors_of(collection, "form")

    def alike(diversity):
        found = vectors[rows_of(recommender.recommend(item(3), k=10, weights={"form": 1}, diversity=diversity))]
        return float((found @ found.T)[np.triu_indices(10, 1)].mean())

    values = [alike(diversity) for diversity in (0.0, 0.3, 0.6, 0.9)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 0.1


def test_a_cursor_belongs_to_its_question(collection, recommender):
    page = recommender.recommend(item(3), k=5)
    assert recommender.recommend(item(3), k=9, after=page.after).results
    for other in ({"like": item(4)}, {"diversity": 0.1}, {"where": "category=c1"}, {"exclude": [item(8)]}):
        with pytest.raises(QueryError, match="another query or release"):
            recommender.recommend(**{"like": item(3), **other}, after=page.after)
    other = Recommender.open(collection, build(collection, EXACT, weights={"form": 1}, switch=False).id)
    with pytest.raises(QueryError, match="another query or release"):
        other.recommend(item(3), weights=WEIGHTS, after=page.after)


class Newest:
    """A source that ranks items by their row, whatever is asked."""

    name = "newest"

    def query(self, seeds):
        return None

    def candidates(self, query, k, where=None):
        rows = np.arange(N) if where is None else where.rows
        return rows[::-1][:k]

    def measure(self, query, rows):
        return rows.astype(np.float64)

    def similarity(self, measured):
        return measured / N


def test_any_source_may_be_weighed(collection):
    recommender = Recommender.open(collection)
    recommender.add(Newest())
    assert isinstance(Newest(), Source)
    assert isinstance(recommender.source("form"), Source)
    assert rows_of(recommender.recommend(item(3), weights={"newest": 1}, k=3)) == [N - 1, N - 2, N - 3]
    page = recommender.recommend(item(3), weights={"newest": 0.5, "form": 1}, k=5, where="category=c1", diversity=0.2)
    assert set(page.results[0].similarity) == {"newest", "form"}
    assert page.results[0].distance["newest"] == rows_of(page)[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"history": ["nobody"]}, QueryError, "history of items that are there"),
        ({"like": item(1), "history": {item(2): -1}}, QueryError, "with age -1"),
        ({"like": item(1), "half_life": 0}, QueryError, "half_life is 0"),
        ({"like": item(1), "unlike": "nobody"}, QueryError, "no item 'nobody'"),
        ({"like": item(1), "unlike": item(2), "unlike_by": "hate"}, QueryError, "unlike_by is 'hate'"),
        ({"like": item(1), "unlike": item(2), "unlike_strength": 2}, QueryError, "unlike_strength is 2"),
        ({"like": item(1), "unlike": item(2), "unlike_weights": [0]}, QueryError, "unlike_weights are"),
        ({"like": item(1), "fuse": "sum"}, QueryError, "fuse is 'sum'. Choose one of: score, rank"),
        ({"like": item(1), "diversity": float("nan")}, QueryError, "diversity is nan"),
        ({"like": item(1), "after": "x"}, QueryError, "is no cursor"),
        ({"like": item(1), "weights": {"text": 1}}, ConfigError, "names the space 'text'"),
    ],
)
def test_bad_requests_are_refused(recommender, arguments, error, message):
    with pytest.raises(error, match=message):
        recommender.recommend(**arguments)


def test_a_release_without_calibration_is_refused(collection, monkeypatch):
    release = collection.release()
    info = {key: value for key, value in release.manifest.info.items() if key != "calibration"}
    monkeypatch.setitem(release.manifest.__dict__, "info", info)
    with pytest.raises(ArtifactError, match="nitari build collection=shoes"):
        Recommender(collection, release)
