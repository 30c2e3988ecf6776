"""What a float network's layers and blocks take and give on calibration samples, and how much the loss minds each output."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitproof.convert.flow import run
from bitproof.convert.layers import QuantLayer
from bitproof.convert.products import QuantAttention
from bitproof.core import ModelError, seed

#: Samples that a gradient is taken for at once: what autograd holds then is all whose memory grows with depth.
AT_ONCE = 4


@dataclass
class Block:
    """Layers and attentions that are calibrated together, in the order in which they run, and the module that holds them."""

    name: str
    module: nn.Module
    parts: list[QuantLayer | QuantAttention] = field(default_factory=list)


@dataclass
class Seen:
    """Per piece of the batches: what a module was called with, what it gave, and the gradient of the loss there."""

    given: list[Any] = field(default_factory=list)
    y: list[Tensor] = field(default_factory=list)
    g: list[Tensor] = field(default_factory=list)


@dataclass
class SeenAttention:
    """Of an attention: queries, keys, map and values per piece, and both products (scores before scaling, context)."""

    operands: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)
    scores: Seen = field(default_factory=Seen)
    context: Seen = field(default_factory=Seen)


def unquantized(model: nn.Module) -> tuple[nn.Module, dict[nn.Module, Any]]:
    """Return a copy of ``model`` whose layers and attentions compute in float, and for each module the one in the copy."""
    twin = copy.deepcopy(model)
    pairs: dict[nn.Module, Any] = dict(zip(model.modules(), twin.modules(), strict=True))
    for module in twin.modules():
        if isinstance(module, QuantLayer):
            module.weight_quantizer = module.input_quantizer = module.gain = None
        elif isinstance(module, QuantAttention):
            module.scores.left = module.scores.right = module.context.left = module.context.right = None
            module.observing = True
    return twin.requires_grad_(False), pairs


def blocks(model: nn.Module, batch: Any) -> list[Block]:
    """Return the blocks by first call: the innermost elements of a Sequential or ModuleList that hold several parts.

    A part that is left alone is a block by itself.

    A transformer's block and a residual one are found so, a patch embedding and a classifier stand alone.
    """
    parts = order(model, batch)
    names = {module: name for name, module in model.named_modules()}
    modules = dict(model.named_modules())
    elements = {id(child) for m in modules.values() if isinstance(m, (nn.Sequential, nn.ModuleList)) for child in m.children()}
    found: dict[str, Block] = {}
    for part in parts:
        path = names[part].split(".")
        outer = (".".join(path[:i]) for i in range(len(path) - 1, 0, -1))
        name = next((n for n in outer if id(modules[n]) in elements and _several(modules[n], parts)), names[part])
        found.setdefault(name, Block(name, modules[name])).parts.append(part)
    return [
        block if len(block.parts) > 1 else Block(names[block.parts[0]], block.parts[0], block.parts) for block in found.values()
    ]


def _several(module: nn.Module, parts: Sequence[nn.Module]) -> bool:
    return sum(part in parts for part in module.modules()) > 1


@torch.no_grad()
def order(model: nn.Module, batch: Any) -> list[QuantLayer | QuantAttention]:
    """Return the layers and attentions by first call."""
    called: dict[QuantLayer | QuantAttention, None] = {}
    parts = [module for module in model.modules() if isinstance(module, (QuantLayer, QuantAttention))]
    hooks = [part.register_forward_pre_hook(lambda module, _: called.setdefault(module)) for part in parts]
    try:
        run(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return list(called)


class Watch:
    """Sees what ``block`` and its parts take and give in ``twin``, an unquantized copy, while it is entered; gradients start there.

    Where no graph leads to an output, as to an embedding's or that of a constant, it begins there. Of a module that runs several
    times in one forward the first call counts. ``minded``: whether the loss depends on the block at all.
    """

    def __init__(self, block: Block, twins: dict[nn.Module, Any]) -> None:
        self.whole = Seen()
        self.layers = {part: Seen() for part in block.parts if isinstance(part, QuantLayer)}
        self.attentions = {part: SeenAttention() for part in block.parts if isinstance(part, QuantAttention)}
        self._block, self._twins = block, twins
        self._outputs: list[tuple[Seen, Tensor]] = []
        self._brought: dict[int, Any] = {}
        self.minded = False
        self._called: set[int] = set()

    def __enter__(self) -> Watch:
        scope = self._twins[self._block.module]
        self._hooks = [scope.register_forward_pre_hook(self._begin, with_kwargs=True)]
        layers: dict[Any, Seen] = {self._twins[part]: seen for part, seen in self.layers.items()}
        for module, seen in {scope: self.whole, **layers}.items():
            self._hooks.append(module.register_forward_pre_hook(self._bring(seen), with_kwargs=True))
            self._hooks.append(module.register_forward_hook(self._see(seen)))
        for attention, both in self.attentions.items():
            self._twins[attention].heard = self._hear(both)
        return self

    def __exit__(self, *exc: Any) -> None:
        for hook in self._hooks:
            hook.remove()
        for part in self.attentions:
            self._twins[part].heard = None

    def take(self, loss: Tensor) -> None:
        """Take the gradients of ``loss`` to all outputs of this piece."""
        outputs, leads = [y for _, y in self._outputs], loss.requires_grad
        self.minded |= leads
        gradients = torch.autograd.grad(loss, outputs, allow_unused=True) if leads else [None] * len(outputs)
        for (seen, y), g in zip(self._outputs, gradients, strict=True):
            seen.y.append(y.detach())
            seen.g.append(torch.zeros_like(y) if g is None else g)
        self._outputs, self._called = [], set()

    def _begin(self, module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        return tuple(map(_leaf, args)), {key: _leaf(value) for key, value in kwargs.items()}

    def _bring(self, seen: Seen) -> Any:
        def bring(module: nn.Module, args: Any, kwargs: Any) -> None:
            if id(seen) not in self._called:
                self._brought[id(seen)] = copied((args, kwargs))  # it, or what comes next, may write into its input

        return bring

    def _see(self, seen: Seen) -> Any:
        def see(module: nn.Module, args: Any, output: Any) -> Any:
            y = first_tensor(output)
            if id(seen) in self._called or y is None or not y.is_floating_point():
                return output
            self._called.add(id(seen))
            seen.given.append(self._brought.pop(id(seen)))
            y = y if y.requires_grad else y.detach().requires_grad_()
            self._outputs.append((seen, y))
            return _with_first(output, y.clone())  # what comes next may write into its input

        return see

    def _hear(self, both: SeenAttention) -> Any:
        def hear(q: Tensor, k: Tensor, m: Tensor, v: Tensor, scores: Tensor, context: Tensor) -> None:
            if id(both) in self._called or not context.requires_grad:
                return
            self._called.add(id(both))
            both.operands.append((q.detach(), k.detach(), m.detach(), v.detach()))
            self._outputs += [(both.scores, scores), (both.context, context)]

        return hear


def watched(block: Block, reference: nn.Module, twins: dict[nn.Module, Any], batches: Sequence[Any]) -> Watch:
    """Return what ``block`` and its parts take and give in the float network on ``batches``, with gradients."""
    watch, start = Watch(block, twins), 0
    with watch, torch.enable_grad():
        for batch in batches:
            for piece in pieces(batch, AT_ONCE):
                loss, count = fisher_loss(run(reference, piece), start)
                watch.take(loss)
                start += count
    return watch


def fisher_loss(output: Any, start: int) -> tuple[Tensor, int]:
    """Return a loss whose squared gradients are, in the mean over draws, the diagonal of the Fisher information, and the samples.

    Logits N×classes: Σ cross-entropy with labels drawn from softmax(logits). All else: Σ ε·y over every number y, ε normal, as of a
    normal distribution around it. Sample i, a row of every output, draws by its number ``start`` + i, so a batch's size changes
    nothing. Outputs that differ in length have no samples: each counts as one.
    """
    numbers = [t for t in tensors(output) if t.is_floating_point() and t.numel()]
    found = [t for t in numbers if t.requires_grad] or numbers
    if not found:
        raise ModelError("The network gives no numbers with a fraction, so no loss says which of its layers' errors matter.")
    y = found[0]
    if len(found) == 1 and y.ndim == 2 and y.shape[1] > 1:
        drawn = torch.cat([torch.rand(1, generator=_generator(start + i)) for i in range(len(y))]).to(y.device)
        labels = (y.detach().softmax(1).cumsum(1) < drawn[:, None]).sum(1).clamp(max=y.shape[1] - 1)
        return F.cross_entropy(y, labels, reduction="sum"), len(y)
    if all(t.ndim and len(t) == len(y) for t in found):
        draws = [_generator(start + i) for i in range(len(y))]
        noise, count = [torch.stack([torch.randn(t.shape[1:], generator=draw) for draw in draws]).to(t) for t in found], len(y)
    else:
        noise = [torch.randn(t.shape, generator=_generator(start + i)).to(t) for i, t in enumerate(found)]
        count = len(found)
    return torch.stack([(t * e).sum() for t, e in zip(found, noise, strict=True)]).sum(), count


def _generator(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed(0, "fisher", number))


def pieces(batch: Any, size: int) -> Iterator[Any]:
    """Return the batch in parts of at most ``size`` samples; one whose tensors differ in length stays whole."""
    lengths = {len(t) for t in tensors(batch) if t.ndim}
    if len(lengths) != 1:
        yield batch
        return
    for start in range(0, lengths.pop(), size):
        yield _mapped(batch, lambda t, at=start: t[at : at + size] if t.ndim else t)


def first_tensor(output: Any) -> Tensor | None:
    """Return a module's output, or the first of several."""
    head = output[0] if isinstance(output, (tuple, list)) and output else output
    return head if isinstance(head, Tensor) else None


def _with_first(output: Any, y: Tensor) -> Any:
    return type(output)([y, *output[1:]]) if isinstance(output, (tuple, list)) else y


def _leaf(value: Any) -> Any:
    """Let the graph begin here, at a copy that may be written into."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().requires_grad_().clone()
    return value


def copied(value: Any) -> Any:
    """Return copies of all tensors in a module's arguments, without a graph."""
    return _mapped(value, lambda t: t.detach().clone())


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    return type(value)(_mapped(part, change) for part in value) if type(value) in (tuple, list) else value


def tensors(value: Any) -> Iterator[Tensor]:
    """Return all tensors in a batch or an output, however nested."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, tuple, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors(part)
