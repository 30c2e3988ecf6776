"""A thinnable network, packed: a program for each depth, which share what is the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from bitproof.convert import at_depth
from bitproof.core import SpecError
from bitproof.export.deploying import Deployed, deploy
from bitproof.export.program import Program
from bitproof.kernels import PackedWeight


class PackedDepths(nn.Module):
    """Programs of which one runs; ``set_depth`` says which, and nothing is loaded or made for that.

    Weights and tensors that several depths have are held once. Shapes: as of ``Program``.

    Args:
        programs: a packed network for each depth.
        depth: the one that runs first; the deepest if not given.

    Raises:
        SpecError: for a depth that there is not.
    """

    def __init__(self, programs: Mapping[int, Program], depth: int | None = None) -> None:
        super().__init__()
        self.depths = tuple(sorted(programs, reverse=True))
        _share(programs)
        self.programs = nn.ModuleDict({str(each): programs[each] for each in self.depths})
        self.set_depth(max(self.depths) if depth is None else depth)

    def set_depth(self, depth: int) -> None:
        """Run at another depth from now on. Raises SpecError for one that it does not have."""
        if depth not in self.depths:
            raise SpecError(f"The packed network has no depth {depth}: {', '.join(map(str, self.depths))}.")
        self.depth = depth

    def at(self, depth: int) -> Program:
        """Return the program of a depth."""
        found: Any = self.programs[str(depth)]
        return found  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Run the program of the depth."""
        return self.at(self.depth)(x)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the depth for ``print(model)``."""
        return f"depth {self.depth} of {', '.join(map(str, self.depths))}"


def deploy_depths(model: nn.Module, sample: Tensor, depths: tuple[int, ...]) -> Deployed:
    """Return ``model`` packed at each of ``depths``, the first one running, and the report of the deepest.

    Raises SpecError where the network is not thinnable or has no such depth, ModelError as ``deploy`` and for folded batch norms.
    """
    if not depths or len(set(depths)) < len(depths):
        raise SpecError(f"{','.join(map(str, depths)) or 'nothing'} is no list of depths, each once.")
    thinned = {depth: at_depth(model, depth) for depth in depths}
    made = {depth: deploy(each, sample) for depth, each in thinned.items()}
    programs: Any = {depth: each.model for depth, each in made.items()}
    return Deployed(PackedDepths(programs, depths[0]).eval(), made[max(depths)].report)


def _share(programs: Mapping[int, Program]) -> None:
    """Let equal weights and tensors be the same objects."""
    weights: dict[Any, PackedWeight] = {}
    tensors: dict[Any, Tensor] = {}
    for program in programs.values():
        for name, product in program.products.items():
            w = product.signs.weight
            same = weights.setdefault((w.shape, w.groups, w.blocks.tobytes()), w)
            program.products[name] = dataclasses.replace(product, signs=dataclasses.replace(product.signs, weight=same))
        for name, value in program.named_buffers():
            key = (value.shape, value.stride(), value.dtype, value.numpy().tobytes())
            setattr(program, name, tensors.setdefault(key, value))
