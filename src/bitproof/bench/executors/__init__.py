"""Who does the work of a run: this process, or a cluster."""

from bitproof.bench.executors.executor import EXECUTORS, Executor, executor
from bitproof.bench.executors.local import Local

__all__ = ["EXECUTORS", "Executor", "Local", "executor"]
