"""The order in which weighted layers run, and which batch norm takes which layer's output: watched, traced or registered."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bitproof.convert.attention import PROJECTIONS, OpenAttention
from bitproof.convert.layers import WEIGHTED
from bitproof.convert.seen import Product, ProductWatch
from bitproof.core import BitproofError, ModelError

#: What a norm that keeps its numbers as buffers has: torchvision's, timm's and detectron2's frozen batch norms are such.
_FROZEN = frozenset({"weight", "bias", "running_mean", "running_var"})

#: What calibration is made of.
BATCH = "A batch is a tensor, a tuple of arguments or a dict of keyword arguments."


@dataclass
class Flow:
    """``order``: weighted layers by first call. ``pairs``: layer → batch norm that takes its output; each runs once.

    ``products``: those of two activations, None where nothing ran. ``where``: in what the layers were seen to run.
    """

    order: list[str] = field(default_factory=list)
    pairs: dict[str, str] = field(default_factory=dict)
    products: list[Product] | None = field(default=None, compare=False)
    where: str = field(default="on the sample", compare=False)


def run(model: nn.Module, batch: Any) -> Any:
    """Call the model with a batch: a tensor, a tuple of arguments or a dict of keyword arguments.

    Raises ModelError saying what the batch was.
    """
    try:
        if isinstance(batch, dict):
            return model(**batch)
        return model(*batch) if isinstance(batch, (tuple, list)) else model(batch)
    except BitproofError:
        raise
    except Exception as error:  # whatever a foreign module raises
        hint = " Of the (x, y) of a data loader hand in x alone." if isinstance(batch, (tuple, list)) and len(batch) > 1 else ""
        what = f"{type(model).__name__} fails on the batch {_described(batch)}: {type(error).__name__}: {error}"
        raise ModelError(f"{what.rstrip('.')}. {BATCH}{hint}") from error


def _described(batch: Any) -> str:
    if isinstance(batch, Tensor):
        shape = "×".join(["N", *map(str, batch.shape[1:])]) if batch.ndim else "scalar"
        return f"{shape} {batch.dtype}"
    if isinstance(batch, dict):
        return f"{{{', '.join(f'{key}: {_described(value)}' for key, value in batch.items())}}}"
    return f"({', '.join(map(_described, batch))})" if isinstance(batch, (tuple, list)) else f"of type {type(batch).__name__}"


def is_batch_norm(module: nn.Module) -> bool:
    """Return whether it is a batch norm, frozen ones included."""
    return isinstance(module, _BatchNorm) or (module._buffers.keys() >= _FROZEN and hasattr(module, "eps"))


@torch.no_grad()
def watch(model: nn.Module, batch: Any) -> Flow:
    """Run the model on a batch and note what happens."""
    watcher = _Watcher()
    named = [(name, m) for name, m in model.named_modules() if isinstance(m, WEIGHTED) or is_batch_norm(m)]
    hooks = [module.register_forward_hook(watcher.hook(name)) for name, module in named]
    try:
        with ProductWatch(model) as products:
            run(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    flow = watcher.flow()
    flow.products = products.found()
    return flow


class _Watcher:
    def __init__(self) -> None:
        self._outputs: dict[int, tuple[str, weakref.ref[Tensor], int]] = {}
        self._calls: dict[str, int] = {}
        self._order: list[str] = []
        self._pairs: dict[str, str] = {}

    def hook(self, name: str) -> Any:
        def see(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self._calls[name] = self._calls.get(name, 0) + 1
            if is_batch_norm(module):
                self._pair(name, inputs)
            else:
                self._order.append(name)
                self._outputs[id(output)] = name, weakref.ref(output), output._version

        return see

    def _pair(self, norm: str, inputs: tuple[Any, ...]) -> None:
        for x in inputs[:1]:
            giver, tensor, version = self._outputs.get(id(x), ("", None, 0))
            if isinstance(x, Tensor) and tensor is not None and tensor() is x and x._version == version:
                self._pairs[giver] = norm  # another version: an in-place ReLU came between

    def flow(self) -> Flow:
        once = {giver: norm for giver, norm in self._pairs.items() if self._calls[giver] == self._calls[norm] == 1}
        return Flow(list(dict.fromkeys(self._order)), once)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (*WEIGHTED, OpenAttention)) or is_batch_norm(m) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> Flow | None:
    """Read the flow from the model's graph, without data; None where the model cannot be traced."""
    try:
        graph = _Tracer().trace(model)
    except Exception:  # whatever a model's forward raises on a stand-in for a tensor
        return None
    modules = dict(model.named_modules())
    nodes = [n for n in graph.nodes if n.op == "call_module"]
    targets = [str(n.target) for n in nodes]
    flow = Flow(list(dict.fromkeys(n for t in targets for n in _weighted(t, modules[t]))), where="in the model's graph")
    for node in nodes:
        giver = node.args[0] if is_batch_norm(modules[str(node.target)]) and node.args else None
        if isinstance(giver, fx.Node) and giver.target in flow.order and len(giver.users) == 1:
            if targets.count(str(giver.target)) == targets.count(str(node.target)) == 1:
                flow.pairs[str(giver.target)] = str(node.target)
    return flow


def _weighted(name: str, leaf: nn.Module) -> list[str]:
    if isinstance(leaf, OpenAttention):  # its arguments steer its Python, so it is no graph
        return [f"{name}.{each}".lstrip(".") for each in PROJECTIONS]
    return [name] if isinstance(leaf, WEIGHTED) else []


def registered(model: nn.Module) -> Flow:
    """Take the order of registration, where there is neither data nor a graph; no pair is known then."""
    return Flow([name for name, module in model.named_modules() if isinstance(module, WEIGHTED)])
