"""Trained networks on real pictures: the integers stay within a stated distance of the simulation, clean and noisy."""

import os
from pathlib import Path

import pytest
import torch

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from bitproof.bench import export, subject
from bitproof.export import low_bit_layers

DATA = os.environ.get("BITPROOF_DATA", "")
NEEDED = pytest.mark.skipif(not Path(DATA, "cifar10-jpeg-test.parquet").is_file(), reason="$BITPROOF_DATA is not there")
RESNET = f"resnet20:weights={DATA}/weights/cifar10-resnet20.safetensors"
CIFAR, IMAGENET = f"parquet:{DATA}/cifar10-jpeg-test.parquet", f"parquet:{DATA}/imagenet-sample-500.parquet,classes=1000"


@NEEDED
@pytest.mark.parametrize("recipe", ["minmax:w8a8", "minmax:w8a8,fold=false,per=tensor"])
def test_resnet20_at_8_bits(recipe, tmp_path):
    found = export(subject(RESNET, recipe, CIFAR, 64, None), tmp_path, ["fog:3"], limit=48)
    assert {layer.kernel for layer in found.exported.layers} == {"QLinearConv", "ConvInteger", "MatMulInteger"}
    for comparison in found.comparisons:
        assert comparison.gap.logits.sqnr_db > 30
        assert comparison.gap.flipped <= 3  # ties: 6 of 400 at most, where the first logit leads by less than 0.14
        assert max(d.mean for d in comparison.gap.layers.values()) < 0.5
    assert found.exported.size_bytes < 0.35e6


@NEEDED
@pytest.mark.parametrize(("recipe", "flips"), [("minmax:w4a4", 3), ("minmax:w8a8", 0)])
def test_most_of_the_gap_is_the_rounding_of_biases(recipe, flips, tmp_path):
    """A simulation with the biases of fused layers rounded to s_x·s_w is nearer to the integers, at 4 bits code for code."""
    given = subject(RESNET, recipe, CIFAR, 64, None)
    plain = export(given, tmp_path, limit=48)
    with torch.no_grad():
        for layer in plain.exported.layers:
            rounded = low_bit_layers(given.module)[layer.name]
            if layer.kernel == "QLinearConv":
                unit = (rounded.input_quantizer.scale * rounded.weight_quantizer.scale).flatten()
                rounded.layer.bias.copy_((rounded.layer.bias.double() / unit.double()).round() * unit)
    near = export(given, tmp_path, limit=48)
    assert near.exported.graph == plain.exported.graph  # rounding twice is rounding once
    before, after = plain.comparisons[0].gap, near.comparisons[0].gap
    assert after.logits.sqnr_db > before.logits.sqnr_db + 6 and after.flipped <= before.flipped
    assert before.flipped >= flips
    if recipe == "minmax:w4a4":
        assert all(difference.largest == 0 for difference in after.layers.values())


@NEEDED
@pytest.mark.slow
def test_efficientnet_lite0_at_8_bits(tmp_path):
    pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed")
    found = export(subject("efficientnet-lite0", "mse:w8a8", "photos", 14, IMAGENET), tmp_path, ["fog:3"], limit=48)
    kernels = [layer.kernel for layer in found.exported.layers]
    assert kernels.count("QLinearConv") == 34 and all(kernels) and found.exported.size_bytes < 5.5e6
    for comparison in found.comparisons:
        assert comparison.gap.flipped <= 3 and comparison.gap.logits.sqnr_db > 25
