"""Controls of a patch: analysis, which knows no torch, asks for all that there are."""

from bitproof.analysis.controlled import CONTROLS as ASKED_FOR
from bitproof.defenses import CONTROLS


def test_every_control_is_asked_for_before_a_patch_has_a_figure():
    assert set(ASKED_FOR) == set(CONTROLS)
