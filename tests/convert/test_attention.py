"""Opened attentions: torch's own module is the oracle, over its arguments; what recipes then make of the projections."""

from copy import deepcopy
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from test_binary_layers import METHODS, by_hand, packed
from torch import nn
from torchvision.models import VisionTransformer

from bitproof.convert import OpenAttention, QuantAttention, QuantLayer, insert, quantize, versions
from bitproof.convert.rewrite import Rounded
from bitproof.core import ModelError, ShapeError, SpecError

N, L, S, E, HEADS = 2, 4, 5, 12, 3
CAUSAL = torch.ones(L, L).triu(1).bool()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def attention(seed=0, heads=HEADS, **words):
    """Biases are 0 at first, and would hide in which order they are."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.MultiheadAttention(E, heads, **words)
        for name, p in made.named_parameters():
            if "bias" in name:
                nn.init.normal_(p)
    return made.eval()


def opened(made):
    return insert(nn.Sequential(made, nn.Linear(2, 2)), "minmax:w8a8,fold=false").model[0]


def layers_as_they_are(found):
    """The opened module with its layers' float weights and inputs."""
    assert isinstance(found, OpenAttention)
    for name, layer in list(found.named_children()):
        setattr(found, name, layer.layer)
    return found


def pair(**words):
    made = attention(**words)
    return made, layers_as_they_are(opened(made))


def same(made, found, *args, **kwargs):
    for y, expected in zip(found(*args, **kwargs), made(*args, **kwargs), strict=True):
        assert (y is None) == (expected is None)
        if y is not None:
            assert y.shape == expected.shape
            torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-5)


def masks(length, keys, batch=N):
    some = draw(length, keys) > 0.5
    some[:, 0] = False
    each = draw(batch * HEADS, length, keys, seed=1) > 0.5
    each[:, :, 0] = False
    return {
        "none": None,
        "bool": some,
        "float": draw(length, keys),
        "bool 3-D": each,
        "float 3-D": draw(batch * HEADS, length, keys),
    }


def paddings(keys, *batch):
    some = torch.zeros(*batch, keys, dtype=torch.bool)
    some[..., -2:] = True
    return {"none": None, "bool": some, "float": draw(*batch, keys)}


WEIGHTS = ({"need_weights": False}, {}, {"average_attn_weights": False})
MODULES = {
    "plain": {},
    "no bias": {"bias": False},
    "widths": {"kdim": 7, "vdim": 6},
    "one width": {"vdim": 6, "bias": False},
    "appended": {"add_bias_kv": True, "add_zero_attn": True},
    "zero": {"add_zero_attn": True},
}


@pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning")
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("words", MODULES.values(), ids=MODULES)
@torch.no_grad()
def test_it_answers_as_torchs_module_does(words, batch_first):
    made, found = pair(batch_first=batch_first, **words)
    args = draw(N, L, E), draw(N, S, made.kdim, seed=2), draw(N, S, made.vdim, seed=3)
    args = args if batch_first else tuple(x.transpose(0, 1) for x in args)
    for mask, padding, weights in product(masks(L, S).values(), paddings(S, N).values(), WEIGHTS):
        same(made, found, *args, attn_mask=mask, key_padding_mask=padding, **weights)


@pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning")
@pytest.mark.parametrize("words", MODULES.values(), ids=MODULES)
@torch.no_grad()
def test_without_a_batch(words):
    made, found = pair(batch_first=True, **words)
    args = draw(L, E), draw(S, made.kdim, seed=2), draw(S, made.vdim, seed=3)
    for mask, padding, weights in product(masks(L, S, 1).values(), paddings(S).values(), WEIGHTS):
        same(made, found, *args, attn_mask=mask, key_padding_mask=padding, **weights)


@pytest.mark.parametrize("fast", [True, False])
@torch.no_grad()
def test_attention_to_itself_and_the_causal_hint(fast):
    """With an even number of heads torch takes its fast path in evaluation."""
    made = attention(heads=2, batch_first=True).train(not fast)
    found = layers_as_they_are(opened(made)).train(not fast)
    x = draw(N, L, E)
    for padding, weights in product((None, paddings(L, N)["bool"]), WEIGHTS):
        same(made, found, x, x, x, key_padding_mask=padding, **weights)
        same(made, found, x, x, x, key_padding_mask=padding, attn_mask=CAUSAL, is_causal=True, **weights)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_dropout_and_gradients(weights):
    made = attention(dropout=0.4, batch_first=True)
    found = layers_as_they_are(opened(made)).train()
    made.train()
    gradients = []
    for module in (made, found):
        x = draw(N, L, E).requires_grad_()
        torch.manual_seed(3)
        y, m = module(x, x, x, **weights)
        (y.sum() + (0 if m is None else m.square().sum())).backward()
        gradients.append((y.detach(), x.grad, m))
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-5)
    expected = made.in_proj_weight.grad
    got = torch.cat([getattr(found, f"{each}_proj").weight.grad for each in "qkv"])
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(found(x, x, x)[0], found.eval()(x, x, x)[0])


