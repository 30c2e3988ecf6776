"""Where else the figures of a run are logged: other people's trackers, a thin adapter each."""

from bitproof.bench.trackers.tracker import TRACKERS, Tracker
from bitproof.bench.trackers.tracking import Tracking

__all__ = ["TRACKERS", "Tracker", "Tracking"]
