"""A planted fragile layer is found, and kept within a size."""

import numpy as np
import pytest

from bitproof.bench import layerwise, sensitivity
from bitproof.bench.inputs import INPUTS
from bitproof.core import DataError, ModelError, SpecError
from bitproof.noises import expand, noise

# The classes of the pictures differ by which colour is dark. In `fragile` a large weight reads a channel that is always 0: the
# float network does not notice, but with four bits of min-max every other weight becomes 0.
MODEL = """
from collections import OrderedDict

import torch
from torch import nn


def build():
    names = ("stem", "sturdy", "fragile")
    net = nn.Sequential(
        OrderedDict(
            [(name, nn.Conv2d(3 if name == "stem" else 4, 4, 1, bias=False)) for name in names]
            + [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("head", nn.Linear(4, 4))]
        )
    )
    with torch.no_grad():
        for name in names:
            weight = getattr(net, name).weight
            weight.zero_()
            for i in range(3):
                weight[i, i] = 1
        net.fragile.weight[:3, 3] = 20
        net.head.weight.zero_()
        net.head.bias.zero_()
        net.head.bias[0] = 0.4
        for logit, colour in ((1, 1), (2, 2), (3, 0)):
            net.head.weight[logit, colour] = -1
    return net
"""
RECIPE = "minmax:w4a8"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    path = tmp_path_factory.mktemp("planted") / "planted.py"
    path.write_text(MODEL)
    return f"python:{path}#build,size=32,mean=imagenet,std=imagenet,classes=4"


def measured(planted, pictures, recipe=RECIPE, noises=("pixelate:2",), **words):
    return sensitivity(planted, recipe, f"imagefolder:{pictures}", noises, **{"limit": 24, "n": 12, **words})


def test_the_fragile_layer_is_found_and_kept(planted, pictures):
    found = measured(planted, pictures, max_mb=0.0002)
    assert [network.kind for network in found.networks] == ["float", "kept", "low", "layer", "layer", "suggested"]
    sturdy, fragile = found.of("layer")
    assert (sturdy.layer[-6:], fragile.layer[-7:]) == ("sturdy", "fragile")
    for score in fragile.scores:
        assert score.n == 24 and score.drop > 50 and score.drop_low > 30 and score.loss_rise > 0.3
    assert all(abs(score.drop) < 5 for score in sturdy.scores)
    assert [score.noise for score in fragile.scores] == ["clean", "pixelate:2"]
    (suggested,) = found.of("suggested")
    assert "fragile" in suggested.recipe and "sturdy" not in suggested.recipe
    assert suggested.size_bytes <= 200 and suggested.scores[0].accuracy > 95 > 50 > found.of("low")[0].scores[0].accuracy


def test_its_figures_are_those_of_the_recipe_that_it_names(planted, pictures):
    """A layer's line and the measurement of its pasted recipe are one network."""
    sturdy, fragile = measured(planted, pictures, noises=()).of("layer")
    again = measured(planted, pictures, recipe=fragile.recipe.replace("w8a8,", "w4a8,", 1), noises=())
    (only,) = again.of("layer")
    assert only.layer == sturdy.layer
    assert again.of("kept")[0].scores[0].accuracy == fragile.scores[0].accuracy


def test_what_is_suggested_is_measured_on_pictures_that_nothing_was_chosen_on(planted, pictures):
    found = measured(planted, pictures, max_mb=0.0002, limit=16)
    assert [network.kind for network in found.networks if network.fresh] == ["float", "kept", "low", "suggested"]
    ((old,), (new,)) = (found.of("suggested", fresh) for fresh in (False, True))
    assert (old.recipe, old.size_bytes, old.bits) == (new.recipe, new.size_bytes, new.bits) and new.scores[0].n == 16
    assert new.scores[0].accuracy > 90 > 50 > found.of("low", True)[0].scores[0].accuracy
    assert all(score.drop == 0 and score.loss_rise == 0 for score in found.of("kept", True)[0].scores)
    assert found.of("kept", True)[0].scores[0].loss_rise == 0 and found.frame().filter("fresh").height == 4 * 2


def test_other_pictures_are_others_and_the_first_stay_what_they_were(planted, pictures, monkeypatch):
    asked = []
    under = layerwise._Bench._under
    monkeypatch.setattr(
        layerwise._Bench,
        "_under",
        lambda self, spec, keys, net, samples: asked.append(samples) or under(self, spec, keys, net, samples),
    )
    measured(planted, pictures, noises=(), max_mb=0.0002, limit=16)
    first, again, fresh = ([sample.id for sample in samples] for samples in asked)
    assert first == again and len(fresh) == 16 and not set(first) & set(fresh)


def test_without_a_noise_the_usual_one_is_taken(planted, pictures):
    found = measured(planted, pictures, noises=None)
    assert [score.noise for score in found.networks[0].scores] == ["clean", "gaussian_noise:3"]
    alone = measured(planted, pictures, noises=("clean",))
    assert [score.noise for score in alone.networks[0].scores] == ["clean"]


@pytest.mark.parametrize("kind", INPUTS)
def test_every_kind_of_input_has_a_usual_noise(kind):
    spec = INPUTS.load(kind).usual
    assert noise(spec).site not in ("tensor", "model") and expand(spec) and spec.endswith(":3")


def test_a_size_that_allows_nothing_more_gives_the_recipe_itself(planted, pictures):
    found = measured(planted, pictures, noises=())
    low = found.of("low")[0]
    least = measured(planted, pictures, noises=(), max_mb=low.size_bytes / 1e6).of("suggested")[0]
    assert (least.recipe, least.size_bytes) == (low.recipe, low.size_bytes) and least.scores == low.scores


def test_the_frame_has_a_row_a_network_and_noise(planted, pictures):
    frame = measured(planted, pictures).frame()
    assert frame.height == 5 * 2 and {"recipe", "layer", "noise", "drop", "drop_low", "drop_high", "saved_bytes"} <= set(
        frame.columns
    )
    kept = frame.filter(kind="kept")
    assert np.allclose(kept["drop"].to_numpy(), 0) and kept["saved_bytes"].to_list() == [0, 0]


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        ({"recipe": "lsq:w4a4"}, SpecError, "trained"),
        ({"recipe": "minmax:w8a8"}, SpecError, "no fewer than 8"),
        ({"recipe": 'minmax:w4a4,layers="sturdy|fragile=w8a8"'}, ModelError, "no layer"),
        ({"noises": ("pgd-linf:eps=8/255",)}, SpecError, "no noise on samples"),
        ({"noises": ("fogg:3",)}, SpecError, "Did you mean"),
        ({"max_mb": 0.00001}, SpecError, "too few"),
        ({"limit": 1000}, DataError, "1000 pictures"),
    ],
)
def test_bad_input_is_refused(planted, pictures, words, error, says):
    with pytest.raises(error, match=says):
        measured(planted, pictures, **words)
