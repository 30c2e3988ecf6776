import inspect
from pathlib import Path

import pytest
import tiny_coco
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from bitproof.core import ModelError, SpecError, UnknownName
from bitproof.models import Detector, load, load_detector
from bitproof.models.detector_doors import _WITHOUT_EPS, frozen_

FILE = Path(tiny_coco.__file__)
SSD = "torchvision/ssdlite320_mobilenet_v3_large"


@pytest.fixture
def offline(monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("nothing may be fetched")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)


@pytest.mark.parametrize(("factory", "masks"), [("retina", False), ("mask", True)])
def test_a_file_gives_a_detector_of_one_picture_at_a_time(factory, masks):
    detector = load_detector(f"python:{FILE}#{factory}")
    assert (detector.has_masks, detector.classes) == (masks, tiny_coco.CLASSES)
    assert not detector.training and not any(p.requires_grad for p in detector.parameters())
    x = torch.rand(1, 3, 70, 90)
    with torch.no_grad():
        found, plain = detector(x), detector.net([x[0]])[0]
    assert found.keys() == plain.keys() and all(torch.equal(found[key], plain[key]) for key in plain)


def test_its_heads_answer_where_nothing_is_found():
    detector = load_detector(f"python:{FILE}#blind")
    x = torch.rand(1, 3, 64, 64)
    assert len(detector(x)["boxes"]) == 0
    (objectness, deltas), (scores, boxes), masks = detector(x, "heads")
    assert [len(level) for level in objectness] == [len(level) for level in deltas] == [1, 1]
    assert scores.shape == (12, tiny_coco.CLASSES) and boxes.shape == (12, 4 * tiny_coco.CLASSES) and len(masks) == 0
    (dense,) = detector(x, "dense")
    assert torch.equal(dense[0][0], objectness[0])
    with pytest.raises(SpecError, match="give='all'"):
        detector(x, "all")


def test_a_detector_without_such_heads_gives_what_it_found():
    class Plain(nn.Module):
        def forward(self, pictures):
            return [
                {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": p.sum()[None]} for p in pictures
            ]

    detector = Detector(Plain())
    assert detector(torch.ones(1, 3, 8, 8), "dense").keys() == {"boxes", "labels", "scores"} and detector.classes is None


def test_a_door_of_torchvision_fetches_nothing_for_random_weights(offline):
    detector = load_detector(f"{SSD}:pretrained=false,classes=5")
    assert detector.classes == 5 and not detector.has_masks
    again = load_detector(f"{SSD}:pretrained=false,classes=5")
    assert all(torch.equal(a, b) for a, b in zip(detector.state_dict().values(), again.state_dict().values(), strict=True))
    with pytest.raises(ModelError, match="weights=FILE"):
        load_detector(SSD)


def test_a_file_whose_norms_were_frozen_freezes_them(tmp_path, offline):
    plain = load_detector(f"{SSD}:pretrained=false,classes=5").net
    for name, buffer in plain.named_buffers():
        if name.endswith("running_mean"):
            buffer.fill_(0.05)
    state = {name: value.contiguous() for name, value in plain.state_dict().items()}
    save_file(state, tmp_path / "counted.safetensors")
    save_file({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, tmp_path / "frozen.safetensors")
    x = torch.rand(1, 3, 48, 64)
    heads = []
    for name in ("counted", "frozen"):
        detector = load_detector(f"{SSD}:weights={tmp_path / name}.safetensors,classes=5")
        norms = {type(m) for m in detector.modules() if isinstance(m, (nn.BatchNorm2d, FrozenBatchNorm2d))}
        assert norms == {nn.BatchNorm2d if name == "counted" else FrozenBatchNorm2d}
        with torch.no_grad():
            heads.append(detector(x, "dense")[0]["cls_logits"])
    torch.testing.assert_close(*heads, rtol=1e-3, atol=1e-4)  # the network's own ε was kept
    with pytest.raises(SpecError, match="Leave eps out"):
        load_detector(f"{SSD}:weights={tmp_path / 'counted.safetensors'},classes=5,eps=0")
    with pytest.raises(SpecError, match="no weights=FILE"):
        load_detector(f"{SSD}:pretrained=false,classes=5,eps=0")


def test_a_frozen_norm_has_the_numbers_of_the_one_before_and_the_eps_that_is_asked():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    net[1].running_mean.uniform_(-1, 1), net[1].running_var.uniform_(0.5, 2)
    x = torch.rand(2, 3, 5, 5)
    y = net(x)
    torch.testing.assert_close(frozen_(net, None)(x), y)
    assert net[1].eps == 1e-5
    assert frozen_(nn.Sequential(nn.BatchNorm2d(4)), 0.0)[0].eps == 0


def test_the_networks_without_eps_are_those_of_torchvision():
    names = models.list_models(module=models.detection)
    without = [name for name in names if "overwrite_eps(model, 0.0)" in inspect.getsource(models.get_model_builder(name))]
    assert sorted(without) == sorted(_WITHOUT_EPS)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("timm/resnet18", SpecError, "is no detector.*torchvision/NAME"),
        ("torchvision/resnet18", SpecError, "answers classes and no boxes.*maskrcnn_resnet50_fpn"),
        ("torchvision/maskrcn_resnet50_fpn", UnknownName, "Did you mean 'maskrcnn_resnet50_fpn'"),
        ("detectron:x", UnknownName, "bitproof list detectors"),
        ("python:x.py", SpecError, "FILE.py#FACTORY"),
        (f"python:{FILE}#classifier", ModelError, "is no detector: given a list"),
        (f"{SSD}:pretrained=false,min_size=64", ModelError, "cannot be built"),
    ],
)
def test_what_is_no_detector_is_refused(spec, error, message):
    with pytest.raises(error, match=message):
        load_detector(spec)


def test_an_answer_that_is_none_of_boxes_is_described():
    class Logits(nn.Module):
        def forward(self, pictures):
            return torch.stack(pictures).mean((2, 3))

    with pytest.raises(ModelError, match=r"it answers a tensor \(1, 3\)"):
        Detector(Logits(), "mine")


def test_a_grid_is_told_that_a_detector_is_none_of_its_models():
    with pytest.raises(SpecError, match=r"is a detector.*bitproof quantize"):
        load("torchvision/maskrcnn_resnet50_fpn:pretrained=false")
