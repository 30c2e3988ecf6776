import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitproof.bench import parse_grids, schema
from bitproof.core import SpecError

GOOD = """
tasks: ["imagefolder:pictures"]
models: [small-cnn]
recipes: [fp32, "mse:w8a8"]
noises: [clean, "corruptions:3", "decode-ffmpeg+cv-area"]
"""


def refused(text):
    with pytest.raises(SpecError) as error:
        parse_grids(text, "grid.yaml")
    return str(error.value)


def test_the_readmes_words_are_understood():
    [grid] = parse_grids(GOOD)
    assert grid.recipes == ("fp32", "mse:w8a8")
    assert grid.limit_of("clean") is None


def test_each_document_is_a_grid():
    assert len(parse_grids(f"{GOOD}---{GOOD}")) == 2


def test_a_number_in_yaml_1_1_form_is_a_number():
    [grid] = parse_grids(GOOD.replace("[fp32,", "[float,") + "train: imagefolder:more\ntraining: {epochs: 1, lr: 4e-3}\n")
    assert grid.training.lr == 0.004


def test_a_limit_may_be_one_number_or_one_a_family():
    [grid] = parse_grids(GOOD + "limit: {clean: 10, adversarial: 2}")
    assert (grid.limit_of("clean"), grid.limit_of("adversarial"), grid.limit_of("natural")) == (10, 2, None)
    [grid] = parse_grids(GOOD + "limit: 7")
    assert grid.limit_of("system") == 7


@pytest.mark.parametrize(
    ("change", "line", "part"),
    [
        (("recipes:", "recipies:"), 4, "unknown key"),
        (("mse:w8a8", "mze:w8a8"), 4, "Did you mean 'mse'?"),
        (("mse:w8a8", "mse:w9a8"), 4, "9"),
        (("mse:w8a8", "fp32"), 4, "twice"),
        (("corruptions:3", "corruptions:0"), 5, "0"),
        (("corruptions:3", 'fog:3", "fog:03'), 5, "twice"),
        (("corruptions:3", "fgo:3"), 5, "Did you mean 'fog'?"),
        (("decode-ffmpeg+cv-area", "cv-nearest+cv-area"), 5, "one noise a site"),
        (("[small-cnn]", "[smal-cnn]"), 3, "Did you mean 'small-cnn'?"),
        (("[fp32,", "[float,"), 2, "training"),
        (("[clean,", "clean #"), 5, 'should be a list in brackets, found "clean"'),
        (("tasks:", "limit: 0\ntasks:"), 2, "limit: a limit is 1 or more, found 0"),
        (("tasks:", "limit: {advers: 4}\ntasks:"), 2, "Did you mean 'adversarial'?"),
        (("tasks:", "limit: {clean: 0}\ntasks:"), 2, "limit.clean: should be greater than or equal to 1"),
        (("tasks:", "seeds: [0, 0]\ntasks:"), 2, "different whole numbers"),
        (("tasks:", "seeds: [true]\ntasks:"), 2, "different whole numbers"),
        (("tasks:", "training: {epoch: 1}\ntasks:"), 2, "Did you mean 'epochs'?"),
        (("tasks:", 'training: {epochs: 1, lr: 0.1, adversarial: ""}\ntasks:'), 2, "is not a spec"),
        (("tasks:", 'training: {epochs: 1, lr: 0.1, mix: ""}\ntasks:'), 2, "is not a spec"),
        (("tasks:", "geometry: {interpolation: fog}\ntasks:"), 2, "fog"),
        (("tasks:", "defenses: [moat]\ntasks:"), 2, "Unknown defense 'moat'"),
    ],
)
def test_an_error_names_the_line_and_the_word(change, line, part):
    message = refused(GOOD.replace(*change, 1))
    assert message.startswith(f"grid.yaml line {line}"), message
    assert part in message


def test_several_errors_are_told_at_once():
    assert len(refused(GOOD.replace("mse:w8a8", "mze:w8a8").replace("corruptions:3", "fgo:3")).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "holds no grid"),
        ("- a\n- b", "a grid is a mapping"),
        ("tasks: [a\nmodels: b", "not valid YAML"),
        ("tasks: &x [a]\nmodels: *x", "aliases"),
        ("tasks: [a]\ntasks: [b]", "stands twice"),
        ("tasks: !!python/object/apply:os.system [true]", "not valid YAML"),
        ("models: [small-cnn]", "tasks: this key is needed"),
    ],
)
def test_what_is_no_grid_is_refused(text, part):
    assert part in refused(text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_no_text_ends_in_another_error(text):
    try:
        parse_grids(text)
    except SpecError:
        pass


def test_the_schema_is_json_and_names_every_key():
    properties = json.loads(json.dumps(schema()))["properties"]
    assert {"tasks", "models", "recipes", "noises", "training", "calibration", "limit", "seeds"} <= set(properties)
