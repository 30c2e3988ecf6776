"""A few sentences and what a network of texts says of them, on the command line too."""

import pytest
import torch
from tiny_bert import tiny_bert
from typer.testing import CliRunner

from bitproof.bench import classify
from bitproof.cli import app
from bitproof.core import ModelError, SpecError
from bitproof.models import load
from bitproof.noises import noise

pytest.importorskip("transformers", reason="the extra text")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("tiny"))


def test_a_class_and_its_confidence_are_those_of_the_network(tiny):
    model = f"transformers:{tiny},classes=3,length=16"
    network = load(model)
    texts = ["a good film", "the film was very poor and bad ."]
    for said, text in zip(classify(model, texts, labels=["a", "b", "c"]), texts, strict=True):
        with torch.no_grad():
            share, label = network.module(torch.from_numpy(noise("tokens")((text,), network.form))[None]).softmax(1).max(1)
        assert (said.text, said.label, said.value) == (text, "abc"[int(label)], None)
        assert said.confidence == pytest.approx(float(share))


def test_a_pair_is_read_as_one_and_a_number_has_no_confidence(tiny):
    model = f"transformers:{tiny},classes=1,length=24"
    (alone,) = classify(model, ["a good film"])
    (pair,) = classify(model, ["a good film"], ["a bad film"])
    assert alone.label == "number" and alone.confidence is None and alone.value != pair.value


def test_the_command_prints_a_line_a_text(tiny):
    model = f"transformers:{tiny},length=16"
    done = CliRunner().invoke(app, ["classify", "--model", model, "--text", "a good film", "--text", "bad", "--labels", "no,yes"])
    lines = done.output.strip().splitlines()
    assert done.exit_code == 0 and len(lines) == 2
    assert lines[0].endswith(" %  a good film") and lines[0].split()[0] in ("no", "yes")


def test_what_does_not_fit_is_told(tiny):
    model = f"transformers:{tiny},length=16"
    for given, says in (({"labels": ["a"]}, "1 labels"), ({"seconds": ["a", "b"]}, "a pair is one of each")):
        with pytest.raises(SpecError, match=says):
            list(classify(model, ["a"], **given))
    with pytest.raises(SpecError, match="'image'"):
        list(classify("small-cnn", ["a"]))
    with pytest.raises(ModelError, match="does not exist"):
        list(classify("packed:/no/such/file", ["a"]))
