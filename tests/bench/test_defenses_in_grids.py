"""Defenses in a grid: what is planned, what is fitted once, and what the rows say."""

import polars as pl
import pytest
import torch
from torch import nn

import bitproof as bp
from bitproof.bench import Plan, parse_grids
from bitproof.bench.gallery import composite
from bitproof.bench.worn import Through, Worn
from bitproof.core import Attacked, BitproofError
from bitproof.defenses import Patches, canonical
from bitproof.models import TorchVictim
from bitproof.noises import noise

PATCH = canonical("defensive-patch:on=fp32,steps=2,epochs=1,n=12,batch=6")
FREE = canonical(f"{PATCH},label=free")


@pytest.fixture
def text(grid):
    start = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')
    return start.replace('"gaussian_noise:3", "pixelate:2", cv-nearest, "decode-ffmpeg+cv-area", ', '"pixelate:2", ')


def behind(text, *defenses):
    return text + "defenses: [" + ", ".join(f"'{each}'" for each in defenses) + "]\n"


def plan(text):
    [grid] = parse_grids(text)
    return Plan(grid)


def test_without_a_defense_every_id_is_what_it_was(text):
    assert [c.id for c in plan(text).cells] == [c.id for c in plan(behind(text, "none")).cells]
    with_one = plan(behind(text, "jpeg")).cells
    assert [c.id for c in plan(text).cells] == [c.id for c in with_one if c.defense == "none"]


def test_a_patch_brings_its_controls_and_a_purification_does_not(text):
    cells = plan(behind(text, PATCH, "jpeg")).cells
    found = {(c.noise, c.defense.removeprefix(PATCH), c.family) for c in cells}
    controls = {("clean", f",control={name}", "evidence") for name in ("wrong", "random", "alone", "argmax")}
    assert controls <= found
    assert ("pixelate:2", ",control=argmax", "evidence") in found
    assert ("pixelate:2", ",control=alone", "evidence") not in found
    attacked = {c.defense.removeprefix(PATCH) for c in cells if c.noise.startswith("pgd") and c.defense.startswith(PATCH)}
    assert attacked == {"", ",control=wrong", ",control=random"}
    assert not any(c.defense.startswith(PATCH + ",") for c in cells if c.noise == "evidence")
    assert not any(c.defense.startswith("jpeg") and c.family == "evidence" and c.noise == "clean" for c in cells)
    assert "none" in {c.defense for c in cells}


def test_a_patch_meets_no_sequence_and_where_noises_meet_an_attack_it_brings_its_controls(text):
    more = text.replace('clean, "pixelate:2", ', 'clean, "translate_p:3", "pixelate:2+pgd-linf:eps=8/255,steps=3", ')
    made = plan(behind(more, PATCH, "jpeg"))
    assert {c.defense for c in made.cells if c.family == "perturbation"} == {"none", "jpeg"}
    assert list(made.left_out) == [f"perturbation sequences behind {PATCH}"]
    mixed = {c.defense.removeprefix(PATCH) for c in made.cells if "+" in c.noise and c.defense.startswith(PATCH)}
    assert mixed == {"", ",control=wrong", ",control=random"}
    assert plan(behind(text, PATCH)).left_out == {}


