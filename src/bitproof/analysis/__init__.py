"""Every figure, from rows alone: each with a 95 % interval and its n, paired against the float control."""

from bitproof.analysis.accuracy import accuracy
from bitproof.analysis.audit import audit
from bitproof.analysis.bibench import bibench
from bitproof.analysis.blocks import GIVEN
from bitproof.analysis.budgets import Budget, budget, free
from bitproof.analysis.consistency import agreement, contradictions
from bitproof.analysis.controlled import knowing, needed, parted
from bitproof.analysis.defended import defended
from bitproof.analysis.fidelity import LIMIT as FIDELITY_LIMIT
from bitproof.analysis.fidelity import apart, features
from bitproof.analysis.fidelity import lines as fidelity_lines
from bitproof.analysis.intervals import wilson
from bitproof.analysis.measures import Figure
from bitproof.analysis.metrics import metrics
from bitproof.analysis.naming import RESIZES, parsed, recipe_bits
from bitproof.analysis.paired import accuracies, drops
from bitproof.analysis.pareto import Choice, Wishes, pareto
from bitproof.analysis.questions import questions
from bitproof.analysis.regressions import regressions
from bitproof.analysis.roles import suite
from bitproof.analysis.statements import findings
from bitproof.analysis.summary import FIGURES, summary

__all__ = [
    "FIDELITY_LIMIT",
    "FIGURES",
    "GIVEN",
    "RESIZES",
    "Budget",
    "Choice",
    "Figure",
    "Wishes",
    "accuracies",
    "accuracy",
    "agreement",
    "apart",
    "audit",
    "bibench",
    "budget",
    "contradictions",
    "defended",
    "drops",
    "features",
    "fidelity_lines",
    "findings",
    "free",
    "knowing",
    "metrics",
    "needed",
    "pareto",
    "parsed",
    "parted",
    "questions",
    "recipe_bits",
    "regressions",
    "suite",
    "summary",
    "wilson",
]
