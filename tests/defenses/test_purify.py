"""Purifications against other people's code, and their derivatives."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from bitproof.convert import Rewriter
from bitproof.core import Batches, ModelError
from bitproof.defenses import defense


@pytest.fixture
def x():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_total_variation_is_that_of_scikit_image(x):
    restoration = pytest.importorskip("skimage.restoration", reason="scikit-image is not installed")
    ours = defense("total-variation:weight=0.1,steps=30")(x.double(), 0, 0)
    for picture, found in zip(x, ours, strict=True):
        theirs = restoration.denoise_tv_chambolle(picture.double().numpy(), weight=0.1, eps=0, max_num_iter=31, channel_axis=0)
        np.testing.assert_allclose(found.numpy(), theirs, atol=1e-6)


def test_jpeg_is_pillow_s(x):
    levels = (x * 255).round() / 255
    file = io.BytesIO()
    Image.fromarray((levels[0] * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "JPEG", quality=60)
    theirs = torch.tensor(np.asarray(Image.open(file))).permute(2, 0, 1) / 255
    torch.testing.assert_close(defense("jpeg:quality=60")(levels, 0, 0)[0], theirs)


def test_bit_depth_leaves_so_many_levels(x):
    assert len(defense("bit-depth:bits=2")(x, 0, 0).mul(3).round().unique()) == 4


def test_a_random_resize_follows_its_seed_and_leaves_black_around(x):
    built = defense("random-resize:least=0.5")
    assert torch.equal(built(x, 0, 5), built(x, 0, 5))
    assert len({tuple(built(x, 0, seed)[0, 0].count_nonzero(dim=0).tolist()) for seed in range(10)}) > 3
    assert torch.equal(defense("random-resize:least=1")(x, 0, 5), x)


@pytest.mark.parametrize("spec", ["jpeg", "bit-depth", "total-variation", "random-resize"])
def test_an_attacker_can_go_through_it(spec, x):
    x.requires_grad_()
    (defense(spec)(x, 0, 3).square().sum()).backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0


def test_batch_norms_take_the_statistics_of_the_pictures(x):
    net = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(768, 2)).eval()
    given = Batches(((x, torch.zeros(2)), (1 - x, torch.zeros(2))), (), 16, 0)
    changed = defense("bn-reestimate:noise=fog:3,weight=0.25").fit([], given)(Rewriter(net, x))
    mean = torch.stack([b.mean(dim=(0, 2, 3)) for b in (x, 1 - x)]).mean(dim=0)
    variance = torch.stack([b.transpose(0, 1).flatten(1).var(dim=1) for b in (x, 1 - x)]).mean(dim=0)
    torch.testing.assert_close(changed[0].running_mean, 0.25 * mean)
    torch.testing.assert_close(changed[0].running_var, 0.75 + 0.25 * variance)
    assert not changed[0].training
    assert torch.equal(net[0].running_mean, torch.zeros(3))
    with pytest.raises(ModelError, match="fold=false"):
        Rewriter(torch.nn.Linear(1, 1), x).reestimate([x], 1.0)