def test_the_users_module_stays():
    made = attention(batch_first=True)
    before = {name: p.clone() for name, p in made.named_parameters()}
    quantize(made, "minmax:w2a2,first=same,last=same", [(draw(N, L, E),) * 3])
    assert type(made) is nn.MultiheadAttention and all(torch.equal(p, before[name]) for name, p in made.named_parameters())


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"is_causal": True}, ModelError, "no attn_mask"),
        ({"attn_mask": torch.zeros(1, L)}, ShapeError, "attn_mask is 1×4; 4×4 or 6×4×4"),
        ({"key_padding_mask": torch.zeros(L, dtype=torch.bool)}, ShapeError, "key_padding_mask is 4; 2×4"),
    ],
)
def test_masks_that_do_not_fit_are_refused(words, error, message):
    _, found = pair(batch_first=True)
    x = draw(N, L, E)
    with pytest.raises(error, match=message):
        found(x, x, x, **words)


class Own(nn.MultiheadAttention):
    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


class Block(nn.Module):
    def __init__(self, made):
        super().__init__()
        self.attention, self.head = made, nn.Linear(E, 2)

    def forward(self, x):
        return self.head(self.attention(x, x, x)[0])


def shared():
    block = Block(attention(batch_first=True))
    block.other = attention(batch_first=True)
    block.other.in_proj_weight = block.attention.in_proj_weight
    return block


def hooked():
    block = Block(attention(batch_first=True))
    block.attention.register_forward_hook(lambda module, args, y: None)
    return block


def computed():
    return Block(nn.utils.parametrizations.weight_norm(attention(batch_first=True), "in_proj_weight"))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Block(Own(E, HEADS, batch_first=True)), "it has a forward of its own"),
        (shared, "its packed weights are shared"),
        (hooked, "hooks are attached to it"),
        (computed, "its weight is computed (a parametrization)"),
    ],
    ids=["own", "shared", "hooked", "computed"],
)
def test_what_cannot_be_opened_stays_whole_and_says_why(make, why):
    model, report = quantize(make().eval(), "minmax:w8a8", [draw(N, L, E)])
    lines = {layer.name: layer for layer in report.layers}
    assert isinstance(model.attention, nn.MultiheadAttention) and lines["head"].changed
    assert lines["attention"].reason == f"nn.MultiheadAttention reads its packed weights without calling a layer: {why}"
    assert lines["attention.out_proj"].reason == "nn.MultiheadAttention reads its weight without calling it"
    assert [each.kind for each in report.products] == ["closed"] and versions(make()) == ()


def vit():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = VisionTransformer(image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=E, mlp_dim=24, num_classes=3)
        nn.init.normal_(net.heads.head.weight)
    return net.eval(), draw(N, 3, 16, 16)


def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(E, 2, 24, dropout=0.0, batch_first=True)
        return nn.Sequential(nn.Linear(E, E), nn.TransformerEncoder(layer, 2), nn.Linear(E, 3)).eval(), draw(N, L, E)


def decoder():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.body = nn.Linear(E, E), nn.TransformerDecoderLayer(E, HEADS, 24, dropout=0.0, batch_first=True)
            self.head = nn.Linear(E, 3)

        def forward(self, x):
            return self.head(self.body(x, self.stem(x), tgt_mask=CAUSAL, tgt_is_causal=True))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net().eval(), draw(N, L, E)


