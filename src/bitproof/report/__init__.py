"""Figures → one self-contained HTML page that works offline. Imports no torch, runs no model, computes no statistic."""

from bitproof.report.fidelity import fidelity_text
from bitproof.report.leaderboard import write_leaderboard
from bitproof.report.page import write

__all__ = ["fidelity_text", "write", "write_leaderboard"]
