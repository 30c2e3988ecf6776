"""Geometry, fitting, controls, pictures and paper."""

import numpy as np
import pytest
import torch
from defenses_toy import SIZE, batches, right, victim
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from bitproof.core import Batches, BitproofError, DataError, SpecError
from bitproof.defenses import Patches, Sheet, canonical, controlled, defense, read_picture, sheet, write_picture
from bitproof.defenses.defensive_patch import Data, correlated, correlation_distance, specialist
from bitproof.defenses.geometry import mask_of, paste
from bitproof.defenses.moves import Moves, matrices, photographed
from bitproof.models import TorchVictim

SMALL = "defensive-patch:steps=40,prior_lr=0.05,n=24,batch=12"


def test_the_published_ring_covers_224_pixels_of_32():
    mask = mask_of("ring", 32, None, None)
    assert int(mask.sum()) == 224
    assert not mask[0].any()
    assert mask[1, 1:31].all()
    assert not mask[3:29, 3:29].any()


@settings(deadline=None)
@given(st.integers(8, 64), st.integers(0, 6), st.integers(1, 30), st.sampled_from(["ring", "corner"]))
def test_a_mask_lies_inside_and_leaves_something_to_see(size, margin, width, shape):
    try:
        mask = mask_of(shape, size, margin, width)
    except SpecError as error:
        assert "does not fit" in str(error)
        return
    rows, columns = mask.nonzero().T
    assert shape == "corner" or margin <= int(rows.min())
    assert int(columns.max()) < size - margin
    assert not mask.all()
    height = int(rows.max() - rows.min()) + 1
    assert int(mask.sum()) == (width**2 if shape == "corner" else height**2 - (height - 2 * width) ** 2)


@settings(deadline=None)
@given(st.integers(8, 64), st.integers(0, 70), st.integers(0, 70), st.integers(1, 70))
def test_a_square_lies_where_it_is_put_or_is_refused(size, x, y, width):
    spec = defense(f"defensive-patch:shape=square,left={x},top={y},width={width}")
    if width == size or max(x, y) + width > size:
        with pytest.raises(SpecError, match=f"picture of {size}×{size} px"):
            spec.mask(size)
        return
    rows, columns = spec.mask(size).nonzero().T
    assert (int(columns.min()), int(rows.min()), len(rows)) == (x, y, width**2)
    assert int(columns.max()) - int(columns.min()) == int(rows.max()) - int(rows.min()) == width - 1


def test_a_square_without_a_place_is_in_the_middle_and_other_shapes_have_no_place():
    mask = defense("unadversarial:shape=square").mask(32)
    assert (int(mask.sum()), bool(mask[11:21, 11:21].all())) == (100, True)
    assert canonical("defensive-patch:shape=square,top=0,left=3") == "defensive-patch:shape=square,left=3,top=0"
    for wrong in ("defensive-patch:left=3", "unadversarial:top=0", "defensive-patch:shape=square,margin=2"):
        with pytest.raises(SpecError, match="says nothing of shape="):
            defense(wrong)
    with pytest.raises(SpecError, match="left=-1"):
        defense("defensive-patch:shape=square,left=-1")