NETWORKS = {"vit": vit, "encoder": encoder, "decoder": decoder}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_networks_of_torch_are_low_bit_as_a_whole(make):
    net, x = make()
    assert versions(net) == ("open attention 1",) and versions(nn.Linear(2, 2)) == ()
    model, report = quantize(net, "minmax:w8a8", [x])
    names = {layer.name for layer in report.layers if layer.changed}
    held = [name for name, module in net.named_modules() if isinstance(module, nn.MultiheadAttention)]
    wanted = {f"{name}.{each}_proj" for name in held for each in ("q", "k", "v", "out")}
    assert wanted < names and len(held) == 2
    assert {each.reason for each in report.layers if not each.changed} <= {
        "normalisation stays float", "Encoder is no conv or linear layer", "VisionTransformer is no conv or linear layer"
    }  # fmt: skip
    assert report.float_bytes == 4 * sum(p.numel() for p in net.parameters())
    with torch.no_grad():
        y, expected = model(x), net(x)
        assert float((y - expected).abs().max()) < 0.1 * float(expected.abs().max())
        torch.testing.assert_close(model.train()(x), y)
    binary, told = quantize(net, "bnn:w1a1", [x])
    assert {layer.name for layer in told.layers if layer.w_bits == 1} >= wanted and "q_proj" in str(told)
    assert len(told.replaced) == (0 if make is vit else len(held) if make is encoder else 1)
    F.cross_entropy(binary.train()(x).reshape(-1, 3), torch.zeros(binary(x).numel() // 3, dtype=torch.long)).backward()
    layers = [module for module in binary.modules() if isinstance(module, QuantLayer)]
    assert all(layer.layer.weight.grad is not None and layer.layer.weight.grad.any() for layer in layers)
    assert set(binary.eval().state_dict()) == set(insert(net, "bnn:w1a1", x).model.state_dict())


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("method", ["minmax:w8a8,products=8", "ptq4vit:w6a6"])
def test_products_of_an_opened_attention_are_met(make, method):
    net, x = make()
    model, report = quantize(net, method, [x])
    assert [(each.kind, each.count, each.bits is not None) for each in report.products] == [("attention", 1, True)] * 2
    assert sum(isinstance(module, QuantAttention) for module in model.modules()) == 2
    with torch.no_grad():
        assert float((model(x) - net(x)).abs().max()) < 0.3 * float(net(x).abs().max())


def test_the_map_that_is_returned_is_the_one_that_was_used():
    x = draw(N, L, E)
    model = quantize(Block(attention(batch_first=True)), "minmax:w8a8,products=2", [x]).model
    with torch.no_grad():
        m = model.attention(x, x, x, average_attn_weights=False)[1]
        y = model.attention(x, x, x, need_weights=False)[0]
        torch.testing.assert_close(model.attention(x, x, x)[0], y)
    assert len(m.unique()) <= 4 and m.shape == (N, HEADS, L, L)


def test_no_short_cut_is_taken_past_the_projections_alone():
    """What follows them is kept float here, so that no other layer's hook stops torch's fast path."""
    net, x = encoder()
    model = quantize(net, 'minmax:w2a2,first=same,last=same,keep="^0|^2|linear"', [x]).model
    padded = torch.zeros(N, L, dtype=torch.bool)
    padded[1, -2:] = True
    with torch.no_grad():
        for kwargs in ({}, {"src_key_padding_mask": padded}):
            short, long, plain = model[1].eval()(x, **kwargs), model[1].train()(x, **kwargs), net[1](x, **kwargs)
            torch.testing.assert_close(short, long)
            assert not torch.allclose(short[~padded], plain[~padded], atol=1e-2)


def test_without_a_sample_the_projections_are_read_from_the_graph():
    net, x = vit()
    report = insert(net, "minmax:w8a8").report
    assert {layer.name: layer.changed for layer in report.layers} == {
        layer.name: layer.changed for layer in insert(net, "minmax:w8a8", x).report.layers
    }


def test_half_precision_sums_the_products_in_float32():
    x = draw(N, L, E)
    model = quantize(Block(attention(batch_first=True)), "minmax:w8a8", [x]).model
    with torch.no_grad():
        torch.testing.assert_close(Rounded(deepcopy(model), torch.float16)(x), model(x), atol=0.1, rtol=0.05)


@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_every_binarization_on_every_projection(method):
    """Of a cross attention with widths of its own: what torch computes from the signs by hand, and from packed bits."""
    made = attention(kdim=8, vdim=10, batch_first=True)
    args = draw(N, L, E), draw(N, S, 8, seed=2), draw(N, S, 10, seed=3)
    found = quantize(made, f"{method}:w1a1,first=same,last=same", [args]).model
    seen = {}
    for name, layer in found.named_children():
        layer.register_forward_hook(lambda layer, args, y, name=name: seen.__setitem__(name, (layer, args[0], y)))
    found(*args, need_weights=False)
    assert list(seen) == ["q_proj", "k_proj", "v_proj", "out_proj"]
    for layer, x, y in seen.values():
        assert layer.weight_quantizer.info().bits == layer.input_quantizer.info().bits == 1
        torch.testing.assert_close(y, by_hand(layer, x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(y, packed(layer, x), rtol=1e-5, atol=1e-5)


def test_keep_names_a_projection():
    net, x = encoder()
    report = quantize(net, "minmax:w8a8,keep=v_proj", [x]).report
    assert [layer.name for layer in report.layers if layer.reason == "kept by keep=v_proj"] == [
        f"1.layers.{i}.self_attn.v_proj" for i in range(2)
    ]
    with pytest.raises(SpecError, match="found in no layer's name"):
        quantize(net, "minmax:w8a8,keep=in_proj", [x])


@pytest.mark.parametrize("name", ["bias_k", "bias_v"])
def test_a_bias_that_is_computed_keeps_the_module_whole(name):
    made = attention(add_bias_kv=True)
    nn.utils.parametrize.register_parametrization(made, name, nn.Identity())
    with pytest.raises(ModelError, match="its bias is computed"):
        insert(nn.Sequential(made), "minmax:w8a8,fold=false")
