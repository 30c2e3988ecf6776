"""A network as a list of steps: torch's own operations by name, and packed products between them. No code is in it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitproof.core import ModelError
from bitproof.export.emit import EMITTERS
from bitproof.export.packed_attention import ATTENTION
from bitproof.export.planned import Planned
from bitproof.export.planning import NoPlan, Planner
from bitproof.export.product import PRODUCT, Product
from bitproof.export.steps import Named, Ref, Step, leaves, mapped
from bitproof.kernels import can_plan, chosen

#: What a step may call beside ``PRODUCT``: operations of torch without a side effect, ``NAME`` or ``NAME.OVERLOAD``.
_NAMES = """
conv1d conv2d.default conv2d.padding conv3d conv_transpose2d.input linear matmul bmm mm addmm batch_norm layer_norm group_norm
relu relu6 hardtanh clamp leaky_relu prelu gelu silu sigmoid tanh hardswish hardsigmoid elu softmax.int log_softmax.int
scaled_dot_product_attention add.Tensor add.Scalar sub.Tensor sub.Scalar mul.Tensor mul.Scalar div.Tensor div.Scalar neg abs sqrt
rsqrt exp log pow.Tensor_Scalar sin lt.Scalar ge.Scalar gt.Scalar le.Scalar to.dtype mean mean.dim sum.dim_IntList amax max_pool1d
max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d cat stack reshape flatten.using_ints
unflatten.int permute transpose.int squeeze.dim squeeze.dims unsqueeze expand slice.Tensor select.int pad constant_pad_nd
upsample_nearest2d.vec upsample_bilinear2d.vec embedding clamp_min arange new_ones __and__.Tensor index.Tensor sym_size.int
unbind.int split.Tensor split_with_sizes chunk bitwise_not masked_fill.Scalar
"""


def _found(name: str) -> Callable[..., Any]:
    packet, _, overload = name.partition(".")
    found: Callable[..., Any] = getattr(getattr(torch.ops.aten, packet), overload or "default")
    return found


#: How many plans a program keeps, and how large an input and a plan's memory may be: where steps are long, calls cost nothing.
_KEPT, _MOST_VALUES, _MOST_BYTES = 4, 2**22, 2**26

#: name → function; sizes and parts of a result are taken by the few of Python.
OPERATIONS: Mapping[str, Callable[..., Any]] = {
    **{f"aten.{name if '.' in name else f'{name}.default'}": _found(name) for name in _NAMES.split()},
    ATTENTION: torch.ops.bitproof.sign_attention.default,
    **{f"python.{name}": getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "getitem")},
}


class Program(nn.Module):
    """Steps run one after the other, each result dropped after its last use. On the CPU, without a gradient.

    Pictures are kept channels last: packed products write them so, and pooling is faster. For inputs of a shape that is not too
    large a plan is made once, in which neighbouring steps are one native call; ``stepwise`` is what it must equal.
    Shapes: as of the network that it was captured from, with any batch size.

    Args:
        steps: in order; a step takes results of earlier ones.
        tensors: the float rest, by name.
        products: the packed products, by name.
        output: the step whose result is the network's.

    Raises:
        ModelError: where a step calls what is not in ``OPERATIONS``, or takes what there is not.
    """

    def __init__(self, steps: Sequence[Step], tensors: Mapping[str, Tensor], products: Mapping[str, Product], output: int) -> None:
        super().__init__()
        used = {leaf.name for step in steps for leaf in leaves((step.args, list(step.kwargs.values()))) if isinstance(leaf, Named)}
        self.steps, self.output = tuple(steps), output
        self.products = {str(step.args[1]): products[str(step.args[1])] for step in steps if step.op == PRODUCT}
        self._slots = {name: f"t{i}" for i, name in enumerate(sorted(used))}
        for name, slot in self._slots.items():
            self.register_buffer(slot, _channels_last(tensors[name].detach()))
        self._check()
        last = {ref: step.id for step in steps for ref in step.refs()}
        self._plans = _Plans()
        self.dead = {step.id: [ref for ref, at in last.items() if at == step.id and ref != output] for step in steps}

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The float rest, by name."""
        return {name: getattr(self, slot) for name, slot in self._slots.items()}

    def _check(self) -> None:
        known = {0}
        for step in self.steps:
            if step.op != PRODUCT and step.op not in OPERATIONS:
                raise ModelError(f"A packed network cannot call {step.op!r}; it knows {len(OPERATIONS)} operations of torch.")
            if not known.issuperset(step.refs()) or step.id in known:
                raise ModelError(f"Step {step.id} ({step.op}) of the packed network takes results that there are not yet.")
            known.add(step.id)
        if self.output not in known:
            raise ModelError(f"The packed network has no step {self.output}, which should be its output.")

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Run all steps, in native code what it knows."""
        x = _channels_last(x.detach())
        plan = self._plans.of(self, x)
        return self.stepwise(x) if plan is None else plan(x, torch.get_num_threads())

    @torch.no_grad()
    def stepwise(self, x: Tensor) -> Tensor:
        """Run all steps one by one: torch's own operations, and the packed products."""
        values: dict[int, Any] = {0: _channels_last(x.detach())}
        tensors, threads = self.tensors, torch.get_num_threads()

        def given(leaf: Any) -> Any:
            return values[leaf.id] if isinstance(leaf, Ref) else tensors[leaf.name] if isinstance(leaf, Named) else leaf

        for step in self.steps:
            if step.op == PRODUCT:
                values[step.id] = self.products[step.args[1]](values[step.args[0].id], threads)
            else:
                kwargs = {key: mapped(value, given) for key, value in step.kwargs.items()}
                values[step.id] = OPERATIONS[step.op](*mapped(step.args, given), **kwargs)
            for dead in self.dead[step.id]:
                del values[dead]
        found: Tensor = values[self.output]
        return found

    def extra_repr(self) -> str:
        """Return what it holds for ``print(model)``."""
        told = f"; {self.native} of the steps in native code" if self.native is not None else ""
        return f"{len(self.steps)} steps, {len(self.products)} packed products{told}"

    @property
    def native(self) -> int | None:
        """How many of the steps were native in the last call; None before one."""
        return self._plans.native


class _Plans:
    """The plans of a program by shape and layout of its input, the last few; None where there is none. A copy begins anew."""

    def __init__(self) -> None:
        self._found: dict[Any, Planned | None] = {}
        self.native: int | None = None

    def __reduce__(self) -> Any:
        return _Plans, ()

    def of(self, program: Program, x: Tensor) -> Planned | None:
        key = (x.shape, x.stride(), x.dtype, chosen())
        try:
            found = self._found[key]
        except KeyError:  # asked for once, so that another thread may drop it meanwhile
            found = _planned(program, x)
            for old in list(self._found)[: 1 - _KEPT]:
                self._found.pop(old, None)
            self._found[key] = found
        self.native = found.native if found else 0
        return found


def _planned(program: Program, x: Tensor) -> Planned | None:
    if not can_plan() or x.device.type != "cpu" or not 0 < x.numel() <= _MOST_VALUES:
        return None
    try:
        found = Planner(program, OPERATIONS, EMITTERS).planned(x)
    except NoPlan:
        return None
    return found if found.size_bytes <= _MOST_BYTES else None


def _channels_last(value: Tensor) -> Tensor:
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def array(value: Tensor) -> np.ndarray[Any, Any]:
    """Return a tensor's values."""
    found: np.ndarray[Any, Any] = value.detach().cpu().numpy()
    return found
