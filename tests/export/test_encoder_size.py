"""What a binarized encoder weighs and costs: by the papers' formula, and on disk."""

import pytest
import torch
from tiny_bert import tiny_bert

from bitproof import models
from bitproof.convert import QuantLayer, insert, quantize
from bitproof.core import ModelError, StoreError
from bitproof.export import account, deploy, load_bits_, save_bits
from bitproof.export.accounting import weight
from bitproof.export.packed_layer import PackedLayer

transformers = pytest.importorskip("transformers", reason="the extra text")

MIB = 2**20


@pytest.fixture(scope="module")
def bert_base():
    """BERT-base without numbers: shapes are all that is counted."""
    with torch.device("meta"):
        return transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=2, attn_implementation="sdpa")).eval()


def test_bert_base_is_what_the_paper_counts(bert_base):
    """22.5 G and 56.3×, 418 MB and 31.2×, and what a recount gives (arXiv 2203.06390, table 2; reference §2)."""
    x = {"input_ids": torch.zeros(1, 128, dtype=torch.long, device="meta")}
    report = insert(bert_base, "bibert:w1a1", x).report
    found = account(bert_base, report, x)
    assert found.float_ops == pytest.approx(22.35e9, rel=1e-3)
    assert found.ops == pytest.approx(0.349e9, rel=0.01)
    assert round(found.ops / 1e9, 1) == 0.3 and 22.5 / 0.4 == pytest.approx(56.3, abs=0.1)  # the paper rounds 0.349 up to 0.4
    assert report.float_bytes / MIB == pytest.approx(417.7, abs=0.2)
    assert report.size_bytes / MIB == pytest.approx(15.4, abs=0.3)  # its 13.4 is all embeddings in one bit, and no scales
    assert 417.6 / 13.4 == pytest.approx(31.2, abs=0.05)
    eight = insert(bert_base, "lsq:w8a8,products=same", x).report
    assert account(bert_base, eight, x).ratio == pytest.approx(1, abs=1e-6)  # 8·8/64


def test_a_product_of_bits():
    assert [weight(1, 1), weight(1, 4), weight(4, 4), weight(8, 8), weight(1, 32)] == [1 / 64, 1 / 16, 0.25, 1, 1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    network = models.load(
        f"transformers:{tiny_bert(tmp_path_factory.mktemp('tiny'), hidden_size=128, intermediate_size=512)},length=16"
    )
    x = torch.zeros(4, 3, 16, dtype=torch.long)
    x[:, 0] = torch.randint(4, 18, (4, 16), generator=torch.Generator().manual_seed(0))
    x[:, 1] = 1
    x[0, 1, 9:] = 0
    return network, x, tmp_path_factory.mktemp("bits")


@pytest.mark.parametrize("recipe", ["bibert:w1a1", "elastic:w1a1"])
def test_saved_loaded_the_same_and_small(made, recipe):
    network, x, folder = made
    converted = quantize(network.module, recipe, [x])
    size = save_bits(converted.model, folder / f"{recipe[:4]}.safetensors")
    fresh = insert(network.module, recipe, x).model
    load_bits_(fresh, folder / f"{recipe[:4]}.safetensors")
    with torch.no_grad():
        assert torch.equal(fresh(x), converted.model(x))
    names = 30_000  # names, shapes and quantizers of a small network weigh something
    assert size < converted.report.size_bytes + names and size < converted.report.float_bytes / 12


@pytest.mark.parametrize("recipe", ["bibert:w1a1", "elastic:w1a1"])
def test_packed_layers_answer_as_simulated_ones(made, recipe):
    """All linear layers but the classifier on packed words, inside the attention too; sums are exact, scales round once more.

    Layer by layer: in a network of signs a last digit may turn one, and then all behind it is another network's.
    """
    network, x, _ = made
    model = quantize(network.module, recipe, [x]).model
    deployed = deploy(model)
    assert deployed.report.packed == 2 * 6 + 1
    packed = {m.name: m for m in deployed.model.modules() if isinstance(m, PackedLayer)}
    for layer in (m for m in model.modules() if isinstance(m, QuantLayer) and m.name in packed):
        given = torch.randn(3, 5, layer.in_features, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            torch.testing.assert_close(packed[layer.name](given), layer(given), rtol=1e-4, atol=1e-5)


def test_files_that_are_none(made, tmp_path):
    network, x, _ = made
    plain = quantize(network.module, "minmax:w8a8", [x]).model
    with pytest.raises(ModelError, match="no weight with two codes"):
        save_bits(plain, tmp_path / "x.safetensors")
    one_bit = quantize(network.module, "bibert:w1a1", [x]).model
    with pytest.raises(StoreError, match="cannot be written"):
        save_bits(one_bit, tmp_path / "none" / "x.safetensors")
    save_bits(one_bit, tmp_path / "x.safetensors")
    for broken, says in ((b"", "no file of this network's bits"), ((tmp_path / "x.safetensors").read_bytes()[:-9], "no file of")):
        (tmp_path / "broken.safetensors").write_bytes(broken)
        with pytest.raises(ModelError, match=says):
            load_bits_(insert(network.module, "bibert:w1a1", x).model, tmp_path / "broken.safetensors")
    with pytest.raises(ModelError, match="binarized layers"):
        load_bits_(insert(network.module, "bibert:w1a1,embed=float", x).model, tmp_path / "x.safetensors")
