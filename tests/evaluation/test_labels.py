import numpy as np
import pandas as pd
import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError, QueryError
from nitari.evaluation.labels import labelled, per_class, per_query, rank
from nitari.evaluation.metrics import measure
from nitari.evaluation.subject import open_subject, same_picture


@pytest.fixture(scope="module")
def catalog(painted: Collection) -> Catalog:
    return Catalog(painted.latest("catalog"))


def everything(catalog: Catalog) -> np.ndarray:
    return np.arange(catalog.n_ready)


def test_what_has_no_label_or_no_partner_is_left_out(catalog: Catalog):
    rows = everything(catalog)
    task = labelled(catalog, "kind", rows, rows, same_picture(catalog))
    names = catalog.ready("file_name").to_pylist()
    assert (task.unlabelled, task.alone) == (2, 1)  # red-03 as query and in the gallery; white-00
    assert {"red-03.jpg", "white-00.png"}.isdisjoint(names[row] for row in task.queries)
    assert "red-03.jpg" not in {names[row] for row in task.gallery}
    assert "white-00.png" in {names[row] for row in task.gallery}


def test_the_query_and_its_duplicates_are_passed_over(catalog: Catalog):
    rows = everything(catalog)
    task = labelled(catalog, "kind", rows, rows, same_picture(catalog))
    pairs = {(int(task.queries[query]), int(row)) for query, row in task.exclude}
    original, copy = catalog.row("red-00.jpg"), catalog.row("red-copy.jpg")
    assert {(original, copy), (copy, original), (original, original)} <= pairs
    assert len(pairs) == len(task.queries) + 2
    reds = sum(name.startswith("red") for name in catalog.ready("file_name").to_pylist()) - 1  # one has no label
    assert task.total[task.queries == original].item() == reds - 2
    assert task.total[task.queries == catalog.row("red-06.jpg")].item() == reds - 1


def test_against_a_ranking_by_hand(painted: Collection, catalog: Catalog):
    subject = open_subject(painted, catalog, painted.latest("embeddings", "pixels"))
    queries, gallery = catalog.select("split=validation").rows, catalog.select("split=train").rows
    task = labelled(catalog, "kind", queries, gallery, same_picture(catalog))
    found = rank(subject, task)
    vectors, kinds = np.array(subject.vectors), catalog.ready("kind").to_pylist()
    shas = catalog.ready("sha256").to_pylist()
    for query, rows, total in zip(task.queries, found, task.total, strict=True):
        candidates = [g for g in gallery if kinds[g] is not None and shas[g] != shas[query]]
        expected = sorted(candidates, key=lambda g: -float(vectors[query] @ vectors[g]))
        assert rows[: len(expected)].tolist() == expected
        assert (rows[len(expected) :] == -1).all()
        assert total == sum(kinds[g] == kinds[query] for g in candidates)
    relevant = task.relevant(found)
    assert relevant.sum(axis=1).tolist() == task.total.tolist()


def test_colours_tell_colours_apart_and_random_does_not(painted: Collection, catalog: Catalog):
    rows = everything(catalog)
    task = labelled(catalog, "kind", rows, rows, same_picture(catalog))
    means = {}
    for space in ("colour", "random"):
        subject = open_subject(painted, catalog, painted.latest("embeddings", space))
        means[space] = measure(task.relevant(rank(subject, task)), task.total)["precision_at_1"].mean()
    assert means["colour"] > 0.9
    assert 0.1 < means["random"] < 0.6


def test_tables_hold_every_query_and_class(painted: Collection, catalog: Catalog):
    rows = everything(catalog)
    task = labelled(catalog, "kind", rows, rows, same_picture(catalog))
    subject = open_subject(painted, catalog, painted.latest("embeddings", "colour"))
    values = measure(task.relevant(rank(subject, task)), task.total)
    queries = per_query(catalog, task, values, "colour")
    assert len(queries) == len(task.queries)
    table = per_class(task, pd.concat([queries, queries.assign(space="other")]))
    assert table["label"].tolist() == ["blue", "green", "red"] * 2
    assert table["queries"].sum() == 2 * len(task.queries)
    reds = table[(table["label"] == "red") & (table["space"] == "colour")].iloc[0]
    assert reds["gallery"] == sum(k == "red" for k in catalog.ready("kind").to_pylist())
    assert reds["map_at_100"] == pytest.approx(queries[queries["label"] == "red"]["map_at_100"].mean())


def test_columns_that_cannot_be_labels_are_refused(catalog: Catalog):
    rows, groups = everything(catalog), same_picture(catalog)
    with pytest.raises(QueryError, match="no column 'kinds'"):
        labelled(catalog, "kinds", rows, rows, groups)
    with pytest.raises(ConfigError, match="No query has another picture with its 'item_id'"):
        labelled(catalog, "item_id", rows, rows, groups)


def test_queries_without_a_label_are_said_to_be_so(catalog: Catalog):
    everyone, groups = everything(catalog), same_picture(catalog)
    named = [row for row, kind in enumerate(catalog.ready("kind").to_pylist()) if kind is not None]
    unnamed = np.setdiff1d(everyone, named)
    with pytest.raises(ConfigError, match=rf"None of the {len(unnamed)} queries has a 'kind'.*queries=FILTER"):
        labelled(catalog, "kind", unnamed, everyone, groups)
