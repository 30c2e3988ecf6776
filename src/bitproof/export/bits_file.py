"""One file of a binarized network's numbers: signs eight to a byte with their scales, the rest as it is; really small on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from bitproof.convert import QuantLayer
from bitproof.core import ModelError, StoreError

#: The key of the header, and the version of what stands there.
KEY, VERSION = "bitproof.bits", 1


def save_bits(model: nn.Module, path: str | Path) -> int:
    """Write the numbers of ``model`` to ``path`` and return the bytes on disk.

    A weight with two codes, −1 and 1, becomes its signs, first in the lowest bit, 1 for −1, and its scale: linear layers,
    convolutions and embeddings alike. All else is stored as the state dict has it, quantizers of inputs and products too.
    Raises ModelError where no weight has two codes, StoreError where ``path`` cannot be written.
    """
    tensors, shapes = dict(model.state_dict()), {}
    for name, layer in _binary(model).items():
        signs, scale = _signs(layer)
        key = f"{name}.layer.weight"
        for part in [part for part in tensors if part == key or part.startswith(f"{name}.weight_quantizer.")]:
            del tensors[part]
        tensors |= {f"{key}.signs": signs, f"{key}.scale": scale}
        shapes[name] = list(layer.layer.get_parameter("weight").shape)
    if not shapes:
        raise ModelError(
            f"{type(model).__name__} has no weight with two codes. Binarize it first: bitproof.quantize(…, 'bibert:w1a1', …)."
        )
    header = json.dumps({"version": VERSION, "shapes": shapes})
    try:
        save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path, {KEY: header})
        return Path(path).stat().st_size
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{str(path)!r} cannot be written: {error}.") from None


@torch.no_grad()
def load_bits_(model: nn.Module, path: str | Path) -> None:
    """Fill ``model``, as ``convert.insert`` makes it of the same network and recipe, from a file of ``save_bits``.

    Its answers are then those of the network that was saved; its binarized weights are fixed. Raises ModelError where the file is
    none, is damaged, or is another network's.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            header, tensors = (file.metadata() or {}).get(KEY), {key: file.get_tensor(key) for key in file.keys()}
        told = json.loads(header or "null")
        if told is None or told["version"] != VERSION:
            raise ValueError("it was not written by save_bits of this version")
        layers = _binary(model)
        if layers.keys() != told["shapes"].keys():
            raise ValueError(f"it holds {len(told['shapes'])} binarized layers, the network has {len(layers)}")
        for name, layer in layers.items():
            key = f"{name}.layer.weight"
            weight = _weight(tensors.pop(f"{key}.signs"), tensors.pop(f"{key}.scale"), told["shapes"][name])
            layer.layer.get_parameter("weight").copy_(weight)
            layer.weight_quantizer = None
        _, surplus = model.load_state_dict(tensors, strict=False)
        if surplus:
            raise ValueError(f"it holds {surplus[0]}, which the network lacks")
        missing = model.state_dict().keys() - tensors.keys() - {f"{name}.layer.weight" for name in layers}
        if missing:
            raise ValueError(f"it lacks {sorted(missing)[0]}")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(f"{str(path)!r} is no file of this network's bits: {error}.") from None


def _binary(model: nn.Module) -> dict[str, QuantLayer]:
    """Return the layers whose weight has two codes, by name."""
    named = {name: module for name, module in model.named_modules() if isinstance(module, QuantLayer)}
    return {name: layer for name, layer in named.items() if layer.weight_quantizer is not None and layer.weight_quantizer.bits == 1}


def _signs(layer: QuantLayer) -> tuple[Tensor, Tensor]:
    quantizer = layer.weight_quantizer
    if quantizer is None:
        raise ModelError(f"Layer {layer.name!r} has a float weight.")
    codes = quantizer.codes(layer.layer.get_parameter("weight").detach())  # first: info tells the scale of the weight seen last
    if not bool((codes.abs() == 1).all()):
        raise ModelError(f"Layer {layer.name!r}: its weight has other codes than −1 and 1.")
    negative = (codes < 0).reshape(-1).cpu().numpy()
    return torch.from_numpy(np.packbits(negative, bitorder="little")), quantizer.info().scale.detach().cpu()


def _weight(signs: Tensor, scale: Tensor, shape: list[int]) -> Tensor:
    count = int(np.prod(shape))
    bits = np.unpackbits(signs.numpy(), count=count, bitorder="little").reshape(shape)
    return torch.from_numpy(1 - 2 * bits.astype(np.float32)) * scale
