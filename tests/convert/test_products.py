"""Products of two activations: seen wherever torch's attention computes them, quantized, and none of them forgotten."""

import copy

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from bitproof.convert import QuantAttention, QuantLayer, Recipe, float_names, insert, kept_recipe, quantize
from bitproof.core import ModelError, SpecError

transformers = pytest.importorskip("transformers", reason="the extra text")


def bert(layers=2, attention="sdpa"):
    config = transformers.BertConfig(
        vocab_size=60, hidden_size=32, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=16, num_labels=3, attn_implementation=attention,
    )  # fmt: skip
    torch.manual_seed(0)
    return Logits(transformers.BertForSequenceClassification(config)).eval()


class Logits(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, **words):
        return self.net(**words).logits


def tokens(n=4, length=9, padded=True):
    g = torch.Generator().manual_seed(1)
    mask = torch.ones(n, length, dtype=torch.long)
    if padded:
        mask[0, 5:] = 0
    return {"input_ids": torch.randint(1, 60, (n, length), generator=g), "attention_mask": mask}


def picture():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def vit():
    torch.manual_seed(0)
    return timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=3).eval()


def swin():
    torch.manual_seed(0)
    return timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=32, window_size=4, embed_dim=24, depths=(2, 2), num_heads=(2, 4), num_classes=3
    ).eval()


def hf_vit():
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=32, patch_size=8, num_labels=3
    )
    return PixelLogits(transformers.ViTForImageClassification(config)).eval()


class PixelLogits(Logits):
    def forward(self, x):
        return self.net(x).logits


NETWORKS = [(bert, tokens), (vit, picture), (swin, picture), (hf_vit, picture)]


