"""What a program need not do: norms behind products, clips and borders before signs, floats between two products."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitproof.export.product import PRODUCT
from bitproof.export.program import Program, array
from bitproof.export.signs import Signs
from bitproof.export.steps import Named, Ref, Step, mapped
from bitproof.kernels import Cut, cut_where, fold_norm

_NORM, _CONV = "aten.batch_norm.default", "aten.conv2d.default"


def fused(program: Program) -> tuple[Program, Counter[str]]:
    """Return an equal program with fewer steps, and how many of each kind went.

    ``norms``: batch norms that went into the scale and bias of a product, or into a float convolution's weight. ``clips``: what
    cuts values off where a sign does not see it. ``borders``: a constant put around an input that is a border of signs. ``cuts``:
    products whose scale, bias and following sign are one comparison, so that bits alone go on.
    """
    draft = _Draft(program)
    counts = Counter({what: sum(map(act, draft.all())) for what, act in draft.passes().items()})
    return draft.program(), +counts


class _Draft:
    """A program that can be changed."""

    def __init__(self, program: Program) -> None:
        self.steps = {step.id: step for step in program.steps}
        self.tensors, self.products, self.output = program.tensors, dict(program.products), program.output

    def passes(self) -> dict[str, Callable[[Step], bool]]:
        return {"norms": self.norm, "borders": self.border, "clips": self.clip, "cuts": self.cut}

    def all(self) -> Iterable[Step]:
        """Every step that is still there when its turn comes, as it is then."""
        for key in list(self.steps):
            if key in self.steps:
                yield self.steps[key]

    def program(self) -> Program:
        return Program(list(self.steps.values()), self.tensors, self.products, self.output)

    # What a pass asks and does.

    def before(self, step: Step) -> Step | None:
        """The step whose result is the first argument."""
        first = step.args[0] if step.args else None
        return self.steps.get(first.id) if isinstance(first, Ref) else None

    def users(self, key: int) -> list[Step]:
        return [step for step in self.steps.values() if key in step.refs()]

    def alone(self, step: Step) -> bool:
        """Whether one step takes the result of ``step``, once, and nobody else."""
        return step.id != self.output and sum(user.refs().count(step.id) for user in self.users(step.id)) == 1

    def drop(self, step: Step, instead: Step) -> None:
        """Take ``step`` out; who took its result takes that of ``instead``."""

        def moved(leaf: Any) -> Any:
            return Ref(instead.id) if leaf == Ref(step.id) else leaf

        del self.steps[step.id]
        for user in self.users(step.id):
            kwargs = {key: mapped(value, moved) for key, value in user.kwargs.items()}
            self.steps[user.id] = dataclasses.replace(user, args=mapped(user.args, moved), kwargs=kwargs)
        self.output = instead.id if self.output == step.id else self.output

    def skip(self, step: Step, over: Step) -> None:
        """Let ``step`` take what ``over`` takes; that goes if nobody else wants it."""
        self.steps[step.id] = dataclasses.replace(step, args=(over.args[0], *step.args[1:]))
        if over.id != self.output and not self.users(over.id):
            del self.steps[over.id]

    def signs(self, step: Step) -> Signs:
        return self.products[step.args[1]].signs

    def change(self, step: Step, **changes: Any) -> None:
        """Replace numbers of a product. Each product has one step, unless a layer runs twice."""
        name = step.args[1]
        self.products[name] = dataclasses.replace(self.products[name], **changes)

    def shared(self, step: Step) -> bool:
        """Whether the layer of this product runs several times."""
        return [other.args[1] for other in self.steps.values() if other.op == PRODUCT].count(step.args[1]) > 1

    # The passes; each says whether it did something.

    def norm(self, step: Step) -> bool:
        into = self.before(step)
        if (
            step.op != _NORM
            or into is None
            or not self.alone(into)
            or step.args[5]  # it takes its batch's own statistics
            or not all(isinstance(a, (Named, type(None))) for a in step.args[1:3])
            or not all(isinstance(a, Named) for a in step.args[3:5])
        ):
            return False
        gamma, beta, mean, variance = (None if a is None else array(self.tensors[a.name]) for a in step.args[1:5])
        numbers = (1.0 if gamma is None else gamma, 0.0 if beta is None else beta, mean, variance, step.args[7])
        if into.op == PRODUCT and not self.shared(into):
            found = self.signs(into)
            then = fold_norm(found.scale, found.bias, *numbers)
            scale, bias = np.asarray(then.scale), np.asarray(then.bias)
            self.change(into, signs=dataclasses.replace(found, scale=scale, bias=bias))
        elif into.op == _CONV and isinstance(into.args[1], Named):
            self._fold_float(into, numbers)
        else:
            return False
        self.drop(step, into)
        return True

    def _fold_float(self, conv: Step, numbers: tuple[Any, ...]) -> None:
        """Put a norm into the weight and bias of a float convolution."""
        w = self.tensors[conv.args[1].name]
        bias = array(self.tensors[conv.args[2].name]) if len(conv.args) > 2 and conv.args[2] is not None else np.zeros(len(w))
        then = fold_norm(np.ones(len(w)), bias, *numbers)
        names = f"{conv.args[1].name}.folded{conv.id}", f"{conv.args[1].name}.bias{conv.id}"
        self.tensors[names[0]] = w * _tensor(then.scale).reshape(-1, 1, 1, 1)
        self.tensors[names[1]] = _tensor(then.bias)
        self.steps[conv.id] = dataclasses.replace(conv, args=(conv.args[0], *map(Named, names), *conv.args[3:]))

    def clip(self, step: Step) -> bool:
        """sign(clip(x, low, high) − θ) = sign(x − θ) where low < θ ≤ high."""
        bend = self.before(step)
        if step.op != PRODUCT or bend is None:
            return False
        low, high = _range(bend)
        at = self.signs(step).threshold
        source = bend.args[0]
        if not isinstance(source, Ref) or not bool(np.all((low < at) & (at <= high))):
            return False
        self.skip(step, bend)
        return True

    def border(self, step: Step) -> bool:
        """A constant around the input, and no padding of the product's own: its border holds that constant's sign."""
        pad = self.before(step)
        if step.op != PRODUCT or pad is None or self.shared(step) or (around := _around(pad)) is None:
            return False
        found, (amount, value) = self.signs(step), around
        negative = value < found.threshold
        if found.window.padding != (0, 0) or bool(negative.any()) != bool(negative.all()):
            return False
        window = dataclasses.replace(found.window, padding=amount, pad=-1 if negative.all() else 1)
        self.change(step, signs=dataclasses.replace(found, window=window))
        self.skip(step, pad)
        return True

    def cut(self, step: Step) -> bool:
        """A product that only products with the same thresholds take hands on bits."""
        users = self.users(step.id)
        if step.op != PRODUCT or step.id == self.output or self.shared(step) or not users:
            return False
        if any(user.op != PRODUCT for user in users):
            return False
        first = self.signs(users[0]).threshold
        if any(not np.array_equal(self.signs(user).threshold, first) for user in users):
            return False
        self.change(step, cut=_cut(self.signs(step), first))
        return True


def _cut(found: Signs, threshold: Any) -> Cut:
    """The next sign asked at every sum, with scale and bias rounded as a product does."""
    outputs = found.weight.shape[0]
    return cut_where(lambda y: y.astype(np.float32) * found.scale + found.bias < threshold, outputs, found.weight.terms)


def _range(step: Step) -> tuple[float, float]:
    """The values that a step leaves as they are; nothing where it does something else."""
    name, args = step.op, step.args[1:]
    if name in ("aten.hardtanh.default", "aten.clamp.default"):
        low, high = (*args, *(-1.0, 1.0)[len(args) :]) if name == "aten.hardtanh.default" else (*args, None, None)[:2]
        return -np.inf if low is None else low, np.inf if high is None else high
    return {"aten.relu.default": (0.0, np.inf), "aten.relu6.default": (0.0, 6.0)}.get(name, (np.inf, -np.inf))


def _around(step: Step) -> tuple[tuple[int, int], float] | None:
    """Rows and columns that a constant pad puts at each side, and its value; None where it is something else."""
    if step.op not in ("aten.pad.default", "aten.constant_pad_nd.default"):
        return None
    args = step.args if step.op == "aten.pad.default" else (*step.args[:2], "constant", *step.args[2:])
    mode, value = (*args[2:], "constant", None)[0], (*args[3:], None)[0]
    amounts = args[1]
    if mode != "constant" or len(amounts) != 4 or amounts[0] != amounts[1] or amounts[2] != amounts[3] or min(amounts) < 0:
        return None
    return (amounts[2], amounts[0]), 0.0 if value is None else float(value)


def _tensor(value: Any) -> Tensor:
    return torch.from_numpy(np.asarray(value, np.float32))