def test_what_a_patch_is_fitted_on_is_in_its_cells_id_and_in_no_other(text):
    def ids(spec):
        return {(c.noise, str(c.variant.recipe)): c.id for c in plan(behind(text, spec)).cells if c.defense != "none"}

    on_float, on_four = ids(PATCH), ids(PATCH.replace("on=fp32", "on=mse:w4a4"))
    assert not {*on_float.values()} & {*on_four.values()}
    mine = plan(behind(text, PATCH))
    fits = {mine.fit(c).id for c in mine.cells if c.defense != "none"}
    assert len(fits) == 1, "one fit for all recipes and controls"
    own = plan(behind(text, PATCH.replace("on=fp32", "on=own")))
    assert len({own.fit(c).id for c in own.cells if c.defense != "none"}) == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("defensive-patch:on=nonsense:w4a4", "nonsense"),
        ("defensive-patch:models=resnet99", "resnet99"),
        ("defensive-patch:n=999", "holds 48"),
        ("defensive-patch:width=99", "does not fit"),
        ("defensive-patch:control=wrong", "control"),
        ("defensiv-patch", "defensive-patch"),
        ("bn-reestimate:noise=fogg:3", "fog"),
        ('bn-reestimate:noise="pgd-linf:eps=1/255",n=16', "stands on no picture"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(text, spec, said):
    with pytest.raises(BitproofError, match=said):
        plan(behind(text, spec))


def test_pictures_that_a_patch_is_fitted_on_are_never_evaluated(text):
    own = text[: text.index("train:")] + text[text.index("models:") :]
    own = own.replace('[fp32, "mse:w4a4"]', "[fp32]")
    assert plan(own).held_out(next(iter(plan(own).tasks))) == 0
    made = plan(behind(own, PATCH))
    assert {c.held_out for c in made.cells} == {12}


@pytest.fixture(scope="module")
def finished(grid, tmp_path_factory):
    start = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4,fold=false"]')
    start = start.replace('"gaussian_noise:3", "pixelate:2", cv-nearest, "decode-ffmpeg+cv-area", ', '"pixelate:2", ')
    text = behind(
        start, PATCH, FREE, PATCH.replace("on=fp32", "on=fp32,at=after"), "random-resize", "bn-reestimate:noise=pixelate:2,n=16"
    )
    out = tmp_path_factory.mktemp("defended") / "run"
    assert bp.run(text, out).failed == 0
    return text, out


def test_rows_say_which_class_was_shown(finished):
    rows = bp.results.load(finished[1]).filter(noise="clean")
    patched = rows.filter(pl.col("defense").str.starts_with("defensive-patch"), ~pl.col("defense").str.contains("control|label"))
    assert patched.height
    assert (patched["shown"] == patched["label"]).all()
    assert rows.filter(defense=FREE)["shown"].null_count() == rows.filter(defense=FREE).height > 0
    wrong = rows.filter(pl.col("defense").str.contains("control=wrong"))
    assert (wrong["shown"] != wrong["label"]).all()
    assert rows.filter(defense="random-resize")["shown"].null_count() == 48
    alone = rows.filter(pl.col("defense") == f"{PATCH},control=alone", recipe="fp32")
    assert alone.group_by("label").agg(pl.col("prediction").n_unique())["prediction"].max() == 1


def test_whoever_does_not_know_the_class_has_the_same_patch_and_figures_like_any_other(finished):
    rows = bp.results.load(finished[1])
    mine, control = (
        rows.filter(noise="clean", defense=each).sort("recipe", "sample") for each in (FREE, f"{PATCH},control=argmax")
    )
    both = mine.join(control, on=["recipe", "sample"])
    assert both.height and (both["prediction"] == both["prediction_right"]).all(), "on clean pictures it is the control"
    assert not any("control" in each and "label" in each for each in rows["defense"].unique())
    assert FREE in set(bp.analysis.summary(rows)["defense"])
    attacked = bp.analysis.defended(rows).filter(pl.col("noise").str.starts_with("pgd"), defense=FREE)
    assert set(attacked["label"]) == {"free"} and attacked["gain"].null_count() == 0
    assert attacked["fitted_on"].str.ends_with(" fp32").all()


def test_a_preview_is_made_of_each_fitted_patch(finished, text):
    titles = {entry["noise"] for entry in bp.results.Store.open(finished[1]).gallery() if " behind " in entry["noise"]}
    (name,) = bp.results.Store.open(finished[1]).defenses()
    fitted_as = f"clean behind {PATCH}, fitted on python fp32 ({name})"
    assert titles == {fitted_as, "clean behind random-resize"}, "before and after the corruption it is one patch"
    own = plan(behind(text, PATCH.replace("on=fp32", "on=own")))
    assert len({composite(c, own.fit(c)) for c in own.cells if c.noise == "clean" and c.defense == own.grid.defenses[0]}) == 2


def test_what_a_random_pattern_gains_under_attack_stands_beside_the_patch(finished):
    rows = bp.results.load(finished[1])
    lines = bp.analysis.defended(rows).filter(pl.col("noise").str.starts_with("pgd"), pl.col("label") == "known")
    assert lines.height and lines.select("gain_random", "over_random", "wrong", "pulled").null_count().sum_horizontal().sum() == 0
    assert lines["gain_free"].null_count() == lines.height
    wrong = rows.filter(pl.col("noise").str.starts_with("pgd"), pl.col("defense").str.contains("control=wrong"))
    assert wrong.height and (wrong["shown"] != wrong["label"]).all() and set(wrong["family"]) == {"evidence"}


def test_a_patch_is_fitted_once_and_read_ever_after(finished, tmp_path):
    text, out = finished
    store = bp.results.Store.open(out)
    (name,) = store.defenses()
    info, files = store.defense(name)
    assert sorted(files) == ["0.png", "1.png", "2.png", "3.png"]
    assert (info["fitted_on"][0]["recipe"], info["pictures"]["n"]) == ("fp32", 12)
    before = {path: path.stat().st_mtime_ns for path in (out / "defenses" / name).iterdir()}
    gone = next(path for path in (out / "rows").iterdir())
    gone.unlink()
    assert bp.run(text, out).already > 0
    assert before == {path: path.stat().st_mtime_ns for path in (out / "defenses" / name).iterdir()}
    bp.results.compact(out, tmp_path / "small")
    assert bp.results.Store.open(tmp_path / "small").defense(name)[1] == files


def test_a_run_without_the_patch_s_folder_fits_the_same_one_again(finished, tmp_path):
    text, out = finished
    short = text.replace('clean, "pixelate:2", "pgd-linf:eps=8/255,steps=3"', "clean")
    bp.run(short, tmp_path / "again")
    (name,) = bp.results.Store.open(out).defenses()
    assert bp.results.Store.open(tmp_path / "again").defense(name)[1] == bp.results.Store.open(out).defense(name)[1]


def test_an_attack_through_a_patch_cannot_change_it_and_one_after_it_can():
    torch.manual_seed(0)
    net = TorchVictim(nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 3)).eval())
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:2] = True
    patches = Patches(torch.rand(3, 3, 8, 8), mask, (0, 1, 2))
    worn = Worn("it", patches, "after", True, 0)
    x = torch.rand(6, 3, 8, 8)
    y = torch.stack([net.decide(patches(x, label, 0)) == label for label in range(3)]).int().argmax(dim=0)
    attack = noise("pgd-linf:eps=32/255,steps=5,keep=last")
    found = Through(worn, lambda wrap: attack)(net, x, y, list(range(6)))
    for i in range(6):
        assert torch.equal(found.x[i][:, mask], patches.of(int(y[i]))[:, mask])
    right = torch.stack([net.decide(patches(x[i : i + 1], int(y[i]), 0))[0] == y[i] for i in range(6)])
    assert right.any()
    assert all((found.x[i] - x[i])[:, ~mask].abs().max() > 0.1 for i in right.nonzero().flatten().tolist())
    alone = Through(worn, lambda wrap: attack)(net, x[3:4], y[3:4], [3])
    torch.testing.assert_close(alone.x[0], found.x[3])
    i = int(right.nonzero()[0])
    worn_first = patches(x[i : i + 1], int(y[i]), 0)
    assert not torch.equal(attack(net, worn_first, y[i : i + 1], [0]).x[0][:, mask], patches.of(int(y[i]))[:, mask])