@pytest.mark.parametrize(("build", "batch"), NETWORKS, ids=lambda f: f.__name__)
def test_many_bits_give_the_float_network(build, batch):
    """The attention written out in two products is torch's own: masks, position biases, shifted windows."""
    model, x = build(), batch()
    converted = quantize(model, "minmax:w8a8,products=8,first=same,last=same", [x])
    attentions = [m for m in converted.model.modules() if isinstance(m, QuantAttention)]
    for module in converted.model.modules():
        if isinstance(module, QuantLayer):
            module.weight_quantizer = module.input_quantizer = None
    for attention in attentions:
        attention.scores.left = attention.scores.right = attention.context.left = attention.context.right = None
    assert len(attentions) == len(converted.report.products) >= 2
    assert all(product.bits == 8 and product.kind == "attention" for product in converted.report.products)
    torch.testing.assert_close(run(converted.model, x), run(model, x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def run(model, x):
    return model(**x) if isinstance(x, dict) else model(x)


@pytest.mark.parametrize(("build", "batch"), NETWORKS, ids=lambda f: f.__name__)
def test_the_users_model_is_left_alone(build, batch):
    model, x = build(), batch()
    before, words = run(model, x), [type(m).__name__ for m in model.modules()]
    quantize(model, "minmax:w4a4,products=same", [x])
    assert torch.equal(run(model, x), before) and [type(m).__name__ for m in model.modules()] == words


def test_an_eager_attention_is_led_through_the_same_door():
    model = bert(attention="eager")
    assert insert(model, "minmax:w8a8,products=same", tokens()).report.products[0].bits == 8
    assert model.net.config._attn_implementation == "eager"


def test_two_bits_are_the_formula():
    """An attention by hand, on the quantizers' own numbers."""
    model, x = bert(layers=1), tokens()
    converted = quantize(model, "minmax:w8a8,products=2", [x]).model
    attention = next(m for m in converted.modules() if isinstance(m, QuantAttention))
    q, k, v = (torch.randn(4, 2, 9, 16, generator=torch.Generator().manual_seed(i)) for i in range(3))
    keep = x["attention_mask"].bool()[:, None, None, :]
    q_hat, k_hat = attention.scores.left(q), attention.scores.right(k)
    scores = (q_hat @ k_hat.mT / 4).masked_fill(~keep, -torch.inf)
    m = attention.context.left(scores.softmax(-1))
    torch.testing.assert_close(attention.attend(q, k, v, keep), m @ attention.context.right(v), rtol=1e-5, atol=1e-5)
    assert len(m.unique()) <= 4 and float(m.min()) == 0
    causal = attention.attend(q, k, v, is_causal=True)
    masked = attention.attend(q, k, v, torch.ones(9, 9, dtype=torch.bool).tril())
    assert torch.equal(causal, masked)


@pytest.mark.parametrize(
    "recipe", ["bibert:w1a1", "elastic:w1a1", "lsq:w4a4,products=same,embed=word", "lsq:w2a2,products=8,embed=all"]
)
def test_every_gradient_exists(recipe):
    """Queries and keys included, which the public code of 1-bit attention leaves without one (reference: BiBench)."""
    x = tokens()
    model = quantize(bert(), recipe, [x]).model.train()
    torch.manual_seed(0)
    F.cross_entropy(model(**x), torch.tensor([0, 1, 2, 0])).backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("recipe", ["bibert:w1a1", "elastic:w1a1", "minmax:w4a4,products=same,embed=all"])
def test_saved_and_loaded_it_is_the_same(recipe):
    x = tokens()
    made = quantize(bert(), recipe, [x]).model
    fresh = insert(bert(), recipe, x).model
    fresh.load_state_dict(made.state_dict())
    assert torch.equal(run(fresh.eval(), x), run(made, x))
    assert torch.equal(run(copy.deepcopy(made), x), run(made, x))


def test_padding_changes_nothing():
    model = quantize(bert(), "bibert:w1a1", [tokens()]).model
    x = tokens(padded=False)
    longer = {"input_ids": F.pad(x["input_ids"], (0, 4)), "attention_mask": F.pad(x["attention_mask"], (0, 4))}
    torch.testing.assert_close(run(model, longer), run(model, x), rtol=1e-4, atol=1e-5)


def test_the_report_names_what_stays_float():
    x = tokens()
    report = quantize(bert(), "minmax:w8a8", [x]).report
    assert [(p.bits, p.reason, p.name.endswith("attention.self")) for p in report.products] == [(None, "products=float", True)] * 2
    assert "left float (products=float)" in report.table()
    kept = quantize(bert(), "minmax:w8a8,products=4,keep=layer.0", [x]).report
    assert [(p.bits, p.reason) for p in kept.products] == [(None, "kept by keep=layer.0"), (4, "")]
    own = quantize(bert(), 'minmax:w8a8,products=4,layers="layer.1=w6a6"', [x]).report
    assert [p.bits for p in own.products] == [4, 6]


class Bare(nn.Module):
    """An attention of its own making."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 3)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(((q @ k.mT).softmax(-1) @ v).mean(1))


class Own(nn.MultiheadAttention):
    """A forward of its own, so that it stays whole."""

    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


class Closed(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.out = Own(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.attention(x, x, x)[0].mean(1))


def test_products_out_of_reach_are_named():
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    bare = Bare()
    report = quantize(bare, "minmax:w8a8", [x]).report
    assert [(p.kind, p.count, p.bits) for p in report.products] == [("matmul", 2, None)]
    assert [p.kind for p in quantize(Closed(), "minmax:w8a8", [x]).report.products] == ["closed"]
    for net in (bare, Closed()):
        with pytest.raises(SpecError, match=r"products=4: .* no attention .*Seen were the products"):
            quantize(net, "minmax:w8a8,products=4", [x])


def test_every_product_that_stays_float_stands_in_the_text():
    """Those that are low-bit are shortened, since a network's blocks are alike; what stayed float is named, one a line."""
    net = nn.Sequential(*(nn.Sequential(nn.Linear(8, 8), Attention(), Multiply()) for _ in range(4)))
    text = quantize(net, "minmax:w8a8,products=8", [torch.randn(2, 8, 8)]).report.table()
    assert "products, attention: operands at 8 bits: 0.1 … 3.1, 4 modules" in text
    assert "4 modules\n  0.2\n  1.2\n  2.2\n  3.2" in text
    kept = quantize(net, "minmax:w8a8", [torch.randn(2, 8, 8)]).report.table()
    assert all(f"\n  {i}.{j}\n" in kept + "\n" for i in range(4) for j in (1, 2))
    assert "(model) (2 products)" in quantize(Bare(), "minmax:w8a8", [torch.randn(2, 5, 8)]).report.table()


class Called(nn.Module):
    """One product, or what looks like one, of what a layer gives."""

    def __init__(self, product):
        super().__init__()
        self.layer, self.weight, self.product = nn.Linear(8, 8), nn.Parameter(torch.ones(8, 8)), product

    def forward(self, x):
        y = self.layer(x)
        return self.product(y, self.weight).flatten(1).sum(1, keepdim=True) + y.flatten(1)


PRODUCTS = {
    "linalg.matmul": lambda x, w: torch.linalg.matmul(x, x.mT),
    "keywords": lambda x, w: torch.matmul(input=x, other=x.mT),
    "multi_dot": lambda x, w: torch.linalg.multi_dot([x[0], x[0].T])[None].expand(2, -1, -1),
    "mm": lambda x, w: torch.mm(x[0], x[0].T)[None].expand(2, -1, -1),
    "Tensor.mm": lambda x, w: x[0].mm(x[0].T)[None].expand(2, -1, -1),
    "bmm": lambda x, w: x.bmm(x.mT),
    "inner": lambda x, w: torch.inner(x, x[0])[:, :, 0],
    "Tensor.inner": lambda x, w: x.inner(x[0])[:, :, 0],
    "tensordot": lambda x, w: torch.tensordot(x, x, dims=([2], [2]))[:, :, 0, 0],
    "einsum of a list": lambda x, w: torch.einsum("nik,njk->nij", [x, x]),
    "baddbmm": lambda x, w: torch.baddbmm(x.new_zeros(()), x, x.mT),
    "Tensor.baddbmm": lambda x, w: x.new_zeros(2, 4, 4).baddbmm(x, x.mT),
    "addmm": lambda x, w: torch.addmm(x.new_zeros(()), x[0], x[0].T)[None].expand(2, -1, -1),
    "addbmm": lambda x, w: torch.addbmm(x.new_zeros(()), x, x.mT)[None].expand(2, -1, -1),
}
NO_PRODUCTS = {
    "of a weight": torch.matmul,
    "of a weight, transposed": lambda x, w: x @ w.T,
    "of a weight, added to an activation": lambda x, w: torch.addmm(x[0], x[1], w)[None].expand(2, -1, -1),
    "of a weight, added to one named": lambda x, w: torch.addmm(input=x[0], mat1=x[1], mat2=w)[None].expand(2, -1, -1),
    "elementwise": lambda x, w: x * x,
}


@pytest.mark.parametrize("name", [*PRODUCTS, *NO_PRODUCTS])
def test_products_are_seen_however_they_are_called(name):
    net = Called((PRODUCTS | NO_PRODUCTS)[name])
    found = quantize(net, "minmax:w8a8", [torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))]).report.products
    assert [(p.name, p.kind, p.count, p.bits) for p in found] == [("", "matmul", 1, None)] * (name in PRODUCTS)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("reactnet:w1a1,products=same", "tells the channels of an input apart"),
        ("minmax:w8a8,products=few", "a number of bits, same or float"),
        ("minmax:w8a8,products=1", "1 bits were asked"),
        ("minmax:w8a8,embed=some", "float or word or all"),
    ],
)
def test_what_cannot_be_is_refused(recipe, says):
    with pytest.raises(SpecError, match=says):
        Recipe.parse(recipe)


