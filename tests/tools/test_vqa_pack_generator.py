"""The generator of the embedded pack: the same each time, and what it made is what is shipped."""

import itertools
import random
from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bitproof.tasks.vqa import SCENARIOS
from bitproof.tasks.vqa.pack import EMBEDDED, Pack
from tools.vqa_pack import __main__ as command
from tools.vqa_pack import build, draws
from tools.vqa_pack.record import records


def same_as_shipped(scenarios):
    shipped = {each.id: each for each in Pack("embedded").load().samples if each.item.scenario in scenarios}
    made = {record["item"]: record for record in build.build(scenarios)}
    assert list(made) == list(shipped)
    for name, record in made.items():
        item = shipped[name].item
        assert (record["answer"], tuple(record["questions"]), record["options"]) == (item.answer, item.questions, [*item.options])
        a, b = (np.asarray(Image.open(BytesIO(file)), dtype=int) for file in (record["image"], shipped[name].read()))
        # Other releases of Pillow, OpenCV and FreeType may round edges and letters otherwise.
        assert a.shape == b.shape and np.abs(a - b).mean() < 2, name


def test_what_is_shipped_is_what_the_generator_makes():
    same_as_shipped(["relation"])


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "relation"])
def test_every_scenario_shipped_is_what_the_generator_makes(scenario):
    same_as_shipped([scenario])


def test_a_second_run_writes_the_same_bytes(tmp_path):
    for name in "ab":
        build.write(build.table(records("sentiment", build.scenes("sentiment")[:4])), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_one_command_writes_the_pack_and_a_sheet_of_each_scenario(tmp_path, monkeypatch, capsys):
    kept = [records(name, build.scenes(name)[:2]) for name in ("location", "fine-grained")]
    monkeypatch.setattr(command, "build", lambda: itertools.chain(*kept))
    monkeypatch.setattr("sys.argv", ["vqa_pack", "-o", str(tmp_path / "a.parquet"), "--sheets", str(tmp_path / "sheets")])
    command.main()
    assert "8 items about 4 pictures" in capsys.readouterr().out
    assert len(Pack(str(tmp_path / "a.parquet")).load()) == 8
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["fine-grained.png", "location.png"]
    assert Image.open(tmp_path / "sheets" / "location.png").width >= 2 * 300


def test_the_columns_are_the_packs():
    assert list(build.SCHEMA) == build.pl.read_parquet(EMBEDDED, n_rows=1).columns


@given(st.integers(1, 9), st.integers(0, 60), st.integers())
def test_a_deal_is_even(kinds, count, start):
    hand = draws.deal(range(kinds), count, random.Random(start))
    times = Counter(hand)
    assert len(hand) == count
    assert max(times[k] for k in range(kinds)) - min(times[k] for k in range(kinds)) <= 1


@given(st.lists(st.floats(10, 40), min_size=1, max_size=8), st.integers())
def test_places_lie_apart_and_inside(sizes, start):
    found = draws.places(random.Random(start), sizes, 200, 200, gap=3)
    for i, (x, y) in enumerate(found):
        assert all(sizes[i] / 2 <= v <= 200 - sizes[i] / 2 for v in (x, y))
        for (u, v), size in zip(found[:i], sizes, strict=False):
            assert np.hypot(x - u, y - v) > (size + sizes[i]) / 2 + 3


def test_discs_that_cannot_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        draws.places(random.Random(0), [90] * 9, 100, 100)
