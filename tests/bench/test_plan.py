import pytest

from bitproof.bench import Plan, parse_grids, predict
from bitproof.bench.specs import on_samples, standing
from bitproof.core import BitproofError


@pytest.fixture
def text(grid):
    return grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')


def plan(text):
    [grid] = parse_grids(text)
    return Plan(grid)


def ids(text):
    made = plan(text)
    return {v.id for v in made.variants}, {c.id for c in made.cells}


def test_ids_follow_from_the_request_alone(text):
    assert ids(text) == ids(text)
    variants, cells = ids(text)
    assert (len(variants), len(cells)) == (2, 14)


@pytest.mark.parametrize(
    ("change", "variants_move", "cells_move"),
    [
        (("n: 16", "n: 17"), True, True),
        (("mse:w4a4", "mse:w4a5"), True, True),
        (("mean=imagenet", "mean=0.5"), True, True),
        (("batch_size: 8", "batch_size: 7"), True, True),
        (("threads: 1", "threads: 2"), True, True),
        (("system: 24", "system: 23"), False, True),
        (("pixelate:2", "pixelate:3"), False, True),
    ],
)
def test_what_moves_a_number_moves_its_id(text, change, variants_move, cells_move):
    before, after = ids(text), ids(text.replace(*change))
    assert (before[0] != after[0]) == variants_move
    assert (before[1] != after[1]) == cells_move


def test_another_model_file_is_another_variant(text, model_file):
    before = ids(text)
    source = model_file.read_text()
    try:
        model_file.write_text(source.replace("manual_seed(0)", "manual_seed(1)"))
        after = ids(text)
    finally:
        model_file.write_text(source)
    assert not before[0] & after[0]
    assert not before[1] & after[1]


def test_a_new_version_of_a_noise_reuses_no_old_number(text, monkeypatch):
    from bitproof.noises.corruptions.digital import Pixelate

    before = {c.noise: c.id for c in plan(text).cells}
    monkeypatch.setattr(Pixelate, "version", 99)
    after = {c.noise: c.id for c in plan(text).cells}
    assert {noise for noise in before if before[noise] != after[noise]} == {"pixelate:2"}


def test_a_new_version_of_a_method_makes_its_variants_again(text, monkeypatch):
    from bitproof.quantizers import QUANTIZERS

    before = {str(v.recipe): v.id for v in plan(text).variants}
    monkeypatch.setattr(QUANTIZERS.load("mse"), "version", 99)
    after = {str(v.recipe): v.id for v in plan(text).variants}
    assert before["fp32"] == after["fp32"]
    assert before["mse:w4a4"] != after["mse:w4a4"]


def test_only_networks_with_an_opened_attention_hold_its_version(text, tmp_path, monkeypatch):
    from bitproof.convert import attention

    def found():
        return {(v.model, str(v.recipe)): v.id for v in plan(asked).variants}

    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef build():\n    layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Unflatten(1, (1, 8)), layer, nn.Flatten(), nn.Linear(8, 4))\n"
    )
    start, _, rest = text.partition("models: [")
    asked = f'{start}models: ["python:{tmp_path}/net.py#build,mean=0.5,std=0.5,size=8", {rest}'
    before = found()
    monkeypatch.setattr(attention, "VERSION", 99)
    after = found()
    moved = {key for key in before if before[key] != after[key]}
    assert len(before) == 4 and [("net.py" in model, recipe) for model, recipe in moved] == [(True, "mse:w4a4")]


def test_the_variants_of_a_task_meet_a_noise_one_after_the_other(text):
    noises = [c.noise for c in plan(text).cells]
    assert noises == sorted(noises, key=noises.index)
    assert noises[0] == "clean"


def test_the_clean_pipeline_is_no_noise(text):
    assert "pil-bilinear" not in {c.noise for c in plan(text.replace("cv-nearest", "system")).cells}
    square = text.replace("cv-nearest", "system") + "geometry: {interpolation: cv-area, mode: square}\n"
    noises = {c.noise for c in plan(square).cells}
    assert "pil-bilinear" in noises
    assert "cv-area" not in noises


def test_no_sample_is_both_calibrated_on_and_evaluated(text):
    held_out = plan(text.replace("train:", "# train:").replace("training:", "# training:"))
    calibrated = {s.id for s in held_out.tasks[held_out.grid.tasks[0]].data.calibration(16, seed=0)}
    assert len(calibrated) == 16
    for cell in held_out.cells:
        assert not calibrated & {s.id for s in held_out.samples(cell)}


