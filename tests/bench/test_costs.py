"""What recipes that search are predicted to take: in proportion to what they search, in calls of layers in the place of seconds."""

from dataclasses import replace

import pytest
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from bitproof.bench import A100, OnDevice, Plan, costs, parse_grids, predict, predicting
from bitproof.bench.gpu import Counted, flop_of, work_of
from bitproof.cli import predicted
from bitproof.cli.predicted import print_prediction
from bitproof.convert import quantize
from bitproof.core import SpecError

NORMED = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 8), nn.LayerNorm(8), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 4))
"""


@pytest.fixture
def calls(monkeypatch):
    """A clock that counts calls of weighted layers."""
    ticks = [0]

    def tick(module, args, output):
        ticks[0] += isinstance(module, (nn.Conv2d, nn.Linear))

    hook = register_module_forward_hook(tick)
    monkeypatch.setattr(costs.time, "process_time", lambda: float(ticks[0]))
    yield ticks
    hook.remove()


def planned(grid, *recipes, model=None):
    named = ", ".join(f'"{recipe}"' for recipe in recipes)
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', f"[{named}]")
    text = text[: text.index("noises:")] + "noises: [clean]\nlimit: 8\nbatch_size: 8\nthreads: 1\n"
    head, _, tail = text.partition("python:")
    text = text if model is None else f"{head}python:{model}{tail[tail.index('#') :]}"
    [made] = parse_grids(text)
    return Plan(made)


def priced(plan):
    found = costs.NetworkCosts(plan)
    return [found.variant_s(variant) for variant in plan.made]


SEARCHES = [("candidates=10,rounds=1", 11), ("candidates=20,rounds=1", 21), ("candidates=20,rounds=3", 63)]


@pytest.mark.parametrize("method", ["ptq4vit", "apq-vit"])
def test_a_search_costs_what_it_tries(grid, calls, method):
    plan = planned(grid, "mse:w4a4", *(f"{method}:w4a4,{settings}" for settings, _ in SEARCHES))
    plain, *found = priced(plan)
    assert plain < min(found)
    each = (found[1] - found[0]) / 10
    assert [total - found[0] for total in found] == pytest.approx([(tried - 11) * each for _, tried in SEARCHES])


@pytest.mark.parametrize("recipe", ["ptq4vit:w4a4,rounds=1", "apq-vit:w4a4,rounds=1"])
def test_what_is_predicted_is_what_is_called(grid, calls, recipe):
    plan = planned(grid, recipe)
    [variant] = plan.made
    predicted = costs.NetworkCosts(plan).search_s(variant)
    batches = list(
        costs.clean_batch(plan.calibration_of(variant.task), plan.networks[variant.model], part, costs.SampleCache(0))
        for part in [plan.calibration_of(variant.task).data.calibration(16, seed=0)]
    )
    before = calls[0]
    quantize(plan.networks[variant.model].module, variant.recipe, batches)
    assert calls[0] - before == pytest.approx(predicted, rel=0.1)


def test_bits_share_a_probe_and_a_side_alone_has_one_round(grid, calls):
    plan = planned(grid, "ptq4vit:w4a4,candidates=10", "ptq4vit:w8a6,candidates=10", "ptq4vit:w4a32,candidates=10")
    both, other, weights = priced(plan)
    assert both == other > 3 * weights


def test_a_network_that_cannot_be_searched_is_told_of_by_its_cells(grid):
    plan = planned(grid, "ptq4vit:w4a4")
    [variant] = plan.made
    wrong = replace(variant, recipe=variant.recipe.parse("ptq4vit:w4a4,keep=nowhere"))
    assert costs.NetworkCosts(plan).search_s(wrong) == 0


def test_rescaled_norms_cost_forwards(grid, tmp_path):
    (tmp_path / "normed.py").write_text(NORMED)
    plan = planned(grid, "mse:w4a4", "repq-vit:w4a4", model=tmp_path / "normed.py")
    found = costs.NetworkCosts(plan)
    found.forward_s = dict.fromkeys(plan.networks, 1.0)
    plain, rescaled = map(found.variant_s, plan.made)
    assert rescaled == plain + 16 + 4


def test_the_dry_run_tells_of_searches(grid, tmp_path, capsys):
    plan = planned(grid, "mse:w4a4", "apq-vit:w4a4,candidates=10", "apq-vit:w4a4,candidates=5,rounds=1")
    assert [(s.recipe, s.choices, s.rounds) for s in predict(plan).searches] == [
        ("apq-vit:w4a4,candidates=10", 11, 3),
        ("apq-vit:w4a4,candidates=5,rounds=1", 6, 1),
    ]
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '["apq-vit:w4a4,candidates=10"]')
    (tmp_path / "grid.yaml").write_text(text)
    print_prediction(tmp_path / "grid.yaml")
    assert "apq-vit:w4a4,candidates=10: 11 choices a range in at most 3 rounds" in capsys.readouterr().out


def long(monkeypatch):
    monkeypatch.setattr(predicting, "LONG_S", 0.0)


def test_multiply_adds_are_counted_by_hand(grid, tmp_path):
    """A sample's forward is two operations a multiply-add of the three layers; training is three forwards."""
    (tmp_path / "normed.py").write_text(NORMED)
    plan = planned(grid, "fp32", "float", "mse:w4a4", model=tmp_path / "normed.py")
    [network] = plan.networks.values()
    forward = 2 * (3072 * 8 + 8 * 8 + 8 * 4)
    assert flop_of(network) == forward
    measured = costs.NetworkCosts(plan)
    work = work_of(Counted(measured), plan.made, [], plan.cells)
    trained = len(plan.train_source.data.samples) * plan.grid.training.epochs
    assert work.trainings == trained * 3 * forward
    assert work.cells == 3 * 8 * forward  # three networks, eight clean pictures
    assert work_of(measured, plan.made, [], plan.cells).total > 0