@pytest.mark.slow
def test_both_stages_run_at_the_size_of_imagenet_and_each_does_what_it_is_for():
    draw = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 8, 7, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 3)
    net, x, y = TorchVictim(nn.Sequential(*layers)), torch.rand(4, 3, 224, 224, generator=draw), torch.tensor([0, 1, 2, 0])
    found = defense("defensive-patch:steps=20,prior_lr=0.05,n=4,batch=2,epochs=1").fit(
        [net], Batches(((x[:2], y[:2]), (x[2:], y[2:])), (0, 1, 2), 224, 0)
    )
    assert found.pattern.shape == (3, 3, 224, 224) and 0 <= float(found.pattern.min()) <= float(found.pattern.max()) <= 1
    rows = found.mask.nonzero()[:, 0]
    assert (int(rows.min()), int(rows.max()), float(found.mask.float().mean())) == (7, 216, pytest.approx(224 / 1024))
    grey, own = torch.full((3, 3, 224, 224), 0.5), torch.arange(3)
    assert net.loss(paste(grey, found.pattern, found.mask), own).mean() < net.loss(grey, own).mean() - 0.05
    data = Data([(x[:2], y[:2], y[:2]), (x[2:], y[2:], y[2:])], found.mask)
    alone = specialist(net, grey, data, 0.1, Moves(), draw)
    assert net.loss(paste(x, alone[y], found.mask), y).mean() < net.loss(paste(x, grey[y], found.mask), y).mean()
    shared = correlated(grey, [alone], data, 0.05)
    target = paste(x, alone[y], found.mask)
    before, after = (correlation_distance(paste(x, each[y], found.mask), target, found.mask).mean() for each in (grey, shared))
    assert after < before / 2


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_the_distance_of_correlations_is_that_of_the_matrices_it_never_makes(seed):
    draw = torch.Generator().manual_seed(seed)
    a, b = torch.rand(2, 2, 3, 8, 8, generator=draw)
    mask = mask_of("ring", 8, 1, 1)

    def gram(x):
        features = (2 * x.double() - 1).flatten(2)
        return features[:, :, mask.flatten()].mT @ features

    expected = (gram(a) - gram(b)).square().mean(dim=(1, 2))
    torch.testing.assert_close(correlation_distance(a, b, mask), expected)


def test_a_photograph_without_moves_is_the_picture_and_a_turn_by_90_degrees_is_a_turn():
    x, draw = torch.rand(2, 3, 9, 9), torch.Generator()
    assert torch.equal(photographed(x, Moves(), draw), x)
    from bitproof.defenses.moves import moved

    theta = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]).repeat(2, 1, 1)
    torch.testing.assert_close(moved(x, theta), torch.rot90(x, 1, (2, 3)))


def test_moves_stay_in_their_ranges_and_use_all_of_them():
    theta = matrices(Moves(rotate=10, scale=0.1, shear=5, shift=0.05), 500, torch.Generator().manual_seed(0))
    size = theta[:, :, :2].det().abs().rsqrt()
    assert 0.9 <= float(size.min()) < 0.91
    assert 1.09 < float(size.max()) <= 1.1
    assert 0.09 < float(theta[:, :, 2].abs().max()) <= 0.1
    turn = torch.atan2(theta[:, 1, 0], theta[:, 0, 0]).rad2deg()
    assert 9.8 < float(turn.abs().max()) <= 10


@pytest.mark.parametrize("spec", [SMALL, f"{SMALL},epochs=0", "unadversarial:n=24,batch=12,epochs=20,lr=0.05,width=8"])
def test_a_fitted_patch_makes_its_class_easier_for_every_victim(spec):
    victims, given = [victim(7), victim(8)], batches()
    fitted = defense(spec).fit(victims, given)
    nothing = Patches(fitted.pattern, torch.zeros_like(fitted.mask), fitted.labels)
    for each in victims:
        assert right([each], fitted, given) > right([each], nothing, given) + 0.2


def test_photographs_change_what_is_fitted():
    still = "defensive-patch:steps=3,epochs=0,rotate=0,scale=0,shear=0,brightness=0"
    before = defense(still).fit([victim()], batches()).pattern
    for word in ("rotate=20", "scale=0.3", "shear=20", "shift=0.2", "brightness=0.5"):
        name = word.partition("=")[0]
        items = ",".join([part for part in still.partition(":")[2].split(",") if not part.startswith(name)] + [word])
        assert not torch.equal(defense(f"defensive-patch:{items}").fit([victim()], batches()).pattern, before), word


def test_a_fit_asks_for_victims_with_gradients_and_pictures_of_its_classes():
    with pytest.raises(SpecError, match="gradient"):
        defense(SMALL).fit([], batches())
    with pytest.raises(DataError, match="none of them"):
        defense(SMALL).fit([victim()], batches(labels=(9,)))


@pytest.fixture
def patches():
    draw = torch.Generator().manual_seed(3)
    return Patches(torch.rand(3, 3, SIZE, SIZE, generator=draw), mask_of("ring", SIZE, 1, 2), (0, 4, 7))


