import json
import subprocess
import sys

import numpy as np
import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError, FilterError, QueryError
from nitari.recommend.recommender import Recommender
from nitari.space import unit
from nitari.steps.build import build

N = 500
EXACT = {"_target_": "nitari.index.exact.Exact"}
HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "ef_construction": 40}


@pytest.fixture(scope="module")
def collection(tmp_path_factory, catalog_of, space_of):
    collection = Collection(tmp_path_factory.mktemp("root"), "shoes")
    catalog = catalog_of(collection, N)
    space_of(collection, catalog, "form", seed=1)
    space_of(collection, catalog, "place", metric="l2", seed=2)
    build(collection, HNSW)
    return collection


@pytest.fixture
def recommender(collection):
    return Recommender.open(collection)


def item(i):
    return f"{i:016x}"


def rows_of(page):
    return [int(result.item_id, 16) for result in page.results]


def distances(collection, name, query_row):
    """(N,) float64, by the definition."""
    space = Embeddings(collection.latest("embeddings", name))
    vectors = np.asarray(space.vectors, np.float64)
    if space.space.metric == "cosine":
        return 1 - vectors @ vectors[query_row]
    return np.linalg.norm(vectors - vectors[query_row], axis=1)


def calibrated(collection, name, query_row):
    """(N,) similarities as the release's knots give them."""
    knots = collection.release().manifest.info["calibration"][name]
    return np.interp(distances(collection, name, query_row), knots["distances"], knots["similarities"])


def expected(collection, query_row, weights, rows):
    """Every row's score by the definition, best first, ties by item id."""
    total = sum(weight * calibrated(collection, name, query_row)[rows] for name, weight in weights.items())
    return rows[np.argsort(-total, kind="stable")]


@pytest.mark.parametrize("weights", [{"form": 1}, {"place": 1}, {"form": 1, "place": 3}], ids=str)
def test_the_best_by_the_weighted_mean(collection, recommender, weights):
    page = recommender.recommend(item(7), k=10, weights=weights)
    others = np.setdiff1d(np.arange(N), [7])
    assert rows_of(page) == expected(collection, 7, weights, others)[:10].tolist()
    assert [r.score for r in page.results] == sorted((r.score for r in page.results), reverse=True)
    assert set(page.results[0].similarity) == set(weights)
    assert page.results[0].attributes == {
        "file_name": f"{rows_of(page)[0]}.jpg",
        "category": f"c{rows_of(page)[0] % 4}",
    }


def test_the_release_has_default_weights(recommender):
    page = recommender.recommend([item(3)], k=2)
    assert set(page.results[0].similarity) == {"form", "place"}


@pytest.mark.parametrize("k", [1, 40, N, 10_000])
@pytest.mark.parametrize("where", [None, "category=c1", "category=c1 and file_name in (1.jpg, 5.jpg)", "category=none"])
def test_exactly_as_many_as_match(collection, recommender, k, where):
    catalog = Catalog(collection.latest("catalog"))
    matches = np.arange(N) if where is None else catalog.select(where).rows
    page = recommender.recommend([item(1), "2.jpg"], k=k, where=where)
    assert len(page.results) == min(k, len(np.setdiff1d(matches, [1, 2])))
    assert set(rows_of(page)) <= set(matches.tolist()) - {1, 2}


def test_echo_and_exclude(recommender):
    assert rows_of(recommender.recommend(item(7), k=1, echo=True)) == [7]
    assert recommender.recommend(item(7), k=1, echo=True).results[0].score == pytest.approx(1, abs=1e-6)
    first = recommender.recommend(item(7), k=5)
    seen = [first.results[0].item_id, "1.jpg", "gone long ago"]
    after = recommender.recommend(item(7), k=4, exclude=seen)
    assert rows_of(after) == [row for row in rows_of(first) if row != 1][1:][:4]


