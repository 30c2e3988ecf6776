"""Every figure, from rows alone: each with a 95 % interval and its n, paired against the float control."""

from bitproof.analysis.accuracy import accuracy
from bitproof.analysis.measures import Figure
from bitproof.analysis.summary import FIGURES, summary

__all__ = ["FIGURES", "Figure", "accuracy", "summary"]
