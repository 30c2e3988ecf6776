"""A low-bit network as the codes of its weights, packed at their bits, beside the rest of its state dict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor, nn

from bitproof.convert import QuantLayer, insert
from bitproof.core import BitproofError, Info, ModelError
from bitproof.models import Network
from bitproof.quantizers import Quantizer

#: The key of the header, and the version of what stands there.
KEY, VERSION = "bitproof.zoo", 1

_CODES = "codes."


def pack_codes(codes: NDArray[np.integer[Any]], low: int, bits: int, spacing: int = 1) -> NDArray[np.uint8]:
    """Return (q − low) / spacing of the codes q, ``bits`` bits each and side by side, lowest bit first: any shape → bytes."""
    rest = (codes.reshape(-1, 1).astype(np.int64) - low) // spacing >> np.arange(bits) & 1
    return np.packbits(rest.astype(np.uint8), bitorder="little")


def unpack_codes(packed: NDArray[np.uint8], shape: tuple[int, ...], low: int, bits: int, spacing: int = 1) -> NDArray[np.int32]:
    """Return the codes again: bytes → int32 of ``shape``."""
    count = int(np.prod(shape))
    rest = np.unpackbits(packed, bitorder="little")[: count * bits].reshape(count, bits).astype(np.int32)
    codes: NDArray[np.int32] = (rest << np.arange(bits)).sum(1, dtype=np.int32).reshape(shape) * spacing + np.int32(low)
    return codes


@dataclass(eq=False, repr=False, kw_only=True)
class Stored(Quantizer):
    """A weight's quantizer that knows the codes already: x_hat = (q − z)·s, whatever ``x`` is.

    Forward: (q − z)·s. Backward: nothing. Shapes: the weight's → the same. Source: none; it repeats what another has found.
    """

    low: int = 0
    high: int = 0
    spacing: int = 1

    widths: ClassVar[tuple[int, ...]] = tuple(range(1, 9))

    def hold(self, codes: Tensor, scale: Tensor, zero: int) -> Stored:
        """Keep what a file holds; returns itself."""
        self.register_buffer("stored", codes.to(torch.int16))
        self.register_buffer("scale", scale)
        self.zero_point.fill_(zero)
        self.calibrated.fill_(True)
        return self

    def code_range(self) -> tuple[int, int]:
        """Return the lowest and highest code."""
        return self.low, self.high

    def step(self) -> Tensor:
        """Return the stored scale."""
        return self.get_buffer("scale")

    def info(self) -> Info:
        """Return the numbers that were stored."""
        return replace(super().info(), spacing=self.spacing)

    def settle(self, lo: Tensor, hi: Tensor) -> None:
        """Refuse: there is nothing to calibrate."""
        raise BitproofError("Its weights are stored as codes; calibrate the network that they were made from.")

    def codes(self, x: Tensor) -> Tensor:
        """Return the stored codes as int32."""
        return self.get_buffer("stored").to(torch.int32)

    def forward(self, x: Tensor) -> Tensor:
        """Return the stored weight."""
        return self.dequantize(self.codes(x))


def write_zoo(path: Path, model: nn.Module) -> int:
    """Write the network's codes and the rest of its state dict, and return the bytes on disk.

    ``model``: float, or low-bit with weights whose codes are one tensor of at most 8 bits. Raises ModelError for others.
    """
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    arrays: dict[str, NDArray[Any]] = {}
    layers: dict[str, dict[str, Any]] = {}
    for name, layer in _low_bit(model).items():
        quantizer, w = layer.weight_quantizer, layer.layer.get_parameter("weight").detach()
        if quantizer is None:
            continue
        codes, info = quantizer.codes(w), quantizer.info()
        _check_codes(name, quantizer, codes, info, w)
        arrays[_CODES + name] = pack_codes(codes.cpu().numpy(), info.low, info.bits, info.spacing)
        arrays[f"{_CODES}{name}.scale"] = info.scale.detach().cpu().numpy()
        numbers = {"bits": info.bits, "low": info.low, "high": info.high, "zero": int(info.zero_point), "spacing": info.spacing}
        layers[name] = {**numbers, "shape": list(w.shape)}
        state = {
            key: value for key, value in state.items() if not key.startswith((f"{name}.layer.weight", f"{name}.weight_quantizer."))
        }
    arrays |= {name: value.contiguous().numpy() for name, value in state.items()}
    save_file(arrays, path, {KEY: json.dumps({"version": VERSION, "layers": layers})})
    path.chmod(0o644)
    return path.stat().st_size


def _check_codes(name: str, quantizer: Quantizer, codes: Any, info: Info, w: Tensor) -> None:
    if not isinstance(codes, Tensor) or info.bits > 8:
        raise ModelError(f"Layer {name!r}: the zoo keeps codes of up to 8 bits, one a weight.")
    if not torch.equal(quantizer.dequantize(codes), quantizer(w)):
        raise ModelError(f"Layer {name!r}: its codes are not its weight, so they cannot stand for it.")


def read_zoo(path: Path, network: Network, recipe: str, shape: Sequence[int]) -> nn.Module:
    """Return the network of the file at ``path``: ``network``'s architecture under ``recipe``, its weights the stored codes.

    ``shape``: of one input, such as (3, 32, 32): it shows the order of the layers.

    Raises ModelError where the file is missing, damaged, or another network's.
    """
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {})[KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        if header["version"] != VERSION:
            raise ValueError(f"version {header['version']}, this bitproof reads {VERSION}")
        model = insert(network.module, recipe, torch.zeros(2, *shape)).model
        _fill(model, header["layers"], arrays)
    except BitproofError:
        raise
    except Exception as error:  # a damaged file has a dozen ways to fail
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ModelError(f"{str(path)!r} cannot be read as a network of the zoo ({reason}). Install bitproof again.") from None
    return model.eval()


def _fill(model: nn.Module, layers: dict[str, dict[str, Any]], arrays: dict[str, NDArray[Any]]) -> None:
    for name, layer in _low_bit(model).items():
        if name not in layers:
            continue
        told, scale = layers[name], torch.from_numpy(arrays.pop(f"{_CODES}{name}.scale"))
        codes = torch.from_numpy(
            unpack_codes(arrays.pop(_CODES + name), tuple(told["shape"]), told["low"], told["bits"], told.get("spacing", 1))
        )
        stored = Stored(bits=told["bits"], low=told["low"], high=told["high"], spacing=told.get("spacing", 1)).hold(
            codes, scale, told["zero"]
        )
        layer.weight_quantizer = stored
        with torch.no_grad():
            layer.layer.get_parameter("weight").copy_(stored(codes))
    missing, surplus = model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()}, strict=False)
    known = tuple(f"{name}.{part}" for name in layers for part in ("layer.weight", "weight_quantizer."))
    if wrong := [*(name for name in missing if not name.startswith(known)), *surplus]:
        raise ModelError(f"the names {', '.join(wrong[:3])} do not fit the network")
    for parameter in model.parameters():
        parameter.requires_grad_(not layers)  # codes are not trained


def _low_bit(model: nn.Module) -> dict[str, QuantLayer]:
    return {name: module for name, module in model.named_modules() if isinstance(module, QuantLayer)}
