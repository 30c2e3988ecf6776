"""The example keeps what our own entries keep: an outside package can be held to the same checks."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def visible(monkeypatch):
    monkeypatch.syspath_prepend(str(TESTS / "contract"))
    monkeypatch.syspath_prepend(str(TESTS / "plugin" / "bitproof_example"))


def test_the_quantizer():
    from bitproof_example import Power
    from contract_quantizers import CHECKS

    for check in CHECKS:
        check(Power)


def test_the_noise():
    from bitproof_example import Scanlines
    from contract_pictures import CHECKS

    for check in CHECKS["image"]:
        check(Scanlines)


def test_the_attack():
    from bitproof_example import DimLinf
    from contract_attacks import CHECKS, Method

    for check in CHECKS:
        check(Method("dim-linf", DimLinf))