def test_what_is_not_there_is_refused():
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(SpecError, match=r"has no nn\.Embedding"):
        quantize(net, "minmax:w8a8,embed=word", [torch.randn(2, 8)])
    assert quantize(net, "elastic:w1a1", [torch.randn(20, 8)]).report.products == ()  # by the method's own words alone
    with pytest.raises(ModelError, match="Hand in a batch"):
        insert(bert(), "bibert:w1a1")
    with pytest.raises(SpecError, match="not measured layer by layer"):
        kept_recipe(Recipe.parse("minmax:w4a4,products=same"))


def test_a_softmax_map_has_no_sign():
    with pytest.raises(SpecError, match=r"Attention .*map: it is never negative"):
        quantize(bert(), "bnn:w1a1,products=same", [tokens()])


def test_recipes_from_before_keep_their_names():
    """Ids of committed results hold the canonical text."""
    for text in ("lsq:w4a4", "minmax:w8a8,per=tensor", "reactnet:w1a1", "bnn:w1a1"):
        assert str(Recipe.parse(text)) == text and Recipe.parse(text).product_bits is None
    assert str(Recipe.parse("bibert:w1a1,products=same,embed=word")) == "bibert:w1a1"
    assert str(Recipe.parse("lsq:w4a4,products=same,embed=word")) == "lsq:w4a4,products=same,embed=word"


