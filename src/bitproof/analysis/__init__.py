"""Every figure, from rows alone: each with a 95 % interval and its n, paired against the float control."""

from bitproof.analysis.accuracy import accuracy
from bitproof.analysis.fidelity import LIMIT as FIDELITY_LIMIT
from bitproof.analysis.fidelity import apart, features
from bitproof.analysis.fidelity import lines as fidelity_lines
from bitproof.analysis.measures import Figure
from bitproof.analysis.summary import FIGURES, summary

__all__ = ["FIDELITY_LIMIT", "FIGURES", "Figure", "accuracy", "apart", "features", "fidelity_lines", "summary"]
