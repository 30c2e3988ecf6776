"""The severity table against the constants read from the reference's four scripts."""

import csv
import os
from pathlib import Path

import pytest

from bitproof.noises import BENCHMARK, EXTRA
from bitproof.noises.corruptions.table import SETS, TABLE, constants, nearest_set

DATASETS = dict(zip(("imagenet_224", "imagenet_299_inception", "tinyimagenet_64", "cifar_32"), SETS, strict=True))

#: The reference list's words where the code has its own.
WORDS = {
    "photon_scale_lambda": "photons",
    "salt_pepper_amount": "amount",
    "disk_radius": "radius_px",
    "alias_blur_sigmaX": "alias_sigma_px",
    "gauss_sigma": "sigma_px",
    "max_delta": "delta_px",
    "radius": "radius_px",
    "motion_radius": "radius_px",
    "motion_sigma": "motion_sigma_px",
    "zoom_start": "start",
    "zoom_stop_exclusive": "stop",
    "zoom_step": "step",
    "noise_mean": "mean",
    "noise_std": "std",
    "blend_weight": "blend",
    "fog_strength": "strength",
    "wibble_decay": "decay",
    "hsv_v_add": "add",
    "gain_about_channel_mean": "gain",
    "displacement_amplitude": "amplitude_px",
    "affine_jitter": "jitter_px",
    "hsv_s_mul": "multiply",
    "hsv_s_add": "add",
    "gain_or_mud_sigma": "gain",
    "mode_0water_1mud": "mud",
}


def word(corruption: str, parameter: str) -> str:
    if parameter == "sigma" and corruption in ("motion_blur", "gaussian_blur"):
        return "sigma_px"
    return WORDS.get(parameter, parameter)


def reference() -> list[dict[str, str]]:
    data = os.environ.get("BITPROOF_DATA")
    path = Path(data).parent / "reference" / "robustmq_corruption_constants.csv" if data else None
    if path is None or not path.is_file():
        pytest.skip("the list of the reference's constants is not on this machine")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_cell_is_the_references():
    rows = reference()
    assert len(rows) == 820
    seen = set()
    for row in rows:
        name, parameter = row["corruption"], word(row["corruption"], row["parameter"])
        found = constants(name, DATASETS[row["dataset"]], int(row["severity"]))[parameter]
        assert found == float(row["value"]), row
        seen.add((name, parameter))
    ours = {(name, parameter) for name, parameters in TABLE.items() for parameter in parameters}
    assert ours - seen == {("frost", "texture_scale")}, "the reference writes this one into the code"


def test_the_table_is_complete():
    assert tuple(TABLE) == (*BENCHMARK, *EXTRA)
    for parameters in TABLE.values():
        for cells in parameters.values():
            assert len(cells) == len(SETS) and all(len(cell) == 5 for cell in cells)
    assert constants("fog", "imagenet", 5) == {"strength": 3, "decay": 1.4}
    assert constants("frost", "cifar", 1)["texture_scale"] == 0.2


@pytest.mark.parametrize(
    ("side", "chosen"),
    [(28, "cifar"), (48, "cifar"), (49, "tiny"), (144, "tiny"), (145, "imagenet"), (261, "imagenet"), (262, "imagenet-299")],
)
def test_the_nearest_set(side, chosen):
    assert nearest_set(side, 4 * side) == nearest_set(4 * side, side) == chosen
