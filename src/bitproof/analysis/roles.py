"""What an attack's spec says about its part in an audit, and which attacks an audit asks for."""

from __future__ import annotations

from bitproof.analysis.budgets import Budget, budget, free
from bitproof.core import Gradient, Spec

#: Attacks that see logits or labels alone.
BLACK = ("square", "hopskipjump", "boundary")

#: Attacks whose loss has no scale, so that large logits cannot silence it.
SCALE_FREE = ("apgd-dlr", "apgd-t", "fab", "fmn", "ddn", "square", "hopskipjump", "boundary", "autoattack")

#: Attacks that seek the smallest change; with ``eps`` they stand in its ball.
MINIMAL = ("fmn", "ddn", "hopskipjump", "boundary")

#: Steps of PGD where a spec names none.
STEPS = 20

#: The two numbers of steps that an audit compares: 20 steps of 0.075·eps do not cross a ball, 40 do, and 100 show what is left.
MORE = (40, 100)


def role(noise: str) -> str:
    """``noise`` (random, no attack), ``transfer``, ``black`` or ``white``; AutoAttack, which is both, counts as white."""
    name = Spec.parse(noise).name
    if name.startswith(("noise-", "transfer-")):
        return name.partition("-")[0]
    return "black" if name.startswith(BLACK) else "white"


def boundless(noise: str) -> bool:
    """Whether any change counts as a success: everything may change, or the smallest change is sought without a budget."""
    ball = budget(noise)
    return free(ball) if ball else noise.startswith(MINIMAL) and "eps" not in Spec.parse(noise).options


def scale_free(noise: str) -> bool:
    """Whether the attack's loss does not saturate with the size of the logits."""
    spec = Spec.parse(noise)
    return spec.name.startswith(SCALE_FREE) or spec.options.get("loss", "ce") != "ce"


def straight(noise: str) -> bool:
    """Whether it is PGD on the cross-entropy through the straight-through estimator: what is usually published."""
    options = Spec.parse(noise).options
    plain = options.get("loss", "ce") == "ce" and "temperature" not in options
    return noise.startswith("pgd-") and plain and options.get("grad", "ste") == "ste"


def smooth(noise: str, gradient: str | None) -> bool:
    """Whether it takes a gradient without a clip mask, or through a smooth staircase."""
    return role(noise) == "white" and gradient is not None and Gradient.parse(gradient).mode in ("ste-full", "soft", "bpda")


def effort(noise: str) -> int:
    """Steps times restarts."""
    options = Spec.parse(noise).options
    return int(options.get("steps", STEPS)) * int(options.get("restarts", 1))


def without_effort(noise: str) -> str:
    """The spec without its steps and restarts: attacks that agree in it differ in effort alone."""
    spec = Spec.parse(noise)
    return str(Spec(spec.name, tuple(item for item in spec.items if item[0] not in ("steps", "restarts", "step"))))


def wanted(ball: Budget) -> dict[str, tuple[str, ...]]:
    """Check → the attacks in ``ball`` that answer it, as specs."""
    norm, at = ball.norm, f"eps={ball.text}"
    found = {
        "gap": (f"pgd-{norm}:{at}",),
        "loss": (f"pgd-{norm}:{at},loss=margin",),
        "modes": (f"pgd-{norm}:{at},grad=ste-full", f"pgd-{norm}:{at},grad=soft"),
        "unbounded": ("pgd-linf:eps=1",),
        "black_box": (f"square-{norm}:{at},queries=1000",),
        "transfer": (f"transfer-{norm}:{at}",),
        "steps": tuple(f"pgd-{norm}:{at},steps={steps}" for steps in MORE),
    }
    return {check: specs for check, specs in found.items() if norm != "snr" or check not in ("black_box", "transfer")}


def suite(ball: Budget) -> list[str]:
    """All attacks that a verdict about ``ball`` needs."""
    return [spec for specs in wanted(ball).values() for spec in specs]
