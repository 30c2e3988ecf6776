"""Bits of their own for layers, single layers switched, and the use of a size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import Residual, lively

from bitproof.convert import (
    QuantLayer,
    Recipe,
    Switch,
    Switched,
    check_budget,
    chosen,
    insert,
    keeping,
    kept_recipe,
    quantize,
    switches,
    with_own,
)
from bitproof.core import SpecError

LOW = Recipe.parse("mse:w4a4,first=same,last=same")


def pictures(n=4, seed=1):
    return torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def bits(report):
    return {layer.name: (layer.w_bits, layer.a_bits) for layer in report.layers if layer.changed}


def test_layers_get_bits_of_their_own():
    report = quantize(Residual(), 'mse:w4a4,layers="tw=w8a6;stem|twice=w6a6"', [pictures()]).report
    assert bits(report) == {"head": (8, 8), "twice": (8, 6), "branch": (4, 4), "stem": (6, 6)}  # the first found; before first=8
    assert next(layer for layer in report.layers if layer.name == "stem").reason == "bits by layers: stem|twice"
    assert "tw w8a6, stem|twice w6a6" in report.defaults
    by_name = {layer.name: layer.size_bytes for layer in report.layers}
    plain = {layer.name: layer.size_bytes for layer in insert(Residual(), "mse:w4a4", pictures()).report.layers}
    assert by_name["twice"] - plain["twice"] == 8 * 8 * 9 // 2 and by_name["branch"] == plain["branch"]


def test_the_quantizers_have_the_bits_of_the_report():
    model = quantize(Residual(), 'mse:w4a4,layers="branch=w7a5"', [pictures()]).model
    branch = next(m for m in model.modules() if isinstance(m, QuantLayer) and m.name == "branch")
    assert (branch.weight_quantizer.bits, branch.input_quantizer.bits) == (7, 5)


def test_keep_comes_before_layers():
    report = quantize(Residual(), 'mse:w4a4,keep=twice,layers="twice|branch=w8a8"', [pictures()]).report
    assert bits(report) == {"head": (8, 8), "branch": (8, 8), "stem": (8, 8)}


def test_a_pattern_without_a_layer_is_refused():
    with pytest.raises(SpecError, match=r"'tail' is found in no layer's name\. Layers: stem"):
        quantize(Residual(), 'mse:w4a4,layers="twice=w8a8;tail=w8a8"', [pictures()])


def test_a_switched_network_is_what_its_recipe_gives():
    model, batches, x = lively(Residual()), [pictures()], pictures(seed=2)
    kept = kept_recipe(LOW)
    low, high = quantize(model, LOW, batches), quantize(model, kept, batches)
    found = switches(low.report, high.report)
    assert [each.name for each in found] == ["head", "twice", "branch", "stem"]
    known = [layer.name for layer in low.report.layers]
    switched = Switched(high.model, low.model)
    with torch.no_grad():
        before = switched.model(x)
        for each in found:
            switched.set_([each.name])
            alone = quantize(model, with_own(kept, [each.name], each.bits, known), batches)
            assert torch.equal(switched.model(x), alone.model(x))
            assert high.report.size_bytes - alone.report.size_bytes == each.saved_bytes > 0
            assert not torch.equal(switched.model(x), before)
        switched.set_(["stem", "head"])
        both = quantize(model, keeping(LOW, ["branch", "twice"], known), batches).model
        assert torch.equal(switched.model(x), both(x))
        switched.set_([])
        assert torch.equal(switched.model(x), before)


def test_ends_that_have_eight_bits_anyway_are_not_measured():
    low, high = (insert(Residual(), recipe, pictures()).report for recipe in (Recipe.parse("mse:w4a4"), Recipe.parse("mse:w8a8")))
    assert [each.name for each in switches(low, high)] == ["twice", "branch"]


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("lsq:w4a4", "is trained"),
        ("bireal:w1a1", "is trained"),
        ("adaround:w4a4", "layers before it"),
        ("fp32", "no low-bit layer"),
        ("mse:w8a8", "no fewer than 8"),
    ],
)
def test_what_has_nothing_to_keep_is_refused(recipe, says):
    with pytest.raises(SpecError, match=says):
        kept_recipe(Recipe.parse(recipe))


def test_a_float_side_stays_float():
    assert str(kept_recipe(Recipe.parse("mse:w4a32"))) == "mse:w8a32"
    assert str(kept_recipe(Recipe.parse("mse:w3a8,first=same"))) == "mse:w8a8,first=same"


def test_names_are_found_exactly():
    known = ["a.b", "a.bc", "c"]
    assert with_own(LOW, ["c"], (8, 8), known).layers == "^(c)$=w8a8"
    (pattern, _), *rest = with_own(Recipe.parse('mse:w4a4,layers="c=w6a6"'), ["a.b"], (8, 8), known).own_bits
    assert pattern == r"^(a.b)$" and rest == [("c", (6, 6))]
    assert with_own(LOW, ["a.b"], (8, 8), [*known, "a_b"]).layers == r"^(a\.b)$=w8a8"
    recipe = with_own(LOW, ["a.b"], (8, 8), [*known, "a_b"])
    assert Recipe.parse(str(recipe)) == recipe
    assert with_own(LOW, [], (8, 8), known) == LOW


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.floats(-1, 1)), min_size=1, max_size=8),
    st.integers(0, 4000),
)
def test_what_is_chosen_fits_and_gains(layers, room):
    found = [Switch(str(i), (4, 4), saved) for i, (saved, _) in enumerate(layers)]
    gains = {str(i): gain for i, (_, gain) in enumerate(layers)}
    saved = {each.name: each.saved_bytes for each in found}
    names = chosen(found, gains, room)
    spare = room - sum(saved[name] for name in names)
    assert spare >= 0 and all(gains[name] > 0 for name in names)
    assert all(saved[name] > spare for name in saved if name not in names and gains[name] > 0)


def test_the_gain_a_byte_decides():
    found = [Switch("dear", (4, 4), 900), Switch("cheap", (4, 4), 100)]
    gains = {"dear": 0.8, "cheap": 0.2}
    assert chosen(found, gains, 950) == ["cheap"]
    assert chosen(found, gains, 1000) == ["cheap", "dear"]


def test_too_small_a_size_is_refused():
    check_budget(100, 100)
    with pytest.raises(SpecError, match=r"0\.0001 MB"):
        check_budget(100, 99)
