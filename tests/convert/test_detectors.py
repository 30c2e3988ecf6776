import pytest
import tiny_coco
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from bitproof.convert import WEIGHTED, QuantLayer, calibrate, insert, quantize
from bitproof.core import BitproofError
from bitproof.models import Detector


def batches(count=2):
    draws = torch.Generator().manual_seed(0)
    return [{"x": torch.rand(1, 3, 64 + 8 * i, 72, generator=draws), "give": "heads"} for i in range(count)]


@pytest.mark.parametrize("factory", [tiny_coco.retina, tiny_coco.mask])
def test_every_layer_of_a_detector_is_made_low_bit_and_its_frozen_norms_are_folded(factory):
    detector = Detector(factory())
    given = batches()
    sample = {**given[0], "give": "dense"}
    model, report = quantize(detector, "mse:w4a4", given, sample)
    weighted = [name for name, m in detector.named_modules() if isinstance(m, WEIGHTED)]
    assert [layer.name for layer in report.layers if layer.changed] == weighted
    assert {m.name for m in model.modules() if isinstance(m, QuantLayer)} == {*weighted}
    assert len(report.folded) == 4 and not any(isinstance(m, FrozenBatchNorm2d) for m in model.modules())
    heads, rounded = (torch.cat([t.flatten() for t in flat(net(**sample))]) for net in (detector, model))
    assert heads.shape == rounded.shape and not torch.allclose(heads, rounded, rtol=1e-3)


def flat(found):
    return (
        [found]
        if isinstance(found, torch.Tensor)
        else [t for part in (found.values() if isinstance(found, dict) else found) for t in flat(part)]
    )


def test_folding_frozen_norms_moves_nothing():
    detector = Detector(tiny_coco.retina())
    sample = {"x": torch.rand(1, 3, 64, 80), "give": "dense"}
    model, report = insert(detector, "minmax:w8a8", sample)
    for layer in (m for m in model.modules() if isinstance(m, QuantLayer)):
        layer.weight_quantizer = layer.input_quantizer = None
    assert len(report.folded) == 4
    with torch.no_grad():
        for a, b in zip(flat(detector(**sample)), flat(model(**sample)), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_frozen_norm_is_folded_out_of_a_graph_too():
    norm = FrozenBatchNorm2d(4)
    norm.running_var.fill_(4.0)
    _, report = insert(nn.Sequential(nn.Conv2d(3, 4, 1), norm), "minmax:w8a8")
    assert report.folded == (("1", "0"),)


def test_a_head_that_is_shared_by_levels_has_the_range_of_all_of_them():
    detector = Detector(tiny_coco.retina())
    seen = []
    logits = detector.net.head.classification_head.cls_logits
    logits.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach()))
    given = batches(1)
    detector(**given[0])
    model, _ = quantize(detector, "minmax:w8a8,symmetric=true", given)
    layer = model.net.head.classification_head.cls_logits
    largest = max(float(x.max()) for x in seen)
    assert len(seen) >= 2 and float(layer.input_quantizer.step()) == pytest.approx(largest / 255, rel=1e-3)


def test_a_detector_of_torchvision_is_converted_as_it_is_with_lists_of_pictures():
    net = tiny_coco.retina().eval()
    pictures = [([torch.rand(3, 64, 80), torch.rand(3, 72, 64)],), ([torch.rand(3, 64, 64)],)]
    model, report = quantize(net, "minmax:w8a8", pictures)
    assert sum(layer.changed for layer in report.layers) == sum(isinstance(m, WEIGHTED) for m in net.modules())
    assert len(model([torch.rand(3, 70, 64)])) == 1


def test_a_head_that_is_given_no_boxes_is_named():
    with pytest.raises(BitproofError, match=r"mask_head.*given nothing.*finds something"):
        quantize(Detector(tiny_coco.blind()), "minmax:w8a8", batches(), {**batches()[0], "give": "dense"})


def test_a_low_bit_detector_finds_nothing_without_failing():
    model, _ = quantize(Detector(tiny_coco.mask()), "mse:w8a8", batches(), {**batches()[0], "give": "dense"})
    model.net.roi_heads.score_thresh = 1.0
    assert len(model(torch.rand(1, 3, 64, 64))["masks"]) == 0


@pytest.mark.parametrize("recipe", ["ptq4vit:w8a8,candidates=2,rounds=1,products=float", "lsq:w4a4"])
def test_ranges_may_be_chosen_by_what_the_heads_answer(recipe):
    detector = Detector(tiny_coco.mask())
    model, _ = quantize(detector, recipe, batches(1), {**batches(1)[0], "give": "dense"})
    found = model(torch.rand(1, 3, 64, 64))
    assert all(torch.isfinite(found[key].float()).all() for key in ("boxes", "scores", "masks"))


def test_calibrating_anew_still_names_a_head_without_boxes():
    model, _ = insert(Detector(tiny_coco.blind()), "minmax:w8a8", {**batches()[0], "give": "dense"})
    with pytest.raises(BitproofError, match="mask_head"):
        calibrate(model, batches(1))
