"""A deployed network → its program, as torch.export sees it."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitproof.convert import QuantAttention
from bitproof.core import ModelError
from bitproof.export.numbers import low_bit_layers
from bitproof.export.product import PRODUCT, Product
from bitproof.export.program import OPERATIONS, Program, array
from bitproof.export.signs import Signs, Window
from bitproof.export.steps import Named, Ref, Step, leaves, mapped
from bitproof.kernels import PackedWeight
from bitproof.quantizers import Quantizer

_SIGNS = "bitproof.sign_conv2d.default"
_NORM = "aten._native_batch_norm_legit_no_training.default"
_COPY = "aten._to_copy.default"
#: What needs another layout in memory than a program keeps.
_VIEWS = {f"aten.{name}.default" for name in ("view", "_unsafe_view")}
#: The same operation in a form that names a device or a layout, which a program does not.
_PLACED = {"aten.to.device", "aten.to.dtype_layout"}
_WHERE = {"device", "layout", "pin_memory"}
#: What leaves its input as it is, in evaluation.
_NOTHING = {
    f"aten.{name}.default"
    for name in ("detach", "detach_", "alias", "dropout", "feature_dropout", "contiguous", "clone", "lift_fresh_copy")
}


def capture(model: nn.Module, sample: Tensor, texts: bool = False) -> Program:
    """Return the steps of ``model``; layers that were left low-bit in simulation keep the float values of their weights.

    ``sample``: float N×…, N ≥ 2; its values do not matter, and the program takes any N. Raises ModelError where torch cannot
    export the network, or it calls what a program does not know. ``texts``: the sample is int64 N×3×length, and the program takes
    any length.
    """
    reader = _Reader(_exported(_plain(model), sample, texts))
    return Program(reader.steps, reader.tensors, reader.products, reader.output)


def _plain(model: nn.Module) -> nn.Module:
    """Return a copy in which simulated weights are values: what a cache remembers is nothing that can be exported."""
    result = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    encoders: list[Any] = [module for module in result.modules() if hasattr(module, "trims")]
    for encoder in encoders:
        encoder.trims = False  # how many positions are left depends on values
    for layer in low_bit_layers(result).values():
        with torch.no_grad():
            layer.layer.weight = nn.Parameter(layer.weight.clone(), requires_grad=False)
        layer.weight_quantizer = None
    for quantizer in _read_later(result):
        quantizer.info()  # so that it has read its buffers: their values steer Python
    return result


def _read_later(model: nn.Module) -> list[Quantizer]:
    """Return the quantizers of inputs and of an attention's operands: they are a part of what is exported."""
    inputs = [layer.input_quantizer for layer in low_bit_layers(model).values()]
    operands = [each for module in model.modules() if isinstance(module, QuantAttention) for each in module.quantizers().values()]
    return [each for each in (*inputs, *operands) if each is not None]


def _exported(model: nn.Module, sample: Tensor, texts: bool) -> Any:
    free: dict[int, Any] = {0: torch.export.Dim("n")} | ({2: torch.export.Dim.DYNAMIC} if texts else {})
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            found = torch.export.export(model, (sample,), dynamic_shapes=(free,), strict=False)
            written = any(_is_mutable(node) and not _on_its_own(node) for node in found.graph.nodes)
            return found.run_decompositions({}) if written else found
    except Exception as error:  # whatever torch raises about somebody's module
        reason = str(error).strip().partition("\n")[0]
        fixed = "specialized it to be a constant" in str(error)
        hint = " Its batch size became a constant: read it by x.shape[0], not len(x)." if fixed else ""
        raise ModelError(f"torch cannot export {type(model).__name__}: {type(error).__name__}: {reason}{hint}") from error