def test_several_likes_meet_in_their_weighted_mean(collection, recommender):
    vectors = Embeddings(collection.latest("embeddings", "form")).vectors
    mean = unit((0.8 * vectors[3] + 0.2 * vectors[9])[None])[0]
    page = recommender.recommend([item(3), item(9)], like_weights=[4, 1], weights={"form": 1}, k=5)
    near = np.argsort(-(vectors @ mean), kind="stable")
    assert rows_of(page) == [row for row in near.tolist() if row not in (3, 9)][:5]


def test_pictures_are_encoded_in_each_space_that_counts(collection):
    asked = []

    def encode(space, pictures):
        asked.append((space, len(pictures)))
        vectors = Embeddings(collection.latest("embeddings", space)).vectors
        return np.stack([vectors[picture[0, 0, 0]] for picture in pictures])

    recommender = Recommender.open(collection, encode=encode)
    picture = np.full((4, 4, 3), 42, np.uint8)
    assert rows_of(recommender.recommend(picture, k=1)) == [42]
    assert sorted(asked) == [("form", 1), ("place", 1)]
    mixed = recommender.recommend([item(5), picture], k=N)
    assert 5 not in rows_of(mixed)
    assert 42 in rows_of(mixed)
    assert rows_of(mixed) == rows_of(recommender.recommend([picture, item(5)], k=N))


def test_ties_are_ordered_by_item_id(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "same")
    space_of(collection, catalog_of(collection, 20), "form", same=range(5, 15))
    build(collection, EXACT)
    page = Recommender.open(collection).recommend(item(9), k=9, collapse=False)
    assert rows_of(page) == [5, 6, 7, 8, 10, 11, 12, 13, 14]


def test_a_page_is_json(recommender, collection):
    page = json.loads(json.dumps(recommender.recommend(item(0), k=3).to_dict()))
    assert page["collection"] == "shoes"
    assert page["release"] == collection.current
    assert list(page) == ["collection", "release", "where", "results", "after", "why"]
    assert list(page["results"][0]) == [
        "item_id",
        "score",
        "similarity",
        "distance",
        "rank",
        "copies",
        "attributes",
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"like": "nobody"}, QueryError, "no item 'nobody'"),
        ({"like": []}, QueryError, "like is empty"),
        ({"like": item(1), "k": 0}, QueryError, "k is 0"),
        ({"like": item(1), "where": "colour=red"}, FilterError, "no column 'colour'"),
        ({"like": item(1), "weights": {"colour": 1}}, ConfigError, "names the space 'colour'"),
        ({"like": [item(1)], "like_weights": [1, 2]}, QueryError, "Give 1 numbers"),
        ({"like": [item(1)], "like_weights": [-1]}, QueryError, "none below 0"),
        ({"like": np.zeros((2, 2, 3), np.uint8)}, ConfigError, "cannot encode pictures"),
    ],
)
def test_bad_requests_are_refused(recommender, arguments, error, message):
    with pytest.raises(error, match=message):
        recommender.recommend(**arguments)


def test_without_a_release(tmp_path):
    with pytest.raises(ArtifactError, match="nitari build collection=bare"):
        Recommender.open(Collection(tmp_path, "bare"))


def test_a_release_of_other_parts_is_refused(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "mixed")
    space_of(collection, catalog_of(collection, 30), "form")
    release = build(collection, EXACT)
    file = collection.parent(release, "embeddings:form", "form").path / "manifest.json"
    file.write_text(file.read_text().replace('"vectors": 30', '"vectors": 31'))
    with pytest.raises(DamagedArtifactError, match="embeddings"):
        Recommender.open(collection).recommend(item(1))


def test_serving_imports_no_training_stack():
    code = (
        "import sys, nitari.recommend.recommender, nitari.index.hnsw, nitari.index.tuning\n"
        "print([m for m in ('torch', 'pandas', 'mlflow', 'hydra', 'onnxruntime') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
