import contextlib
import io
import json

import numpy as np
import pytest
import tiny_coco
import torch
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bitproof.core import DataError, MissingExtra, ModelError, SpecError
from bitproof.tasks import Precision, coco, target


def perfect(wanted):
    """Everything found, and surely; of a crowd nothing."""
    one = wanted["iscrowd"] == 0
    found = {"boxes": wanted["boxes"][one], "labels": wanted["labels"][one], "scores": torch.ones(int(one.sum()))}
    return found | ({"masks": wanted["masks"][one][:, None].float()} if "masks" in wanted else {})


def clumsy(scene, seed):
    """Boxes beside the right ones, of any label, and masks that fill them in part."""
    draws = np.random.default_rng(seed)
    right = np.array([thing.box for thing in scene.things]).reshape(-1, 4).repeat(3, axis=0)
    boxes = right + draws.normal(0, 2, right.shape)
    boxes = np.concatenate([boxes, [[1.0, 1.0, 40.0, 30.0]]])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    labels = draws.choice([1, 4, 9, 5], len(boxes), p=[0.4, 0.3, 0.2, 0.1])
    labels[: 3 * len(scene.things) : 3] = [thing.label for thing in scene.things]
    masks = np.zeros((len(boxes), 1, scene.height, scene.width), np.float32)
    for mask, box in zip(masks, boxes, strict=True):
        left, top, right_, bottom = box.round().astype(int).clip(0)
        mask[0, top:bottom, left:right_] = 0.9
        mask[0, top : top + 2] = 0.4
    numbers = {"boxes": boxes, "scores": draws.random(len(boxes)), "masks": masks}
    return {key: torch.tensor(value, dtype=torch.float32) for key, value in numbers.items()} | {"labels": torch.tensor(labels)}


def by_pycocotools(root, scenes, found, kind):
    """COCO's own evaluation of the file, which knows nothing of ours."""
    from pycocotools import mask as rle

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(root / "annotations" / "instances_val2017.json"))
        told = []
        for image, each in zip(sorted(truth.imgs), found, strict=True):
            for box, score, label, mask in zip(each["boxes"], each["scores"], each["labels"], each["masks"], strict=True):
                left, top, right, bottom = (float(v) for v in box)
                one = {"image_id": image, "category_id": int(label), "score": float(score)}
                if kind == "bbox":
                    one["bbox"] = [left, top, right - left, bottom - top]
                else:
                    one["segmentation"] = rle.encode(np.asfortranarray((mask[0] > 0.5).numpy().astype(np.uint8)))
                told.append(one)
        scored = COCOeval(truth, truth.loadRes(told), kind)
        scored.evaluate(), scored.accumulate(), scored.summarize()
    return [None if value < 0 else 100 * value for value in scored.stats[:6]]


@pytest.mark.parametrize("masks", [False, True])
def test_what_is_found_perfectly_has_a_precision_of_100(tmp_path, masks):
    tiny_coco.folder(tmp_path, crowd=True)
    score = Precision(masks)
    for scene in coco(f"coco:{tmp_path}").load().scenes:
        wanted = target(scene, masks)
        score.add(perfect(wanted), wanted)
    figures = score.figures()
    assert [each.of for each in figures] == (["boxes", "masks"] if masks else ["boxes"])
    assert all((each.ap, each.ap50, each.ap75, each.small) == pytest.approx((100,) * 4) for each in figures)
    assert all(each.large is None for each in figures)  # no picture is large enough


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_those_of_cocos_own_evaluation(tmp_path, seed):
    tiny_coco.folder(tmp_path, 6, seed=seed, crowd=True)
    data = json.loads((tmp_path / "annotations" / "instances_val2017.json").read_text())
    for each in data["annotations"][::2]:
        each["area"] = 5000  # medium, whatever its box says: the written area counts
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(data))
    scenes = coco(f"coco:{tmp_path}").load().scenes
    found = [clumsy(scene, 10 * seed + i) for i, scene in enumerate(scenes)]
    score = Precision(True)
    for scene, each in zip(scenes, found, strict=True):
        score.add(each, target(scene, True))
    for kind, figures in zip(("bbox", "segm"), score.figures(), strict=True):
        values = [figures.ap, figures.ap50, figures.ap75, figures.small, figures.medium, figures.large]
        expected = by_pycocotools(tmp_path, scenes, found, kind)
        assert values == pytest.approx(expected, abs=1e-4)
        assert 0 < values[0] < 100 and values[4] is not None


def test_nothing_found_is_a_precision_of_0(tmp_path):
    tiny_coco.folder(tmp_path, 2)
    score = Precision(True)
    for scene in coco(f"coco:{tmp_path}").load().scenes:
        nothing = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)}
        score.add(nothing | {"masks": torch.zeros(0, 1, scene.height, scene.width)}, target(scene, True))
    assert [each.ap for each in score.figures()] == [0, 0]


def test_scores_that_are_not_finite_are_refused(tmp_path):
    tiny_coco.folder(tmp_path, 1)
    wanted = target(coco(f"coco:{tmp_path}").load().scenes[0], False)
    with pytest.raises(ModelError, match="NaN"):
        Precision(False).add(perfect(wanted) | {"scores": torch.full((3,), torch.nan)}, wanted)


