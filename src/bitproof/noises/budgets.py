"""Words that stand for attacks at published budgets. A family's fields are the settings of its spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import SpecError, ratio

#: RobustART's budgets, for inputs in [0, 1]: small, middle, large (add_noise_utils.py of DIG-Beihang/RobustART@068a4fd).
BUDGETS = {"linf": ("0.5/255", "2/255", "8/255"), "l2": ("0.5", "2", "8"), "l1": ("100", "400", "1600")}

#: The attacks of its evaluation (batch_eval_single_model.sh), and those that bitproof runs where no protocol is named.
ROBUSTART = ("fgsm-linf", "pgd-linf", "pgd-l2", "pgd-l1", "mim-linf", "autoattack-linf")
QUICK = ROBUSTART[:4]

#: What it fixes beside the budget. Steps are 3/40 of the budget, in ℓ1 that of the largest one, for MIM always the same.
CONSTANTS = {
    "fgsm-linf": "grad=ste",
    "pgd-linf": "steps=20,step={step},restarts=1,start=true,grad=ste,keep=last",
    "pgd-l2": "steps=20,step={step},restarts=1,start=true,grad=ste,keep=last",
    "pgd-l1": "steps=20,step=120,restarts=1,start=true,grad=ste,keep=last,projection=rescale",
    "mim-linf": "steps=20,step=0.002,restarts=1,start=true,grad=ste,keep=last,decay=1,clipped=false",
    "autoattack-linf": "steps=100,queries=5000,grad=ste",
}

#: The same on CIFAR-10 (cifar10/code/test_mul_adversarial.py and test.py): one budget an attack, and an ℓ1 step of 1.5·eps/20.
CIFAR = {
    "fgsm-linf": "8/255",
    "pgd-linf": "8/255",
    "pgd-l2": "1.5",
    "pgd-l1": "40",
    "mim-linf": "8/255",
    "autoattack-linf": "8/255",
}
CIFAR_CONSTANTS = CONSTANTS | {"pgd-l1": CONSTANTS["pgd-l1"].replace("120", "{step}")}


def _norm(attack: str) -> str:
    return attack.rpartition("-")[2]


def _spec(attack: str, eps: str, constants: dict[str, str]) -> str:
    return f"{attack}:eps={eps},{constants[attack].format(step=ratio(eps) * ratio('3/40'))}"


@dataclass(frozen=True)
class Attacks:
    """White-box gradient attacks at RobustART's three budgets of each norm; with a protocol MIM and AutoAttack as well.

    ``protocol=robustart`` fixes every constant as on ImageNet, ``protocol=robustart-cifar10`` as on CIFAR-10.
    """

    protocol: str | None = None

    source: ClassVar[str] = "RobustART (arXiv 2109.05211); DIG-Beihang/RobustART@068a4fd"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 12 specs, or the protocol's 18 or 6."""
        if self.protocol is None:
            return [f"{attack}:eps={eps}" for attack in QUICK for eps in BUDGETS[_norm(attack)]]
        if self.protocol == "robustart":
            return [_spec(attack, eps, CONSTANTS) for attack in ROBUSTART for eps in BUDGETS[_norm(attack)]]
        if self.protocol == "robustart-cifar10":
            return [_spec(attack, eps, CIFAR_CONSTANTS) for attack, eps in CIFAR.items()]
        raise SpecError(
            f"Unknown protocol {self.protocol!r} of 'attacks'. Allowed: 'robustart', 'robustart-cifar10'; "
            "without one, bitproof's defaults."
        )


@dataclass(frozen=True)
class AutoAttacks:
    """AutoAttack, standard, at RobustART's three budgets of a norm: linf, l2 or l1."""

    norm: str = "linf"

    source: ClassVar[str] = "arXiv 2003.01690; RobustART (arXiv 2109.05211)"

    def members(self, clean: tuple[str, ...]) -> list[str]:
        """Return 3 specs."""
        if self.norm not in BUDGETS:
            raise SpecError(f"norm={self.norm} is no norm of 'autoattack'. Allowed: {', '.join(BUDGETS)}.")
        return [f"autoattack-{self.norm}:eps={eps}" for eps in BUDGETS[self.norm]]


FAMILIES: dict[str, type[Attacks] | type[AutoAttacks]] = {"attacks": Attacks, "autoattack": AutoAttacks}