def test_modules_are_found_by_their_float_names():
    model = quantize(bert(), "bibert:w1a1", [tokens()]).model
    found, before = float_names(model), dict(bert().named_modules())
    assert set(before) <= set(found)
    query = found["net.bert.encoder.layer.1.attention.self.query"]
    assert isinstance(query, QuantLayer) and isinstance(found["net.bert.encoder.layer.1.attention.self"], QuantAttention)


def test_only_the_vocabulary_is_the_word_embedding():
    report = quantize(bert(), "minmax:w4a4,embed=word", [tokens()]).report
    low = [layer.name.rpartition(".")[2] for layer in report.layers if layer.type == "Embedding" and layer.changed]
    assert low == ["word_embeddings"]
    word = next(layer for layer in report.layers if layer.name.endswith("word_embeddings"))
    assert word.size_bytes == 60 * 32 // 2 + 60 * 4


def test_an_embedding_can_be_named():
    kept = quantize(bert(), "minmax:w4a4,embed=word,keep=word_embeddings", [tokens()]).report
    own = quantize(bert(), 'minmax:w4a4,embed=word,layers="word_embeddings=w8a8"', [tokens()]).report
    found = [next(layer for layer in report.layers if layer.name.endswith("word_embeddings")) for report in (kept, own)]
    assert not found[0].changed and found[0].reason == "kept by keep=word_embeddings" and found[1].w_bits == 8
    with pytest.raises(SpecError, match="word_embeddings"):
        quantize(bert(), "minmax:w4a4,embed=word,keep=nowhere", [tokens()])


@pytest.mark.parametrize("setting", ["keep=position_embeddings", 'layers="position_embeddings=w8a8"'])
@pytest.mark.parametrize("bits", ["w4a4,embed=word", "w32a8,embed=all"])
def test_a_pattern_that_would_change_nothing_is_refused(bits, setting):
    """The position embedding stays float under embed=word, and every embedding does where weights do."""
    with pytest.raises(SpecError, match="found in no layer's name"):
        quantize(bert(), f"minmax:{bits},{setting}", [tokens()])


@pytest.mark.parametrize("setting", ["keep=products", 'layers="products=w8a8"'])
def test_products_that_stay_float_cannot_be_named(setting):
    with pytest.raises(SpecError, match="found in no layer's name"):
        quantize(Mixed(), f"minmax:w4a4,products=8,{setting}", [torch.randn(2, 4, 8)])


class Mixed(nn.Module):
    """An attention, and a product of two activations outside of one."""

    def __init__(self):
        super().__init__()
        self.layer, self.attention, self.products = nn.Linear(8, 8), Attention(), Multiply()

    def forward(self, x):
        return self.products(self.attention(self.layer(x)))


class Attention(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x)


class Multiply(nn.Module):
    def forward(self, x):
        return x @ x.mT
