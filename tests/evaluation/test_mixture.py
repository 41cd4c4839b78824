import shutil

import numpy as np
import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.evaluation.mixture import mixtures, together
from nitari.evaluation.protocols import Settings, evaluate, results
from nitari.evaluation.subject import open_subject
from nitari.recommend.recommender import Recommender
from nitari.steps.build import build

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture(scope="module")
def subjects(painted):
    catalog = Catalog(painted.latest("catalog"))
    return [open_subject(painted, catalog, painted.latest("embeddings", name)) for name in ("colour", "pixels")]


@pytest.fixture(scope="module")
def built(painted, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(painted.path, root / painted.name)
    build(Collection(root, painted.name), EXACT)
    return Collection(root, painted.name)


@pytest.mark.parametrize("fuse", ["score", "rank"])
@pytest.mark.parametrize("diversity", [0.0, 0.4])
def test_it_ranks_as_a_recommender_does(built, subjects, fuse, diversity):
    given = {"weights": {"colour": 1, "pixels": 0.5}, "fuse": fuse, "diversity": diversity}
    (mix,) = mixtures({"mix": given}, subjects)
    recommender = Recommender.open(built)
    catalog, gallery = recommender.catalog, np.arange(recommender.catalog.n_ready)
    queries = gallery[3:8]
    asked = {s.name: np.asarray(s.vectors[queries]) for s in subjects}
    rows = mix.rank(asked, gallery, 10, exclude=np.stack([np.arange(5), queries], axis=1))
    for at, query in enumerate(queries):
        page = recommender.recommend(catalog.item_ids[query].decode(), k=10, collapse=False, **given)
        found = [catalog.row(result.item_id) for result in page.results]
        if fuse == "score":
            assert rows[at].tolist() == found
        else:  # what ranks are counted among differs by the query itself
            assert len(set(rows[at].tolist()) & set(found)) >= 8


def test_fewer_candidates_than_asked_for(subjects):
    (mix,) = mixtures({"mix": {"weights": {"colour": 1}}}, subjects)
    rows = mix.rank({"colour": np.asarray(subjects[0].vectors[:2])}, np.array([4, 5, 9]), 5, exclude=np.array([[0, 5]]))
    assert (rows >= 0).sum(axis=1).tolist() == [2, 3]
    assert 5 not in rows[0]
    assert mix.rank({"colour": np.asarray(subjects[0].vectors[:2])}, np.arange(0), 5).tolist() == [[-1] * 5] * 2


def test_a_mixture_of_one_space_is_that_space(painted):
    small = Settings(max_queries=6, throughput_items=0, sheet_queries=0, map_items=0, resamples=50)
    spaces = [painted.latest("embeddings", name) for name in ("colour", "pixels")]
    mixed = {"alone": {"weights": {"colour": 2}}, "both": {"weights": {"colour": 1, "pixels": 1}}}
    found = results(evaluate(painted, spaces, labels="kind", mixed=mixed, settings=small))
    assert list(found["spaces"]) == ["colour", "pixels", "alone", "both"]
    colour, alone = found["spaces"]["colour"], found["spaces"]["alone"]
    assert alone["precision_at_10"]["value"] == pytest.approx(colour["precision_at_10"]["value"], abs=0.01)
    assert alone["copy_recall_at_1"]["value"] == pytest.approx(colour["copy_recall_at_1"]["value"], abs=0.02)
    assert set(found["differences"]) == {"pixels", "alone", "both"}
    assert found["protocol"]["settings"] == mixed


def test_times_add_up():
    rate = {"value": 100.0, "low": 50.0, "high": 200.0, "queries": 3}
    assert together([rate, rate]) == {"value": 50.0, "low": 25.0, "high": 100.0, "queries": 3}
    assert together([rate, None]) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"colour": {"weights": {"colour": 1}}}, "settings.colour has the name of a space"),
        ({"mix": {"weights": {"form": 1}}}, "settings.mix: weights names the space 'form'"),
        ({"mix": {"weights": {"colour": 1}, "fuse": "sum"}}, "settings.mix.fuse is 'sum'"),
        ({"mix": {"weights": {"colour": 1}, "diversity": 2}}, "settings.mix.diversity is 2"),
        ({"mix": {"wheights": {"colour": 1}}}, "settings.mix has wheights"),
    ],
)
def test_bad_settings_are_refused(subjects, given, message):
    with pytest.raises(ConfigError, match=message):
        mixtures(given, subjects)
