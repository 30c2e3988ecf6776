"""Grid → cells → rows: what a grid asks for, what it will cost, and the run itself."""

from bitproof.bench.ahead import Times
from bitproof.bench.checking import Check, check
from bitproof.bench.classifying import Said, classify
from bitproof.bench.comparison import fidelity
from bitproof.bench.detecting import Detected, quantize_detector
from bitproof.bench.environment import doctor
from bitproof.bench.executors import EXECUTORS
from bitproof.bench.exporting import Comparison, Export, Speed, export
from bitproof.bench.gpu import A100, Gpu
from bitproof.bench.grid import Grid, load_grids, parse_grids, schema
from bitproof.bench.helping import helps
from bitproof.bench.ids import PIPELINE, Cell, Variant
from bitproof.bench.judging import Agreement, Judgement, judge
from bitproof.bench.kind import OnDevice, Prediction, Price, Search, predict
from bitproof.bench.layerwise import Measured, Score, Sensitivity, sensitivity
from bitproof.bench.listening import Heard, Listening
from bitproof.bench.lowbit import quantize
from bitproof.bench.memory import keep_freed_memory
from bitproof.bench.packing import Packed, export_packed
from bitproof.bench.plan import Plan
from bitproof.bench.printing import print_patches
from bitproof.bench.qonnx import ExportedQonnx, export_qonnx
from bitproof.bench.remeasuring import remeasure
from bitproof.bench.reporter import Reporter
from bitproof.bench.runner import Outcome, run
from bitproof.bench.subjects import Subject, subject
from bitproof.bench.suites import audited
from bitproof.bench.trackers import TRACKERS

__all__ = [
    "A100",
    "EXECUTORS",
    "PIPELINE",
    "TRACKERS",
    "Agreement",
    "Cell",
    "Check",
    "Comparison",
    "Detected",
    "Export",
    "ExportedQonnx",
    "Gpu",
    "Grid",
    "Heard",
    "Judgement",
    "Listening",
    "Measured",
    "OnDevice",
    "Outcome",
    "Packed",
    "Plan",
    "Prediction",
    "Price",
    "Reporter",
    "Said",
    "Score",
    "Search",
    "Sensitivity",
    "Speed",
    "Subject",
    "Times",
    "Variant",
    "audited",
    "check",
    "classify",
    "doctor",
    "export",
    "export_packed",
    "export_qonnx",
    "fidelity",
    "helps",
    "judge",
    "keep_freed_memory",
    "load_grids",
    "parse_grids",
    "predict",
    "print_patches",
    "quantize",
    "quantize_detector",
    "remeasure",
    "run",
    "schema",
    "sensitivity",
    "subject",
]
