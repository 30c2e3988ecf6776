import json
import re
from pathlib import Path

import numpy as np
import pytest
import tiny_coco
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from bitproof.bench import quantize_detector
from bitproof.bench.detecting import answering
from bitproof.convert import WEIGHTED, Recipe
from bitproof.core import DataError, ModelError, SpecError, UnknownName
from bitproof.models import Detector
from bitproof.results import precision

FILE = Path(tiny_coco.__file__)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Four pictures, two more to calibrate on, and the weights of a detector that knows them all."""
    root = tmp_path_factory.mktemp("coco")
    data = tiny_coco.folder(root, 4)
    tiny_coco.folder(root, 2, "train2017", seed=1)
    net = tiny_coco.trained(data, root / "val2017")
    save_file(net.state_dict(), root / "retina.safetensors")
    return root


def retina(root):
    return f"python:{FILE}#retina,weights={root / 'retina.safetensors'}"


def test_eight_bits_keep_the_precision_of_a_detector_that_learned_its_pictures(root, tmp_path):
    found = quantize_detector(retina(root), "mse:w8a8", f"coco:{root},split=train2017", None, tmp_path, f"coco:{root}")
    assert found.n == 4 and found.left_out == 0
    (full,), (low,) = found.full, found.low
    assert full.of == low.of == "boxes" and full.ap > 40 and abs(full.ap - low.ap) < 10
    written = json.loads((tmp_path / "precision.json").read_text())
    assert written["n"] == 4 and written["low"][0]["ap"] == low.ap and "report" not in written
    assert json.loads((tmp_path / "report.json").read_text())["recipe"] == found.report.recipe
    assert load_file(tmp_path / "model.safetensors")


def test_a_binarized_detector_leaves_what_bibench_reads(root, tmp_path):
    found = quantize_detector(retina(root), "bireal:w1a1", f"coco:{root},split=train2017", None, tmp_path, f"coco:{root},first=2")
    bits = {(layer.w_bits, layer.a_bits) for layer in found.report.layers if layer.changed}
    assert bits == {(1, 1)} and all(layer.reason for layer in found.report.layers if not layer.changed)
    (row,) = precision(tmp_path).iter_rows(named=True)
    assert row["model"].startswith("python:") and (row["recipe"], row["task"]) == ("bireal:w1a1", f"coco:{root},first=2")
    assert (row["of"], row["n"], row["ap_float"], row["ap"]) == ("boxes", 2, found.full[0].ap, found.low[0].ap)
    assert row["ap_float"] > row["ap"] >= 0


def test_two_bits_lose_it(root):
    found = quantize_detector(retina(root), "mse:w2a2,last=same", f"coco:{root},split=train2017", 1, None, f"coco:{root}")
    assert found.low[0].ap < found.full[0].ap - 20


def test_a_detector_with_masks_has_figures_of_both(root):
    found = quantize_detector(f"python:{FILE}#mask", "mse:w4a4", f"coco:{root},split=train2017,first=2", None, None, f"coco:{root}")
    assert [each.of for each in found.full] == [each.of for each in found.low] == ["boxes", "masks"]
    assert [layer.name for layer in found.report.layers if not layer.changed] == []
    ends = {layer.name.rpartition(".")[2] for layer in found.report.layers if layer.w_bits == 8}
    assert ends == {"0", "cls_logits", "bbox_pred", "cls_score", "mask_fcn_logits"}  # 0: the stem
    boxes = quantize_detector(f"python:{FILE}#mask", "mse:w8a8", f"coco:{root}", 1, None, f"coco:{root},masks=false,first=2")
    assert [each.of for each in boxes.low] == ["boxes"] and boxes.n + boxes.left_out == 2


def test_what_is_calibrated_on_is_not_evaluated(root, tmp_path):
    found = quantize_detector(retina(root), "minmax:w8a8", f"coco:{root}", 1, None, f"coco:{root}")
    assert (found.n, found.left_out) == (3, 1)
    with pytest.raises(DataError, match="none is left"):
        quantize_detector(retina(root), "minmax:w8a8", f"coco:{root}", None, None, f"coco:{root}")
    (tmp_path / "photos").symlink_to(root / "val2017")
    found = quantize_detector(retina(root), "minmax:w8a8", f"imagefolder:{tmp_path}", 3, None, f"coco:{root}")
    assert (found.n, found.left_out) == (1, 3)


def test_ranges_may_be_set_on_any_pictures_and_nothing_need_be_evaluated(root, tmp_path):
    (tmp_path / "any").mkdir()
    for i in range(2):
        Image.fromarray(np.full((64, 70, 3), 90 + 60 * i, np.uint8)).save(tmp_path / "any" / f"{i}.png")
    found = quantize_detector(retina(root), "minmax:w8a8", f"imagefolder:{tmp_path}", 2)
    assert found.full == found.low == () and all(layer.changed for layer in found.report.layers)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("mse:w4a4", "w8a8"),
        ("mse:w4a4,last=6", "w6a6"),
        ("mse:w4a32", "w8a32"),
        ("mse:w4a4,last=float", "keep"),
        ("mse:w4a4,last=same", None),
        ("mse:w8a8", None),
        ("fp32", None),
    ],
)
def test_what_a_recipe_says_of_the_last_layer_holds_for_all_predictors(recipe, expected):
    detector = Detector(tiny_coco.mask())
    asked = Recipe.parse(recipe)
    made = answering(asked, detector)
    predictors = [
        "rpn.head.cls_logits",
        "rpn.head.bbox_pred",
        *(f"roi_heads.box_predictor.{n}" for n in ("cls_score", "bbox_pred")),
    ]
    if expected is None:
        assert made == asked
        return
    assert Recipe.parse(str(made)) == made and made != asked
    pattern = made.keep if expected == "keep" else made.own_bits[0][0]
    assert expected == "keep" or f"w{made.own_bits[0][1][0]}a{made.own_bits[0][1][1]}" == expected

    names = [name for name, m in detector.named_modules() if isinstance(m, WEIGHTED) and re.search(pattern, name)]
    assert names == [f"net.{name}" for name in (*predictors, "roi_heads.mask_predictor.mask_fcn_logits")]


def test_predictors_whose_last_word_is_no_name_are_named_in_full():
    """As in SSD, where they are numbered."""
    net = nn.ModuleDict({"stem": nn.Sequential(nn.Conv2d(3, 4, 1)), "head": nn.ModuleDict()})
    for kind in ("classification_head", "regression_head"):
        net["head"][kind] = nn.ModuleDict({"module_list": nn.ModuleList([nn.Conv2d(4, 4, 1) for _ in range(2)])})
    ((pattern, bits),) = answering(Recipe.parse("mse:w4a4"), net).own_bits
    names = [name for name, m in net.named_modules() if isinstance(m, WEIGHTED) and re.search(pattern, name)]
    assert bits == (8, 8) and names == [
        f"head.{kind}_head.module_list.{i}" for kind in ("classification", "regression") for i in (0, 1)
    ]


def test_a_recipe_is_printed_with_the_last_words_of_the_predictors():
    made = answering(Recipe.parse("mse:w4a4"), Detector(tiny_coco.retina()))
    assert str(made) == 'mse:w4a4,layers="(cls_logits|bbox_reg)$=w8a8"'


def test_weights_are_written_before_anything_is_evaluated(root, tmp_path):
    (tmp_path / "set").mkdir()
    tiny_coco.folder(tmp_path / "set", 1)
    (tmp_path / "set" / "val2017" / "0001.png").write_bytes(b"no picture")
    with pytest.raises(DataError):
        quantize_detector(
            retina(root), "minmax:w8a8", f"coco:{root},split=train2017", 1, tmp_path / "out", f"coco:{tmp_path / 'set'}"
        )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.safetensors", "report.json"}


def test_a_device_that_is_not_there_is_refused_at_once(root):
    with pytest.raises(SpecError, match="The device 'cuda:77' cannot be used"):
        quantize_detector(retina(root), "minmax:w8a8", "coco:nowhere", device="cuda:77")


def test_bits_that_a_recipe_names_for_a_predictor_stand():
    made = answering(Recipe.parse('mse:w4a4,layers="cls_score=w2a2",keep=mask'), Detector(tiny_coco.mask()))
    assert (
        "cls_score" not in made.own_bits[0][0] and "mask" not in made.own_bits[0][0] and made.own_bits[1] == ("cls_score", (2, 2))
    )


@pytest.mark.parametrize(
    ("model", "calibration", "evaluate", "error", "message"),
    [
        ("timm/resnet18", "coco:{root}", "coco:{root}", SpecError, "is no detector"),
        (f"python:{FILE}#classifier", "coco:{{root}},split=train2017", "coco:{{root}}", ModelError, "is no detector"),
        ("{retina}", "coco:{root}/none", "coco:{root}", DataError, "is no folder"),
        ("{retina}", "coco:{root},split=train2017", "imagenet:{root}", SpecError, "COCO's format"),
        ("{retina}", "coco:{root},split=train2017", "coco:{root},masks=true", SpecError, "answers boxes alone"),
        ("{retina}", "imagnet:{root}", "coco:{root}", UnknownName, "imagenet"),
    ],
)
def test_what_does_not_fit_is_refused(root, model, calibration, evaluate, error, message):
    given = [text.replace("{{", "{").replace("}}", "}").replace("{root}", str(root)) for text in (calibration, evaluate)]
    with pytest.raises(error, match=message):
        quantize_detector(model.replace("{retina}", retina(root)), "minmax:w8a8", given[0], None, None, given[1])


def test_annotations_of_another_picture_are_refused(root, tmp_path):
    tiny_coco.folder(tmp_path, 2)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "val2017" / "0002.png")
    with pytest.raises(DataError, match=r"40×30 px, and its annotations"):
        quantize_detector(retina(root), "minmax:w8a8", f"coco:{root},split=train2017", 1, None, f"coco:{tmp_path}")
    (tmp_path / "val2017" / "0002.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0002\.png"):
        quantize_detector(retina(root), "minmax:w8a8", f"coco:{root},split=train2017", 1, None, f"coco:{tmp_path}")


def test_the_same_request_gives_the_same_figures(root):
    asked = retina(root), "mse:w6a6", f"coco:{root},split=train2017", 2, None, f"coco:{root},first=2"
    assert quantize_detector(*asked).low == quantize_detector(*asked).low