def test_calibration_that_leaves_too_few_is_refused(text):
    greedy = text.replace("train:", "# train:").replace("training:", "# training:").replace("n: 16", "n: 40")
    with pytest.raises(BitproofError, match="24"):
        made = plan(greedy)
        made.samples(made.cells[0])


def test_calibration_data_that_is_the_tasks_own_is_held_out(text, pictures):
    named = (
        text.replace("n: 16", f'n: 16, data: "imagefolder:{pictures}/"')
        .replace("train:", "# train:")
        .replace("training:", "# training:")
    )
    made = plan(named)
    assert {cell.held_out for cell in made.cells} == {16}


def test_training_on_what_is_evaluated_is_refused(grid, pictures, more):
    with pytest.raises(BitproofError, match="trained on and evaluated"):
        plan(grid.read_text().replace(str(more), str(pictures)))


def test_a_new_version_of_the_clean_resizer_makes_everything_again(text, monkeypatch):
    from bitproof.noises.system.resize import PilBilinear

    before = ids(text)
    monkeypatch.setattr(PilBilinear, "version", 99)
    after = ids(text)
    assert len(before[0] & after[0]) == 1  # fp32, which no picture made
    assert not before[1] & after[1]


def test_a_finished_session_is_not_made_low_bit(text, model_file):
    from dataclasses import replace

    from bitproof.bench import parse_grids
    from bitproof.models import load

    session = replace(load(f"python:{model_file}#build,size=32,classes=4"), differentiable=False)
    [grid] = parse_grids(
        text.replace(text[text.index("python:") : text.index('"]', text.index("python:"))], "session"), own=["session"]
    )
    with pytest.raises(BitproofError, match="finished session"):
        Plan(grid, {"session": session})


def test_a_model_with_other_classes_is_refused(text):
    with pytest.raises(BitproofError, match="classes"):
        plan(text.replace("classes=4", "classes=5"))


def test_a_prediction_counts_what_the_plan_holds(grid):
    [whole] = parse_grids(grid.read_text())
    prediction = predict(Plan(whole))
    assert (prediction.variants, prediction.trainings, prediction.cells, prediction.rows) == (4, 2, 28, 4 * (5 * 24 + 2 * 8))
    assert prediction.cells_s > 0
    assert prediction.variants_s > 0
    assert prediction.disk_bytes > 100_000


def test_a_noise_on_the_network_is_a_cell_of_its_own_and_shares_the_pictures(text):
    made = plan(text.replace("cv-nearest", '"fog:3", fp16, "fp16+fog:3"'))
    found = {cell.noise: cell.family for cell in made.cells}
    assert (found["fp16"], found["fog:3+fp16"]) == ("system", "mixed")
    assert on_samples("fog:3+fp16") == on_samples("fog:3")
    assert standing("pgd-linf:eps=8/255+fp16") == {"tensor": "pgd-linf:eps=8/255", "model": "fp16"}


def test_a_resize_that_leaves_no_room_for_the_crop_is_refused(text):
    with pytest.raises(BitproofError, match=r"'cv-area:resize=16': A crop of 32 px from a side of 16 px"):
        plan(text.replace("cv-nearest", '"cv-area:resize=16"'))


def test_what_means_nothing_here_is_left_out_of_a_family_with_the_reason(text):
    made = plan(text.replace("cv-nearest", "system-all"))
    noises = {cell.noise for cell in made.cells}
    assert {"fp16", "norm:like=half", "pil-bilinear:mode=square", "bgr"} < noises
    assert not {"ceil-mode", "norm:like=imagenet", "upsample", "pil-bilinear:mode=shorter"} & noises
    reasons = {what.partition(": ")[0]: why for what, why in made.left_out.items()}
    assert "no max or average pooling" in reasons["ceil-mode"]
    assert "own mean 0.485" in reasons["norm:like=imagenet"]
    assert "clean resize" in reasons["pil-bilinear:mode=shorter"]
    assert predict(made).cells == len(made.cells)


def test_what_is_asked_for_by_name_is_never_left_out(text):
    made = plan(text.replace("cv-nearest", 'ceil-mode, "pil-bilinear:mode=shorter"'))
    assert {"ceil-mode", "pil-bilinear:mode=shorter"} < {cell.noise for cell in made.cells}
    assert made.left_out == {}


def test_the_memory_for_pictures_is_in_no_id(text):
    assert ids(text) == ids(text + "\ncache_mb: 0\n")
    with pytest.raises(BitproofError, match="cache_mb"):
        parse_grids(text + "\ncache_mb: -1\n")
