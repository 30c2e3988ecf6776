"""An outside package's quantizer, noise and attack are used by name like bitproof's own."""

import json
import textwrap

import pytest
from plugin_sites import install, printed, python

SUMMARIES = {
    "quantizers": ("power", "Min–max ranges whose scale is a power of two, so that a shift can do the multiplication."),
    "noises": ("scanlines", "Every ``period``-th row of pixels goes dark, from a random one on, as on an old screen."),
    "attacks": ("dim-linf", "Darkens all pixels by eps: the weakest attack there is, and one without a gradient."),
}


def listed(kind, *sites):
    return {card["name"]: card for card in json.loads(printed("-m", "bitproof", "list", kind, "--json", sites=sites))}


@pytest.mark.parametrize("kind", SUMMARIES)
def test_list_has_it(site, kind):
    name, summary = SUMMARIES[kind]
    assert listed(kind, site)[name] == {"name": name, "summary": summary, "source": "an example", "version": 1}


def test_list_has_nothing_of_a_package_that_is_not_installed():
    assert "scanlines" not in listed("noises")


def test_a_recipe_with_its_quantizer_makes_a_model_low_bit(site):
    code = """
        import torch
        from torch import nn
        import bitproof as bp
        from bitproof.convert import QuantLayer

        torch.manual_seed(0)
        x = torch.rand(8, 3, 12, 12)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 2))
        recipe = bp.Recipe.parse("power:w4a4,first=same,last=same,finer=1")
        low = bp.quantize(net, recipe, [x])
        scales = [layer.weight_quantizer.info().scale for layer in low.model.modules() if isinstance(layer, QuantLayer)]
        print(recipe)
        print(sum(layer.changed for layer in low.report.layers), all(s.log2().frac().eq(0).all() for s in scales))
        recipes = [f"power:w{bits}a{bits},first=same,last=same" for bits in (8, 4)]
        fine, coarse = (float((bp.quantize(net, r, [x]).model(x) - net(x)).norm() / net(x).norm()) for r in recipes)
        print(0 < fine < 0.03, fine < coarse)
    """
    lines = printed("-c", textwrap.dedent(code), sites=(site,)).splitlines()
    assert lines == ["power:w4a4,first=same,last=same,finer=1", "2 True", "True True"]


def test_a_grid_with_all_three_leaves_rows_and_a_page(site, grid_text, tmp_path):
    (tmp_path / "grid.yaml").write_text(grid_text)
    code = f"""
        import bitproof as bp
        outcome = bp.run({str(tmp_path / "grid.yaml")!r}, {str(tmp_path / "run")!r})
        rows = bp.results.load({str(tmp_path / "run")!r})
        print(outcome.cells, outcome.already, outcome.failed)
        counts = rows.group_by("recipe", "noise", "family", "severity").len().rows()
        print(sorted((*row[:3], str(row[3]), row[4]) for row in counts))
        print(bp.run({str(tmp_path / "grid.yaml")!r}, {str(tmp_path / "run")!r}).already)
    """
    first, rows, again = printed("-c", textwrap.dedent(code), sites=(site,)).splitlines()
    assert (first, again) == ("10 0 0", "10")
    cells = [
        ("clean", "clean", "None"),
        ("dim-linf:eps=8/255", "adversarial", "None"),
        ("evidence", "evidence", "None"),
        ("pil-nearest+scanlines:2,period=3", "mixed", "2"),
        ("scanlines:3", "natural", "3"),
    ]
    assert rows == repr([(recipe, *cell, 8) for recipe in ("fp32", "power:w4a4,finer=1") for cell in cells])
    # The page is made from rows alone: where it is written, the package need not be installed.
    printed("-m", "bitproof", "report", str(tmp_path / "run"), sites=())
    page = (tmp_path / "run" / "report.html").read_text()
    assert "scanlines" in page and "power:w4a4" in page


WRONG = [
    ("scanlines:3", "scanlines:6", "line 6, noises.0: scanlines takes severity 1 to 5"),
    ("scanlines:3", "scanline:3", "Unknown noise 'scanline'. Did you mean 'scanlines'?"),
    ("scanlines:3", "scanlines:3,perod=2", "Did you mean 'period'?"),
    ("finer=1", "finr=1", "Did you mean 'finer'?"),
    ("finer=1", "symmetric=false", "Power has symmetric ranges only"),
    ("power:w4a4", "pwer:w4a4", "Did you mean 'power'?"),
]


def test_wrong_words_are_refused_like_those_of_our_own(site, grid_text):
    grids = []
    for old, new, _ in WRONG:
        assert old in grid_text
        grids.append(grid_text.replace(old, new, 1))
    code = f"""
        import json
        from bitproof.bench import parse_grids
        from bitproof.core import SpecError

        def refusal(text):
            try:
                parse_grids(text)
            except SpecError as error:
                return str(error)

        print(json.dumps([refusal(text) for text in {grids!r}]))
    """
    for (_, _, message), refusal in zip(WRONG, json.loads(printed("-c", textwrap.dedent(code), sites=(site,))), strict=True):
        assert message in refusal


def test_a_second_package_may_not_take_the_same_name(site, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    text = (
        '[project]\nname = "bitproof-rival"\nversion = "1"\n[project.entry-points."bitproof.noises"]\nscanlines = "rival:Other"\n'
    )
    (project / "pyproject.toml").write_text(text)
    (project / "bitproof_rival.py").write_text("")
    done = python("-m", "bitproof", "list", "noises", sites=(site, install(tmp_path / "rival", project)))
    assert done.returncode == 2 and "'scanlines' is taken twice" in done.stderr and "Traceback" not in done.stderr
