import pytest

from nitari.cli import main
from nitari.errors import ConfigError
from nitari.train.overrides import quote
from nitari.train.spelling import checked


def said(job: str, *words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        checked(job, quote(words))
    return str(caught.value)


@pytest.mark.parametrize(
    ("job", "word", "message"),
    [
        (
            "build",
            "colection=x",
            "no setting 'colection', which is given as 'x'. Did you mean collection=x? See: nitari",
        ),
        ("build", "indx=hnsw", "Did you mean index=hnsw"),
        ("ingest", "path=my pictures", "Did you mean 'source.path=my pictures'?"),
        ("fit", "epochs=3", "no setting 'epochs', which is given as '3'. Did you mean trainer.epochs=3?"),
        ("fit", "encode.reduc.pca=3", "Did you mean encode.reduce.pca=3 or "),
        ("fit", "objective.wieghts.palette=1", "Did you mean objective.weights.palette=1 or "),
        ("fit", "objective.wieghts.colour=1", "In objective there are: terms, weights. See"),
        ("fit", "trainer.epoch=3", "Did you mean trainer.epochs=3"),
        ("fit", "zzz=1", "no setting 'zzz', which is given as '1'. See: nitari fit --help"),
        ("build", "model=vgg", "Other jobs have it: fit, sweep, pipeline, demo."),
        ("build", "labels=kind", "Other jobs have it: evaluate, compare, sweep, pipeline, demo."),
        ("build", "target.a=3", "'target.a' is '3', and target is 0.99: it has no settings"),
        ("build", "release.weights.encoder=1", "Give it whole: release.weights={encoder: 1}"),
        ("build", "index=hnws", "index is 'hnws'. Did you mean hnsw? Choose one of: annoy, exact, hnsw, "),
        ("fit", "experiment=fats", "experiment is 'fats'. Did you mean fast? Choose one of: agree, "),
        ("fit", "+experiment=fats", "experiment is 'fats'. Did you mean fast?"),
        ("build", "experiment=fast", "nitari build takes no experiment. It is given to what trains: fit, "),
        (
            "fit",
            "objective.weights.colour=1",
            "no setting 'objective.weights.colour', which is given as '1'. In objective.weights there are: ",
        ),
        ("fit", "trainer.size=96", "Did you mean model.size=96? See"),
        (
            "fit",
            "--collection=x",
            "'--collection=x' is not a setting. Settings are written key=value: collection=x. See: nitari fit --help",
        ),
        ("build", "fast", "'fast' is not a setting. Settings are written key=value. See: nitari build --help"),
    ],
)
def test_what_is_misspelt_is_named_with_what_was_meant(job: str, word: str, message: str):
    assert message in said(job, word)


def test_settings_of_a_choice_are_known_once_it_is_chosen():
    assert "Did you mean model.weights=a" in said("fit", "model=vgg", "model.wights=a")
    assert checked("fit", ["model=vgg", "model.weights=a"]) == ["model=vgg", "model.weights=a"]
    assert "no setting 'model.weights'" in said("fit", "model.weights=a")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("ingest", ["source=tar", "source.path=a", "source.name=b", "thumbnails=[96,256]", "limits.seconds=3"]),
        (
            "fit",
            ["objective=labels", "objective.terms.labels.column=category", "where='a=b'", "encode.postprocess=null"],
        ),
        ("fit", ["extractor@encode.beside.hog=phash", "~encode.beside.colour", "+trainer.new=3", "hydra.verbose=true"]),
        ("build", ["release.weights={encoder: 1}", "release.weights.hog=.3", "release.indexes={colour:exact}"]),
        ("extract", ["extractor=vgg", "extractor.postprocess={pca: 64}", "-m", "seed=1,2"]),
        ("pipeline", ["extractors=[hog,pdq]", "source.path=PATH", "collection=shoes"]),
        ("build", ["--cfg", "job", "whatever=1"]),
    ],
)
def test_what_is_right_stays_as_it_is(job: str, words: list[str]):
    assert checked(job, words) == words


@pytest.mark.parametrize("word", ["experiment=fast", "+experiment=fast"])
def test_an_experiment_is_named_with_or_without_a_plus(word: str):
    assert checked("fit", [word]) == checked("sweep", [word]) == ["+experiment=fast"]
    assert checked("demo", [word]) == ["experiment=fast"]  # has one of its own, which this takes the place of


def test_each_choice_of_a_sweep_is_looked_at():
    assert checked("sweep", ["experiment=plain,agree", "model.dim=64,128"])[0] == "+experiment=plain,agree"
    with pytest.raises(ConfigError, match="Did you mean agree"):
        checked("sweep", ["experiment=plain,agre"])


def test_as_a_command(capsys: pytest.CaptureFixture[str]):
    assert main(["build", "colection=x"]) == 2
    assert capsys.readouterr().err.startswith("nitari: nitari build has no setting 'colection'")
    assert main(["fit", "experiment=fast", "collection=nobody", "index=hnsw"]) == 2
    assert "no setting 'index'" in capsys.readouterr().err


def test_what_is_hydras_is_left_to_it():
    assert checked("fit", ["experiment=plain", "--cfg", "job"]) == ["+experiment=plain", "--cfg", "job"]
    assert checked("sweep", ["experiment=glob(*)"]) == ["+experiment=glob(*)"]


@pytest.mark.parametrize(
    ("job", "word", "message"),
    [
        ("fit", "trainer.lr=fast", r"trainer\.lr is 'fast'\. Give a number, such as "),
        ("fit", "objective.weights.palette='many'", r"objective\.weights\.palette is 'many'\. Give a number"),
        ("build", "exact_below=lots", r"exact_below is 'lots'\. Give a number, such as 10000"),
        ("build", "switch=perhaps", r"switch is 'perhaps'\. Give true or false"),
    ],
)
def test_a_word_is_no_number(job: str, word: str, message: str):
    with pytest.raises(ConfigError, match=message):
        checked(job, [word])


def test_a_number_may_be_left_to_the_job():
    assert checked("fit", ["trainer.devices=auto", "trainer.max_steps=null", "trainer.lr=1e-3"])