def test_rows_of_a_batch_come_back_in_order():
    worn = Worn("it", Patches(torch.zeros(2, 3, 2, 2), torch.zeros(2, 2, dtype=torch.bool), (0, 1)), "after", True, 0)

    def strike(victim, x, y, seeds):
        told = torch.tensor(seeds)
        return Attacked(x, y.bool(), told, told, {"distance": told.float()})

    y = torch.tensor([1, 0, 1, 1, 0])
    found = Through(worn, lambda wrap: strike)(TorchVictim(nn.Flatten()), torch.rand(5, 3, 2, 2), y, [5, 6, 7, 8, 9])
    assert found.queries.tolist() == [5, 6, 7, 8, 9]
    assert found.columns["distance"].tolist() == [5, 6, 7, 8, 9]
    assert found.success.tolist() == y.bool().tolist()


def test_adversarial_training_is_a_baseline_that_patches_can_be_fitted_on(grid):
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[float, "lsq:w4a4"]')
    plain = plan(behind(text, PATCH.replace("on=fp32", "on=float")))
    hardened = text.replace("lr: 0.05", 'lr: 0.05, adversarial: "pgd-linf:eps=8/255,steps=2", trades: 6')
    against = plan(behind(hardened, PATCH.replace("on=fp32", "on=float"), "jpeg"))
    for made in (plain, against):
        assert {str(v.recipe) for c in made.cells if (fit := made.fit(c)) for v in fit.variants} == {"float"}
    ids = [{made.fit(c).id for c in made.cells if made.fit(c)} for made in (plain, against)]
    assert not ids[0] & ids[1], "a patch of a hardened network is another patch"


def test_a_patch_of_several_networks_names_them(grid):
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', "[fp32]")
    line = next(line for line in text.splitlines() if line.startswith("models:"))
    both = text.replace(line, line.replace("]", ', "vgg11-cifar:width=0.125,classes=4"]'))
    made = plan(behind(both, PATCH.replace("on=fp32", "on=fp32,models=python+vgg11-cifar"), PATCH))
    fits = {fit.id: len(fit.variants) for c in made.cells if (fit := made.fit(c))}
    assert sorted(fits.values()) == [1, 1, 2]
