import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from bitproof.bench import comparison, fidelity, peers
from bitproof.core import BitproofError, MissingExtra
from bitproof.results import Pieces

pytest.importorskip("imagecorruptions")

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
RANDOM = [name for name in (*comparison.BENCHMARK, *comparison.EXTRA) if name not in comparison.DETERMINISTIC]


def model(file, size):
    return f"python:{file}#build,size={size},mean=imagenet,std=imagenet,classes=4"


@pytest.mark.parametrize("name", RANDOM)
def test_a_reference_repeats_under_its_seed_and_leaves_the_global_generator_alone(name):
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    for peer in peers.peers(name):
        first, other = peer.call(name, IMAGE, 3, 11), peer.call(name, IMAGE, 3, 12)
        np.random.rand(5)
        assert np.array_equal(first, peer.call(name, IMAGE, 3, 11))
        assert not np.array_equal(first, other)
        np.random.seed(3)
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("name", comparison.DETERMINISTIC)
def test_what_counts_as_without_chance_draws_nothing(name):
    (peer,) = peers.peers(name)
    assert np.array_equal(peer.call(name, IMAGE, 2, 1), peer.call(name, IMAGE, 2, 2))


def test_frost_never_draws_the_sixth_texture():
    seeds = [peers._five_textures(seed) for seed in range(200)]
    drawn = {int(np.random.RandomState(seed).randint(6)) for seed in seeds}
    assert drawn == {0, 1, 2, 3, 4}
    assert sum(a != b for a, b in enumerate(seeds)) > 10, "without the rule it would be drawn"


def test_lines_of_a_comparison(pictures, model_file, tmp_path):
    task, pieces = f"imagefolder:{pictures}", Pieces(tmp_path)
    lines, notes = fidelity(task, 8, model(model_file, 40), ["pixelate", "elastic_transform"], [1, 5], pieces)
    assert lines.select("noise", "random", "n").rows() == [
        ("pixelate:1", False, 8),
        ("pixelate:5", False, 8),
        *[(f"elastic_transform:{severity}", True, 8) for severity in (1, 1, 5, 5)],
    ]
    assert lines.filter(name="pixelate")["delta_max"].to_list() == [0, 0]
    assert lines.filter(name="pixelate")["difference"].to_list() == [0, 0]
    assert lines["accuracy_ours"].is_between(0, 100).all()
    assert {name for name, _ in notes} == {"elastic_transform"}


def test_what_was_measured_is_not_measured_again(pictures, tmp_path, monkeypatch):
    task, ask = f"imagefolder:{pictures}", (["fog", "contrast"], [2])
    first, _ = fidelity(task, 6, None, *ask, Pieces(tmp_path))
    monkeypatch.setattr(comparison, "features", lambda *pictures: pytest.fail("measured again"))
    again, _ = fidelity(task, 6, None, *ask, Pieces(tmp_path))
    assert_frame_equal(first, again)
    with pytest.raises(pytest.fail.Exception):
        fidelity(task, 7, None, *ask, Pieces(tmp_path))


def test_pictures_do_not_depend_on_the_batch(pictures, monkeypatch):
    task, ask = f"imagefolder:{pictures}", (["gaussian_noise"], [3])
    together, _ = fidelity(task, 6, None, *ask)
    monkeypatch.setattr(comparison, "_BATCH", 4)
    assert_frame_equal(together, fidelity(task, 6, None, *ask)[0])


@pytest.mark.parametrize(
    ("ask", "part"),
    [
        ({"names": ["fogg"]}, "Did you mean 'fog'"),
        ({"severities": [6]}, "Severity 6"),
        ({"limit": 1000}, "48"),
        ({"size": 24}, "at least 32 px"),
    ],
)
def test_bad_input_is_named_before_anything_is_measured(ask, part, pictures, model_file, monkeypatch):
    monkeypatch.setattr(comparison, "apart", lambda *pictures: pytest.fail("measured"))
    spec = model(model_file, ask.pop("size", 32))
    with pytest.raises(BitproofError, match=part):
        fidelity(f"imagefolder:{pictures}", model=spec, **ask)


def test_without_the_reference_the_extra_is_named(pictures, monkeypatch):
    monkeypatch.setattr(peers, "FORK", "no-such-package")
    with pytest.raises(MissingExtra, match=r"bitproof\[peers\]"):
        fidelity(f"imagefolder:{pictures}")


def test_the_columns_of_a_piece(pictures):
    frame = comparison.Comparison(f"imagefolder:{pictures}", 3, None, None).pictures(
        comparison.Line("snow", 2, peers.peers("snow")[0])
    )
    assert frame.schema == comparison.SCHEMA
    assert frame["ours"].list.len().to_list() == [14] * 3
    assert frame.filter(pl.col("ours_correct").is_not_null()).is_empty()
