"""The words for system noises: what they stand for, beside which clean pipeline."""

import pytest

from bitproof.noises import expand, noise

CLEAN = ("decode-pil", "pil-cubic")


def test_robustmqs_fourteen_without_the_clean_two():
    members = expand("system", CLEAN)
    assert len(members) == 12 and not {*CLEAN} & {*members}
    assert len(expand("system")) == 14


def test_the_grid_is_every_pair_once():
    members = expand("system-grid", CLEAN)
    assert len(set(members)) == len(members) == 6 * 11 - 1
    assert {*expand("system", CLEAN)} < {*members}
    assert {"decode-ffmpeg+cv-area", "decode-fast", "cv-area"} < {*members}
    assert not any(part in CLEAN for member in members for part in member.split("+"))


def test_a_clean_resize_outside_the_eleven_leaves_every_pair():
    assert len(expand("system-grid", ("decode-pil", "torch-cubic"))) == 6 * 11


def test_one_axis_at_a_time():
    members = expand("system-all", CLEAN)
    assert len(set(members)) == len(members)
    assert not any("+" in member for member in members)
    assert {*expand("system", CLEAN)} < {*members}
    expected = ["pil-cubic:mode=square", "pil-cubic:offset=-0.5", "torch-cubic:antialias=false", "decode-fastdct", "ceil-mode"]
    assert {*expected, "yuv-444", "yuv-420:matrix=bt709,range=full,arithmetic=float", "fp16", "bgr", "norm:like=none"} < {*members}
    assert {noise(member).site for member in members} == {"decode", "resize", "color", "model"}
    assert {noise(member).family for member in members} == {"system", "field"}


@pytest.mark.parametrize("clean", ["cv-area", "torch-cubic:antialias=false", "pil-cubic:offset=1,mode=square"])
def test_geometry_is_that_of_the_clean_resize_whatever_it_is(clean):
    members = expand("system-all", ("decode-pil", *expand(clean)))
    assert [member for member in members if "mode=square" in member and member.startswith(clean.partition(":")[0])]
    assert any("offset=0.5" in member for member in members) == clean.startswith("pil-")