def test_a_patch_changes_nothing_but_its_place_and_grows_no_larger_than_the_picture(patches):
    x = torch.rand(2, 3, SIZE, SIZE)
    worn = patches(x, 4, 0)
    assert torch.equal(worn[:, :, ~patches.mask], x[:, :, ~patches.mask])
    assert torch.equal(worn[0][:, patches.mask], patches.pattern[1][:, patches.mask])
    wide = torch.rand(1, 3, SIZE + 6, SIZE + 4)
    assert torch.equal(patches(wide, 4, 0)[:, :, 3:-3, 2:-2], patches(wide[:, :, 3:-3, 2:-2], 4, 0))
    with pytest.raises(DataError, match="larger"):
        patches(x[:, :, :8, :8], 4, 0)
    with pytest.raises(DataError, match="no patch for class 5"):
        patches(x, 5, 0)


def test_the_wrong_class_is_never_the_right_one_and_every_other_one_comes(patches):
    wrong = controlled(patches, "wrong", 0)
    assert {wrong.shown(4, seed) for seed in range(50)} == {0, 7}
    x = torch.rand(1, 3, SIZE, SIZE)
    assert torch.equal(wrong(x, 4, 11), patches(x, wrong.shown(4, 11), 0))
    with pytest.raises(SpecError, match="two classes"):
        controlled(Patches(patches.pattern[:1], patches.mask, (0,)), "wrong", 0)


def test_a_random_ring_has_the_energy_of_the_patches_and_knows_no_class(patches):
    random = controlled(patches, "random", 0)
    inside = random.pattern[:, :, patches.mask] - 0.5
    torch.testing.assert_close(inside.square().mean(), (patches.pattern[:, :, patches.mask] - 0.5).square().mean())
    assert random.shown(4, 0) is None
    x = torch.rand(1, 3, SIZE, SIZE)
    assert torch.equal(random(x, 0, 0), random(x, 7, 0))


def test_alone_there_is_no_object(patches):
    alone = controlled(patches, "alone", 0)
    assert torch.equal(alone(torch.zeros(1, 3, SIZE, SIZE), 4, 0), alone(torch.ones(1, 3, SIZE, SIZE), 4, 0))
    assert alone.shown(4, 0) == 4


def test_a_picture_comes_back_to_the_last_level(patches):
    pattern, mask = read_picture(write_picture(patches.of(4), patches.mask), "4.png")
    assert torch.equal(mask, patches.mask)
    assert float((pattern - patches.of(4))[:, mask].abs().max()) <= 0.5 / 255 + 1e-6
    again = read_picture(write_picture(pattern, mask), "4.png")
    assert torch.equal(again[0], pattern)
    with pytest.raises(DataError, match=r"'x\.png'"):
        read_picture(b"no picture", "x.png")


def test_paper_has_the_size_that_was_asked_for(tmp_path, patches):
    image = Image.open(
        __import__("io").BytesIO(write_picture(torch.zeros(3, SIZE, SIZE), torch.ones(SIZE, SIZE, dtype=torch.bool)))
    )
    assert sheet([("0", image)], tmp_path / "a.png", Sheet(side_mm=80, dpi=254)) == 1
    page = Image.open(tmp_path / "a.png")
    assert page.size == (2100, 2970)
    assert page.info["dpi"] == pytest.approx((254, 254), abs=0.1)
    black = np.argwhere(np.asarray(page.convert("L"))[:950] < 10)
    assert black[:, 1].max() - black[:, 1].min() + 1 == pytest.approx(800, abs=2)
    assert sheet([(str(i), image) for i in range(7)], tmp_path / "a.pdf", Sheet(side_mm=80)) == 2
    with pytest.raises(SpecError, match="2 are needed"):
        sheet([(str(i), image) for i in range(7)], tmp_path / "b.png", Sheet(side_mm=80))
    with pytest.raises(SpecError, match="does not fit on a4"):
        Sheet(side_mm=300)


def test_a_spec_prints_in_one_form():
    assert canonical("defensive-patch:epochs=5,on=float,steps=7") == "defensive-patch:on=float,steps=7"
    assert canonical("none") == "none"
    for bad in (
        "defensive-patch:at=within",
        "defensive-patch:shape=star",
        "jpeg:quality=0",
        "bn-reestimate",
        "none:1",
        "patch",
        "jpeg:width=-1",
    ):
        with pytest.raises(BitproofError):
            canonical(bad)
