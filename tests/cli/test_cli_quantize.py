from pathlib import Path

import pytest
import tiny_coco
from typer.testing import CliRunner

from bitproof.cli import app

FILE = Path(tiny_coco.__file__)


def quantize(*arguments):
    return CliRunner().invoke(app, ["quantize", *map(str, arguments)])


def test_a_detector_is_scored_beside_its_low_bit_version(tmp_path):
    tiny_coco.folder(tmp_path, 3)
    calibration, evaluation = f"coco:{tmp_path},first=1", f"coco:{tmp_path}"
    told = quantize(
        f"python:{FILE}#mask", "mse:w8a8", "--calibration", calibration, "--evaluate", evaluation, "-o", tmp_path / "out"
    )
    assert told.exit_code == 0, told.output
    lines = [line.split() for line in told.stdout.splitlines()]
    assert ["of", "network", "AP", "AP50", "AP75", "small", "medium", "large"] in lines
    assert [line[:2] for line in lines if line[:1] in (["boxes"], ["masks"])] == [["boxes", "float"], ["masks", "float"]]
    assert sum(line[:1] == ["difference"] and line[1][0] in "+-" for line in lines) == 2
    assert "n = 2 pictures; 1 more were calibrated on and are left out. No interval" in told.stdout
    assert "precision.json" in told.stdout and (tmp_path / "out" / "precision.json").is_file()


def test_a_detector_need_not_be_scored(tmp_path):
    tiny_coco.folder(tmp_path, 1)
    told = quantize(f"python:{FILE}#retina", "minmax:w8a8", "--calibration", f"coco:{tmp_path}")
    assert told.exit_code == 0 and "left float" in told.stdout and "average precision" not in told.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small-cnn", "mse:w8a8", "--calibration", "photos", "--evaluate", "coco:{root}"), "is no detector"),
        (("small-cnn", "mse:w8a8", "--calibration", "coco:{root}"), "is no detector"),
        (("small-cnn", "mse:w8a8", "--calibration", "photos", "--device", "cpu"), "nothing is evaluated"),
        (("torchvision/retinanet_resnet50_fpn", "mse:w8a8", "--calibration", "photos"), "--evaluate coco:DIR"),
    ],
)
def test_what_is_asked_of_the_wrong_network_is_told(tmp_path, arguments, message):
    tiny_coco.folder(tmp_path, 1)
    told = quantize(*(each.replace("{root}", str(tmp_path)) for each in arguments))
    assert told.exit_code != 0 and message in str(told.exception or told.output)
