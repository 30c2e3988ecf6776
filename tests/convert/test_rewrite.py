"""Rewritten networks against torch's own arithmetic."""

import pytest
import torch
from networks import Residual, lively, pictures
from torch import nn

from bitproof.convert import Rewriter, quantize
from bitproof.core import ModelError


@pytest.mark.parametrize(("dtype", "step"), [("float16", 2**-11), ("bfloat16", 2**-8)])
@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(3, 4, 3), nn.Linear(16, 4)], ids=lambda m: type(m).__name__
)
@torch.no_grad()
def test_a_layer_is_its_rounded_numbers_summed_in_float64_and_rounded(layer, dtype, step):
    """Within two roundings, the float32 sum's and the result's own."""
    kind, x = getattr(torch, dtype), pictures()
    rounded = {name: value.to(kind).double() for name, value in layer.state_dict().items()}
    exact = torch.func.functional_call(layer.double(), rounded, x.to(kind).double())
    found = Rewriter(layer.float()).cast(dtype)(x)
    assert found.dtype == torch.float32
    assert torch.equal(found, found.to(kind).float())
    assert ((found - exact).abs() <= step * exact.abs() + 1e-5).all()


@torch.no_grad()
def test_every_operation_is_rounded_as_torch_rounds_it():
    """Against torch's own half precision on the whole network: the sums differ in their last bit, nothing else does."""
    model = lively(Residual())
    ours, theirs = Rewriter(model).cast("bfloat16")(pictures()), Rewriter(model).copy().bfloat16()(pictures().bfloat16()).float()
    assert (ours - theirs).abs().max() <= 2**-7 * theirs.abs().max()
    assert not torch.equal(ours, model(pictures()))


@torch.no_grad()
def test_quantizers_are_rounded_too():
    low_bit = quantize(lively(Residual()), "mse:w8a8", [pictures()]).model
    changed = Rewriter(low_bit).cast("float16")
    assert {value.dtype for value in changed.state_dict().values() if value.is_floating_point()} == {torch.float16}
    assert (changed(pictures()) - low_bit(pictures())).abs().max() < 0.5


def test_a_finished_session_is_refused():
    with pytest.raises(ModelError, match="finished session"):
        Rewriter(nn.Identity(), finished=True).cast("float16")
