"""Networks as files and as sessions of other engines: ONNX, and integers in onnxruntime."""

from bitproof.export.comparing import Difference, Gap, gap
from bitproof.export.exported import Codes, Exported, ExportedLayer
from bitproof.export.numbers import low_bit_layers
from bitproof.export.onnx_file import to_onnx
from bitproof.export.sessions import Deployment, Engine, cpuinfo, engine, features, session, settled

__all__ = [
    "Codes",
    "Deployment",
    "Difference",
    "Engine",
    "Exported",
    "ExportedLayer",
    "Gap",
    "cpuinfo",
    "engine",
    "features",
    "gap",
    "low_bit_layers",
    "session",
    "settled",
    "to_onnx",
]
