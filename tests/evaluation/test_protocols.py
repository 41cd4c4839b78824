import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.evaluation import report, sheets
from nitari.evaluation.metrics import METRICS
from nitari.evaluation.protocols import Settings, evaluate, results
from nitari.images.distortions import DISTORTIONS
from nitari.steps.build import build

SMALL = Settings(max_queries=6, throughput_items=40, resamples=100, sheet_queries=4)
COPIES = ("copy_recall_at_1", "copy_recall_at_5", "copy_recall_at_10")


def embeddings(collection: Collection, *names: str) -> list[Artifact]:
    return [collection.latest("embeddings", name) for name in names]


@pytest.fixture(scope="module")
def both(painted: Collection) -> Artifact:
    """Both protocols over three spaces, of which one has an index."""
    build(painted, {"_target_": "nitari.index.exact.Exact"}, spaces=["colour"])
    spaces = embeddings(painted, "colour", "pixels", "random")
    return evaluate(painted, spaces, labels="kind", settings=SMALL, threads=2, mlflow_run="run-1")


def test_every_metric_is_there_with_its_interval(both: Artifact):
    found = results(both)
    assert list(found)[:4] == ["collection", "queries", "gallery", "spaces"]
    assert list(found["spaces"]) == ["colour", "pixels", "random"]
    for space, measured in found["spaces"].items():
        for name in (*METRICS, *COPIES, "pictures_per_second"):
            estimate = measured[name]
            assert {"value", "low", "high", "queries"} <= set(estimate), name
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
        assert set(measured["copy_recall_at_1"]["by_distortion"]) == set(DISTORTIONS)
        assert (measured["ann_recall_at_10"] is None) == (space != "colour")
    assert found["spaces"]["colour"]["ann_recall_at_10"]["value"] == 1
    assert found["spaces"]["colour"]["search_latency_ms"]["p50"] > 0
    best, floor = (found["spaces"][name]["precision_at_10"]["value"] for name in ("colour", "random"))
    assert best > floor


def test_the_artifact_pins_what_it_measured(both: Artifact, painted: Collection):
    assert set(both.manifest.parents) == {
        "catalog",
        "embeddings:colour",
        "embeddings:pixels",
        "embeddings:random",
        "index:colour",
    }
    assert painted.parent(both, "embeddings:colour", "colour").id == painted.latest("embeddings", "colour").id
    assert both.manifest.mlflow_run == "run-1"
    both.verify()


def test_tables_say_the_same_as_the_results(both: Artifact, painted: Collection):
    found = results(both)
    queries = pd.read_parquet(both.file(report.QUERIES))
    copies = pd.read_parquet(both.file(report.COPIES))
    distortions = pd.read_parquet(both.file(report.DISTORTIONS))
    classes = pd.read_parquet(both.file(report.CLASSES))
    for space, measured in found["spaces"].items():
        mine = queries[queries["space"] == space]
        assert len(mine) == measured["map_at_100"]["queries"] == found["queries"]
        for metric in METRICS:
            assert mine[metric].mean() == pytest.approx(measured[metric]["value"])
        assert copies[copies["space"] == space]["copy_recall_at_5"].mean() == pytest.approx(
            measured["copy_recall_at_5"]["value"]
        )
        assert classes[classes["space"] == space]["queries"].sum() == found["queries"]
    assert len(distortions) == 3 * 3 * len(DISTORTIONS)
    known = set(Catalog(painted.latest("catalog")).ready("item_id").to_pylist())
    assert set(queries["item_id"]) | set(copies["item_id"]) <= known


def test_plots_and_sheet_are_pictures(both: Artifact):
    plots = [f"plots/{name}.png" for name in ("metrics", "distortions", "copy_recall", "recall", "cost")]
    for name in [*plots, sheets.NEIGHBOURS, sheets.WORST, sheets.DISAGREEMENT, sheets.MAP]:
        with Image.open(both.file(name)) as picture:
            picture.load()
            assert min(picture.size) > 200, name


def test_the_table_is_readable(both: Artifact):
    lines = report.table(results(both)).splitlines()
    assert lines[0].split("  ")[0] == "space"
    assert "mAP@100" in lines[0]
    assert [line.split()[0] for line in lines[2:]] == ["colour", "pixels", "random"]
    assert len({len(line) for line in lines}) == 1
    assert "–" in lines[3]
    notes = "\n".join(report.notes(results(both)))
    assert "held out from training" in notes
    assert "'kind' (3 values)" not in notes  # white stands alone, but is a value
    assert "'kind' (4 values)" in notes


def test_without_labels_nothing_is_said_of_relevance(painted: Collection):
    artifact = evaluate(painted, embeddings(painted, "pixels"), settings=SMALL)
    found = results(artifact)
    measured = found["spaces"]["pixels"]
    assert all(measured[name] is None for name in METRICS)
    assert found["gallery"] == Catalog(painted.latest("catalog")).n_ready
    assert report.QUERIES not in artifact.manifest.files
    assert "plots/metrics.png" not in artifact.manifest.files
    assert "mAP" not in report.table(found)
    assert sheets.NEIGHBOURS in artifact.manifest.files


def test_without_copies_only_labels_count(painted: Collection):
    settings = Settings(max_queries=0, throughput_items=0, sheet_queries=0, map_items=0, resamples=100)
    artifact = evaluate(
        painted,
        embeddings(painted, "colour"),
        labels="kind",
        queries="split=validation",
        gallery="split=train",
        settings=settings,
    )
    measured = results(artifact)["spaces"]["colour"]
    assert all(measured[name] is None for name in (*COPIES, "pictures_per_second"))
    assert measured["precision_at_10"]["value"] > 0.8
    assert measured["ann_recall_at_10"]["value"] == 1  # asked with the queries' own vectors
    assert sorted(artifact.manifest.files) == [
        "classes.parquet",
        "plots/metrics.png",
        "plots/recall.png",
        "queries.parquet",
        "results.json",
    ]
    json.dumps(results(artifact), allow_nan=False)


def test_the_same_seed_gives_the_same_figures(painted: Collection):
    settings = Settings(max_queries=4, throughput_items=0, sheet_queries=0, map_items=0, resamples=50)

    def run(seed: int) -> dict[str, Any]:
        return results(evaluate(painted, embeddings(painted, "pixels"), labels="kind", settings=settings, seed=seed))

    assert run(0) == run(0)
    assert run(0) != run(1)


def test_what_cannot_be_evaluated_is_refused(
    painted: Collection, tmp_path: Path, catalog_of: Callable[[Collection, int], Artifact]
):
    with pytest.raises(ConfigError, match="No space is to be evaluated"):
        evaluate(painted, [])
    with pytest.raises(ConfigError, match=r"protocol\.max_queries is -1"):
        Settings(max_queries=-1)
    with pytest.raises(ConfigError, match=r"protocol\.resamples is 1"):
        Settings(resamples=1)
    other = Collection(tmp_path, "other")
    catalog_of(other, 3)
    with pytest.raises(ArtifactError, match="was made from catalog"):
        evaluate(other, embeddings(painted, "pixels"))