class _Reader:
    """Reads an exported graph node by node; what depends on no input is computed at once."""

    def __init__(self, exported: Any) -> None:
        self.steps: list[Step] = []
        self.products: dict[str, Product] = {}
        self.tensors: dict[str, Tensor] = {**exported.state_dict, **exported.constants}
        self.values: dict[Any, Any] = {}
        self._names = {spec.arg.name: spec.target for spec in exported.graph_signature.input_specs}
        wanted = _wanted(exported.graph)
        for node in exported.graph.nodes:
            if node.op == "call_function" and node not in wanted:
                continue
            if node.op == "placeholder":
                target = self._names[node.name]
                self.values[node] = Ref(0) if target is None else Named(target)
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                self.output = self._output(node)

    def _output(self, node: Any) -> int:
        found = [self.values[leaf] for leaf in leaves(node.args)]
        if len(found) != 1 or not isinstance(found[0], Ref):
            raise ModelError(f"A packed network has one output that depends on its input; this one has {len(found)}.")
        return found[0].id

    def _call(self, node: Any) -> None:
        name = _new(node) if _is_mutable(node) else _name(node.target)
        if name.startswith("aten._assert") or name == "aten.sym_constrain_range_for_size.default":
            return
        if name in _NOTHING or _same_type(name, node) or _first_of_norm(name, node):
            self.values[node] = self.values[node.args[0]]
            return
        given = [leaf for leaf in node.args if not isinstance(leaf, torch.device)]
        args = mapped(given, self._value)
        kwargs = {key: mapped(value, self._value) for key, value in node.kwargs.items() if value is not None and key not in _WHERE}
        if name == _SIGNS:
            name, args, kwargs = PRODUCT, [args[0], self._product(args)], {}
        elif name == _NORM:
            name, args = "aten.batch_norm.default", [*args[:5], False, *args[5:], False]
        elif name in _PLACED:
            name, args, kwargs = "aten.to.dtype", [args[0], *args[1:2], *kwargs.values()][:2], {}
        elif name == _COPY and set(kwargs) == {"dtype"}:
            name, args, kwargs = "aten.to.dtype", [args[0], kwargs["dtype"]], {}
        elif name in _VIEWS:
            name = "aten.reshape.default"
        elif name not in OPERATIONS:
            raise ModelError(
                f"The network calls {name}, which a packed network cannot; it knows {len(OPERATIONS)} operations of torch."
            )
        self.values[node] = self._kept(node.name, name, args, kwargs)

    def _kept(self, node: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> Ref | Named:
        if name != PRODUCT and not any(isinstance(leaf, Ref) for leaf in leaves((args, list(kwargs.values())))):
            given, named = mapped([args, list(kwargs.values())], self._held)
            self.tensors[f"constant.{node}"] = OPERATIONS[name](*given, **dict(zip(kwargs, named, strict=True)))
            return Named(f"constant.{node}")
        self.steps.append(Step(len(self.steps) + 1, name, tuple(args), kwargs))
        return Ref(len(self.steps))

    def _value(self, leaf: Any) -> Any:
        if isinstance(leaf, torch.fx.Node):
            return self.values[leaf]
        if leaf is None or isinstance(leaf, (bool, int, float, str, torch.dtype)):
            return leaf
        raise ModelError(f"The network calls an operation with {leaf!r}, which a packed network cannot hold.")

    def _held(self, leaf: Any) -> Any:
        return self.tensors[leaf.name] if isinstance(leaf, Named) else leaf

    def _product(self, args: list[Any]) -> str:
        """Keep the product of a ``sign_conv2d``, and return its name."""
        blocks, sums, scale, bias, threshold = (array(self.tensors[args[i].name]) for i in (1, 2, 3, 4, 12))
        (out, channels, kh, kw), groups = args[5], args[6]
        weight = PackedWeight(blocks.view(np.uint32), sums, (out, channels, kh, kw), groups)
        window = Window(tuple(args[7]), tuple(args[8]), tuple(args[9]), args[10])
        name = args[3].name.rpartition(".")[0] or "model"  # the scale's: layers may share a weight
        self.products[name] = Product(Signs(weight, scale, bias, threshold, window))
        return name


def _wanted(graph: Any) -> set[Any]:
    """Return the nodes on which the output depends: sizes that were only compared are none."""
    wanted: set[Any] = set()
    for node in reversed(graph.nodes):
        if node.op == "output" or node in wanted:
            wanted.update(node.all_input_nodes)
    return wanted


def _is_mutable(node: Any) -> bool:
    return bool(getattr(getattr(node.target, "_schema", None), "is_mutable", False))


def _new(node: Any) -> str:
    """The name of the operation that gives as a new result what this one writes."""
    return _name(node.target).replace("_.", ".", 1)


def _on_its_own(node: Any) -> bool:
    """Whether an operation writes to what nobody else looks at: then it is as good as its form that gives a new result."""
    into = node.args[0]
    if _new(node) not in OPERATIONS or into.op != "call_function" or len(into.users) > 1:
        return False
    if _is_mutable(into):
        return _on_its_own(into)
    schema = getattr(into.target, "_schema", None)
    views = schema is None or any(result.alias_info is not None for result in schema.returns)  # a piece of several has no schema
    return not views or (_name(into.target) == "aten.to.dtype" and not _same_type("aten.to.dtype", into))


def _same_type(name: str, node: Any) -> bool:
    return name in ("aten.to.dtype", _COPY) and node.args[0].meta["val"].dtype == node.meta["val"].dtype


def _first_of_norm(name: str, node: Any) -> bool:
    """A decomposed batch norm is three results, the step is one."""
    return name == "python.getitem" and _name(node.args[0].target) == _NORM


def _name(target: Any) -> str:
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    return f"python.{target.__name__}"