def test_outlines_are_drawn_as_pycocotools_draws_them(tmp_path):
    tiny_coco.folder(tmp_path, 3, crowd=True)
    scenes = coco(f"coco:{tmp_path}").load().scenes
    truth = COCO(str(tmp_path / "annotations" / "instances_val2017.json"))
    for image, scene in zip(sorted(truth.imgs), scenes, strict=True):
        drawn = target(scene, True)["masks"].numpy()
        assert drawn.shape == (len(scene.things), scene.height, scene.width)
        for ours, each in zip(drawn, truth.loadAnns(truth.getAnnIds(image)), strict=True):
            np.testing.assert_array_equal(ours, truth.annToMask(each).astype(bool))
    red = scenes[0].things[0]
    pixels = np.asarray(Image.open(scenes[0].path))
    assert (pixels[target(scenes[0], True)["masks"][0].numpy()] == tiny_coco.KINDS[red.label][1]).all()


def test_pictures_come_in_the_order_of_their_ids_and_first_takes_so_many(tmp_path):
    tiny_coco.folder(tmp_path, 5)
    scenes = coco(f"coco:{tmp_path},first=2").load()
    assert [scene.path.name for scene in scenes.scenes] == ["0001.png", "0002.png"]
    assert len(scenes.drawn(None)) == 2 and scenes.names == {1: "red", 4: "green", 9: "blue"}
    every = coco(f"coco:{tmp_path}").load()
    drawn = every.drawn(3)
    assert drawn == coco(f"coco:{tmp_path}").load().drawn(3) and len(drawn) == 3
    assert len(every.without([scene.path for scene in drawn])) == 2
    with pytest.raises(DataError, match="6 calibration pictures"):
        every.drawn(6)
    with pytest.raises(DataError, match="none is left"):
        every.without([scene.path for scene in every.scenes])


def test_labels_are_ids_or_places_in_their_order(tmp_path):
    tiny_coco.folder(tmp_path, 1)
    for word, labels in (("ids", [1, 4, 9]), ("from0", [0, 1, 2]), ("from1", [1, 2, 3])):
        scenes = coco(f"coco:{tmp_path},labels={word}").load()
        assert [thing.label for thing in scenes.scenes[0].things] == labels == sorted(scenes.names)
    ids = coco(f"coco:{tmp_path}").load()
    ids.check_labels(10), ids.check_labels(None)
    coco(f"coco:{tmp_path},labels=ids").load().check_labels(91)
    for classes in (9, 91):
        with pytest.raises(DataError, match="labels=from1"):
            ids.check_labels(classes)


def test_pictures_may_lie_in_images(tmp_path):
    tiny_coco.folder(tmp_path, 1)
    (tmp_path / "images").mkdir()
    (tmp_path / "val2017").rename(tmp_path / "images" / "val2017")
    assert coco(f"coco:{tmp_path}").load().scenes[0].read()


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("coco:{root}/none", DataError, "is no folder"),
        ("coco:{root},split=train2017", DataError, r"instances_train2017\.json' is missing.*Expected"),
        ("coco:{root},split=broken", DataError, "is no JSON"),
        ("coco:{root},split=empty", DataError, "names no pictures"),
        ("coco:{root},split=absent", DataError, r"0007\.jpg' is missing"),
        ("coco:{root},first=0", SpecError, "first=0"),
        ("coco:{root},labels=names", SpecError, "labels='names'"),
        ("coco:{root},splits=val2017", SpecError, "splits"),
        ("imagenet:{root}", SpecError, "COCO's format"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, spec, error, message):
    tiny_coco.folder(tmp_path, 1)
    notes = tmp_path / "annotations"
    (notes / "instances_broken.json").write_text("{")
    (notes / "instances_empty.json").write_text('{"images": [], "annotations": [], "categories": []}')
    photo = {"id": 1, "file_name": "0007.jpg", "width": 8, "height": 8}
    (notes / "instances_absent.json").write_text(json.dumps({"images": [photo], "annotations": [], "categories": []}))
    with pytest.raises(error, match=message):
        coco(spec.format(root=tmp_path)).load()


@pytest.mark.parametrize(
    ("outline", "message"),
    [([], "no outline"), ([["a", "b"]], "cannot be read"), ({"size": [5, 5], "counts": [25]}, r"not \(")],
)
def test_an_outline_that_is_missing_or_broken_is_named(tmp_path, outline, message):
    data = tiny_coco.folder(tmp_path, 1)
    data["annotations"][0]["segmentation"] = outline
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(data))
    scene = coco(f"coco:{tmp_path}").load().scenes[0]
    assert "masks" not in target(scene, False)
    with pytest.raises(DataError, match=message):
        target(scene, True)


@pytest.mark.parametrize("package", ["torchmetrics", "pycocotools"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, package):
    from bitproof.tasks.detection import precision

    there = precision.find_spec
    monkeypatch.setattr(precision, "find_spec", lambda name: None if name == package else there(name))
    with pytest.raises(MissingExtra, match=rf"{package}.*bitproof\[detection\]"):
        Precision(False)
