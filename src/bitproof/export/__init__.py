"""Networks as files and as sessions of other engines: ONNX, integers in onnxruntime, and packed 1-bit layers."""

from bitproof.export.accounting import Account, account
from bitproof.export.bits_file import load_bits_, save_bits
from bitproof.export.comparing import Difference, Gap, gap, gap_between
from bitproof.export.deploying import Deployed, DeployedLayer, DeployReport, deploy
from bitproof.export.depths import PackedDepths, deploy_depths
from bitproof.export.exported import Codes, Exported, ExportedLayer
from bitproof.export.foreign import adopt
from bitproof.export.native_front import front_end
from bitproof.export.numbers import low_bit_layers
from bitproof.export.onnx_file import to_onnx
from bitproof.export.packed_file import load_packed, save_packed
from bitproof.export.packed_texts import PackedTexts
from bitproof.export.product import PRODUCT
from bitproof.export.program import OPERATIONS, Program
from bitproof.export.qonnx_file import Qonnx, to_qonnx, written_out
from bitproof.export.sessions import Deployment, Engine, cpuinfo, engine, features, session, settled
from bitproof.export.steps import Named, Ref, Step, mapped
from bitproof.export.zoo import zoo_cards

__all__ = [
    "OPERATIONS",
    "PRODUCT",
    "Account",
    "Codes",
    "DeployReport",
    "Deployed",
    "DeployedLayer",
    "Deployment",
    "Difference",
    "Engine",
    "Exported",
    "ExportedLayer",
    "Gap",
    "Named",
    "PackedDepths",
    "PackedTexts",
    "Program",
    "Qonnx",
    "Ref",
    "Step",
    "account",
    "adopt",
    "cpuinfo",
    "deploy",
    "deploy_depths",
    "engine",
    "features",
    "front_end",
    "gap",
    "gap_between",
    "load_bits_",
    "load_packed",
    "low_bit_layers",
    "mapped",
    "save_bits",
    "save_packed",
    "session",
    "settled",
    "to_onnx",
    "to_qonnx",
    "written_out",
    "zoo_cards",
]
