"""A thinnable network, packed with all its depths: one file, one copy of what is the same, no reload."""

import pytest
import torch
from torch import nn

import bitproof as bp
from bitproof.bench import Listening
from bitproof.convert import at_depth
from bitproof.core import Clip, ModelError, SpecError, StoreError
from bitproof.export import PackedDepths, deploy, deploy_depths, load_packed, save_packed
from bitproof.models import load

DEPTHS = (4, 8, 1)


@pytest.fixture(scope="module")
def simulated():
    torch.manual_seed(0)
    x = 25 * torch.randn(3, 1, 32, 32) - 30
    model = bp.quantize(bp.model("bifsmn").module, "bifsmn:w1a1,fold=false", [x]).model
    for norm in [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]:
        nn.init.normal_(norm.bias, 0, 0.3)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    return model, x


@pytest.fixture(scope="module")
def packed(simulated):
    model, x = simulated
    return deploy_depths(model, x, DEPTHS).model


@pytest.fixture(scope="module")
def file(packed, tmp_path_factory):
    path = tmp_path_factory.mktemp("depths") / "packed.safetensors"
    save_packed(packed, path, {"kind": "keyword", **vars(Clip("logmel-32"))})
    return path


def test_each_depth_is_the_simulation_at_that_depth_and_switching_keeps_the_others(simulated, packed):
    model, x = simulated
    assert packed.depth == 4 and packed.depths == (8, 4, 1)
    with torch.no_grad():
        for depth in (8, 1, 4, 8):
            packed.set_depth(depth)
            torch.testing.assert_close(packed(x), at_depth(model, depth)(x), rtol=1e-4, atol=1e-4)
            assert torch.equal(packed(x), deploy(at_depth(model, depth), x).model(x))
    packed.set_depth(4)


def test_weights_are_held_once_and_stored_once(packed, file, tmp_path):
    last = [packed.at(depth).products["net.blocks.7.up"].signs for depth in DEPTHS]
    assert last[0].weight is last[1].weight is last[2].weight
    names = {name for depth in DEPTHS for name in packed.at(depth).tensors if "linear" in name}
    assert len({packed.at(d).tensors[name].data_ptr() for name in names for d in DEPTHS}) == len(names)
    alone = sum(save_packed(packed.at(depth), tmp_path / "one.safetensors") for depth in DEPTHS)
    deepest = save_packed(packed.at(8), tmp_path / "one.safetensors")
    assert file.stat().st_size < 0.85 * alone and file.stat().st_size < 1.7 * deepest


def test_read_again_it_switches_without_a_reload(packed, file, simulated):
    x, again = simulated[1], load_packed(file)
    assert isinstance(again, PackedDepths) and again.depth == 4 and "depth 4 of 8, 4, 1" in repr(again)
    file_weights = [again.at(depth).products["net.project"].signs.weight for depth in DEPTHS]
    assert file_weights[0] is file_weights[1]
    for depth in (1, 8, 4):
        again.set_depth(depth)
        assert torch.equal(again(x), packed.at(depth)(x))


def test_its_door_takes_a_depth(file, packed, simulated):
    x = simulated[1]
    assert torch.equal(load(f"packed:{file},depth=1").module(x), packed.at(1)(x))
    assert torch.equal(load(f"packed:{file}").module(x), packed.at(4)(x))
    with pytest.raises(SpecError, match="no depth 2: 8, 4, 1"):
        load(f"packed:{file},depth=2")


def test_what_cannot_be(simulated, packed, tmp_path):
    model, x = simulated
    with pytest.raises(SpecError, match="each once"):
        deploy_depths(model, x, (4, 4))
    with pytest.raises(SpecError, match="no depth 3"):
        deploy_depths(model, x, (8, 3))
    with pytest.raises(SpecError, match="one depth"):
        deploy_depths(nn.Linear(3, 3), x, (8,))
    for depths in ((8, 4), (4,)):
        with pytest.raises(ModelError, match="fold=false"):
            deploy_depths(bp.quantize(bp.model("bifsmn").module, "minmax:w8a8", [x]).model, x, depths)
    with pytest.raises(StoreError, match="cannot be written"):
        save_packed(packed, tmp_path / "no" / "file")


def test_listening_at_a_depth(file, tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    wave = 0.1 * torch.randn(40_000, generator=torch.Generator().manual_seed(0)).numpy()
    soundfile.write(tmp_path / "long.wav", wave, 16_000)
    heard = {depth: list(Listening(f"packed:{file}", threshold=0, depth=depth).hear(tmp_path / "long.wav")) for depth in (8, 1)}
    assert list(Listening(f"packed:{file},depth=1", threshold=0).hear(tmp_path / "long.wav")) == heard[1]
    with pytest.raises(SpecError, match="no depth 5"):
        list(Listening(f"packed:{file}", depth=5).hear(tmp_path / "long.wav"))
    with pytest.raises(SpecError, match="one depth"):
        list(Listening("res8", depth=4).hear(tmp_path / "long.wav"))