def test_an_encoder_that_torch_runs_in_one_piece_is_counted(grid):
    [network] = planned(grid, "fp32").networks.values()
    layer = nn.Sequential(nn.Flatten(2), nn.Linear(32 * 32, 12), nn.TransformerEncoderLayer(12, 3, 24, batch_first=True)).eval()
    linear = 3 * (32 * 32 * 12 + 4 * 12 * 12 + 2 * 12 * 24)
    assert flop_of(replace(network, module=layer)) == 2 * (linear + 2 * 3 * 3 * 12)


def test_an_a100_hour_and_processes():
    assert A100.hours(0.3 * 19.5e12 * 3600) == pytest.approx(1)
    work = OnDevice(trainings=80.0, cells=5.0)
    assert work.total == 85 and work.along(8) == 15 and work.along(1) == 85


def test_what_cannot_be_counted_counts_nothing(grid):
    [network] = planned(grid, "fp32").networks.values()
    assert flop_of(replace(network, module=nn.Conv2d(99, 1, 1))) == 0


def test_the_dry_run_estimates_gpus_of_what_is_long(grid, tmp_path, monkeypatch, capsys):
    print_prediction(grid, "cpu")
    said = capsys.readouterr().out
    assert "CPU-hours" in said and "GPU" not in said
    long(monkeypatch)
    print_prediction(grid, "cpu")
    said = capsys.readouterr().out
    assert "GPU-hours on an A100 at 30 % of its 19.5 TFLOP/s fp32" in said and "not measured" in said and "held" not in said
    both = tmp_path / "both.yaml"
    both.write_text(f"{grid.read_text().replace('lr: 0.05', 'lr: 0.05, processes: 8')}---\n{grid.read_text()}")
    print_prediction(both, "cpu")
    said = capsys.readouterr().out
    assert said.count("8 processes share the trainings") == 1 and "GPU-hours held" in said
    assert "GPU-hours on an A100, as estimated above" in said.splitlines()[-1]


def test_where_a_gpu_is_its_hours_are_told(grid, monkeypatch, capsys):
    """Two hours of training and one of cells: 3 GPU-hours, and with 8 processes 1.25 hours of all of them."""

    def told(plan, before, device):
        return replace(predict(plan, before), device=device, work_s=OnDevice(7200.0, 3600.0), processes=8)

    monkeypatch.setattr(predicted, "predict", told)
    print_prediction(grid, "cuda")
    said = capsys.readouterr().out
    assert "and its GPU" in said and "(3.00 GPU-hours)" in said and "CPU-hours" not in said
    assert "1.25 hours of 8 GPUs, 10 GPU-hours held" in said


def test_a_device_that_is_not_here_is_refused(grid):
    with pytest.raises(SpecError, match="cuda:99"):
        print_prediction(grid, "cuda:99")
