"""F9: a training that fails."""

from __future__ import annotations

from collections.abc import Iterator

from bitproof.analysis.blocks import Block
from bitproof.analysis.statements.outcomes import Comparison, accuracy, low_bit
from bitproof.analysis.statements.statement import CLEAN, CONTROL, Statement, is_recipe, recipe

#: Of the control's clean accuracy: a training that reaches it has converged. bitproof's own; the table says "NC" without a limit.
CONVERGED = 0.5

_CLEAN = accuracy(lambda noise: noise.family == "clean")


def _below_half(block: Block) -> Iterator[Comparison]:
    for name in (each for each in low_bit(block) if is_recipe(each, "pact", 2) and block.control):
        if found := _CLEAN(block, (name, str(block.control))):
            yield Comparison(block, f"{name} against half of {block.control}", CONVERGED * found[1] - found[0])


STATEMENTS = (
    Statement(
        "F9",
        "PACT does not converge at 2 bits",
        f"clean accuracy of pact:w2a2 below {CONVERGED} of the control's; under another training than MQBench's academic one this "
        "is about that training",
        "RobustMQ, arXiv 2308.02350, table of flip probabilities on ImageNet-P: NC",
        _below_half,
        (CONTROL, recipe("pact", 2), CLEAN),
        "NC",
    ),
)
