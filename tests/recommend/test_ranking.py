"""How deep the candidates of several sources go: as far as something better may be there."""

import numpy as np
import pytest

from nitari.collection import Collection
from nitari.recommend.recommender import Recommender
from nitari.recommend.scoring import weighted
from nitari.recommend.source import SpaceSource
from nitari.steps.build import build

N, K, ASKED = 8000, 24, range(0, 200, 5)
EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture(scope="module")
def recommender(tmp_path_factory, catalog_of, space_of):
    """Two spaces that have nothing to do with each other: what is best in both together is far down in each."""
    collection = Collection(tmp_path_factory.mktemp("root"), "shoes")
    catalog = catalog_of(collection, N)
    for seed, name in enumerate(("form", "place")):
        space_of(collection, catalog, name, seed=seed)
    build(collection, EXACT)
    return Recommender.open(collection)


def best(recommender, row, weights):
    """The K best by a scan of everything in both spaces."""
    similarity = {}
    for name in weights:
        source = recommender.source(name)
        vectors = source.stored(np.arange(N))
        similarity[name] = source.similarity(source.space.precise(vectors[row], vectors))
    scores = weighted(similarity, weights)
    scores[row] = -np.inf
    return set(np.argsort(-scores, kind="stable")[:K].tolist())


@pytest.mark.parametrize("weights", [{"form": 1, "place": 1}, {"form": 1, "place": 0.3}, {"form": 0.05, "place": 1}])
def test_what_is_best_in_both_together_is_found(recommender, weights):
    found = []
    for row in ASKED:
        page = recommender.recommend([f"{row:016x}"], weights=weights, k=K, collapse=False)
        found.append(len({int(r.item_id, 16) for r in page.results} & best(recommender, row, weights)) / K)
    assert np.mean(found) > 0.98


def test_a_source_proposes_as_it_counts(recommender):
    scored = {
        share: recommender.recommend([f"{7:016x}"], weights={"form": 1, "place": share}, collapse=False).results
        for share in (1, 0.3)
    }
    proposed = {share: sum(r.rank["place"] is not None for r in results) for share, results in scored.items()}
    assert proposed[0.3] < proposed[1]


def test_results_do_not_depend_on_how_many_are_asked_for(recommender):
    few, many = (recommender.recommend([f"{9:016x}"], k=k, weights={"form": 1, "place": 1}).results for k in (30, 400))
    assert [r.item_id for r in few] == [r.item_id for r in many][:30]


def test_what_was_appended_is_proposed_only_where_it_is_near(recommender):
    """An index proposes all of what came late beside what it found, and how deep to go is told by the farthest."""
    source = recommender.source("form")
    query = source.all[3]
    order = np.argsort(source.measure(query, np.arange(N)), kind="stable")

    class Late:
        search = staticmethod(source.index.search)

        def propose(self, query, k, care=1.0, *, where=None):
            return np.concatenate([order[5:k], order[-3:], order[:5]])

    found = SpaceSource(source.space, source.all, Late(), source.calibration).propose(query, 40, 1.0)
    assert found.tolist() == order[:40].tolist()
