"""Whether a noise changes anything here: what a family leaves out, with the reason."""

from __future__ import annotations

from bitproof.bench.inputs import inputs_of, probe_of
from bitproof.bench.specs import deploys, standing
from bitproof.convert import Rewriter
from bitproof.core import BitproofError, SpecError
from bitproof.models import Network, TorchVictim
from bitproof.noises import noise
from bitproof.tasks import Task


def misfit(part: str, task: Task, network: Network) -> str | None:
    """Return why the noise ``part`` means nothing for ``network`` on ``task``, or None where it does.

    The float network must have something to change for a noise at the site ``model``; what a noise of samples needs, the kind
    of input tells.
    """
    try:
        _rewrite(part, network)
        return inputs_of(network.form).misfit(part, task, network)
    except BitproofError as error:
        return str(error)


def _rewrite(part: str, network: Network) -> None:
    built = noise(part)
    if built.site == "model" and built.needs == "rewrite":
        built(Rewriter(network.module, probe_of(network), finished=not network.differentiable))


def check_rewritable(spec: str, network: Network) -> None:
    """Raise SpecError where the cell ``spec`` changes the inside of a network that has none to change."""
    part = standing(spec).get("model")
    if part is None or network.differentiable:
        return
    try:
        _rewrite(part, network)
    except BitproofError as error:
        raise SpecError(f"{spec!r}: {error} {network.spec!r} is finished.") from None


def check_attackable(spec: str, network: Network) -> None:
    """Raise SpecError where an attack needs what the network of the cell ``spec`` lacks: a gradient, or logits."""
    attack = standing(spec).get("tensor")
    if attack is None:
        return
    if network.classes < 2:
        raise SpecError(f"{spec!r}: {network.spec!r} answers with a number, and attacks need classes. Leave the attack out.")
    built, what = noise(attack), f"the network {network.spec!r}"
    if getattr(built, "needs_scores", False) and TorchVictim(network.module).labels_only:
        raise SpecError(
            f"{spec!r}: the attack needs logits and {what} tells labels alone. "
            "'hopskipjump-linf' and 'hopskipjump-l2' work on it, and 'noise-linf' as their control."
        )
    if built.needs_gradient and (deploys(spec) or not network.differentiable):
        what = "a session of integers" if deploys(spec) else what
        raise SpecError(
            f"{spec!r}: the attack needs a gradient and {what} has none. Attacks by queries work on it, 'square-linf' or "
            "'hopskipjump-linf', and those on its torch twin: a transfer, or the attack without the session."
        )
