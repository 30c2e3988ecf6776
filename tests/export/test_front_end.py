"""The front end of packed networks against the noise that networks are trained and measured with."""

import pytest
import torch

from bitproof import kernels
from bitproof.core import ShapeError
from bitproof.export import front_end
from bitproof.export.native_front import NativeFront
from bitproof.noises import noise

native = pytest.mark.skipif(not kernels.can_plan(), reason="the C++ kernels were not built")


@native
@pytest.mark.parametrize(
    "spec", ["logmel-32", "logmel-32:center=false", "logmel-32:mel=slaney,norm=slaney,window=hamming", "mfcc-49x10"]
)
def test_it_gives_the_same_features(spec):
    loud = torch.rand(3, 16_000) * 2 - 1
    waves = torch.stack([loud[0], 1e-4 * loud[1], loud[2] * (torch.arange(16_000) < 4_000)])  # loud, quiet, then silent
    fast = front_end(spec)
    assert isinstance(fast, NativeFront)
    found, expected = fast(waves), noise(spec)(waves)
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    with pytest.raises(ShapeError, match="16000"):
        fast(waves[:, 1:])


def test_without_native_kernels_it_is_the_noise(monkeypatch):
    monkeypatch.setenv("BITPROOF_KERNELS", "reference")
    assert front_end("logmel-32") == noise("logmel-32")
