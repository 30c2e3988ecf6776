"""Instructions on memory that is known beforehand: a packed network, or a run of its steps, as one native call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bitproof.core import ShapeError
from bitproof.kernels.epilogue import Affine, Cut, per_output
from bitproof.kernels.ops import PADS, check_cut
from bitproof.kernels.sets import REFERENCE, chosen, native
from bitproof.kernels.weight import LANES, PackedWeight

#: A slot and where in it something begins, in values of four bytes.
Place = tuple[int, int]
Pair = tuple[int, int]
Floats = NDArray[np.float32]


def can_plan(kernels: str | None = None) -> bool:
    """Say whether the set that is used runs plans: every one but the NumPy reference, whose steps are run one by one."""
    return native() is not None and chosen(kernels) != REFERENCE


class Plan:
    """Instructions in the order in which they were added; ``run`` executes a part of them without returning to Python.

    A slot names memory of the caller, who keeps it while the plan may run. Constants are kept by the plan.
    Shapes of places are told by each instruction; that memory is large enough is the caller's word.

    Args:
        kernels: the instruction set; the fastest if not given.
    """

    def __init__(self, kernels: str | None = None) -> None:
        self._native: Any = native().Plan(chosen(kernels))
        self._kept: list[Any] = []

    def __len__(self) -> int:
        return len(self._native)

    def slot(self, address: int) -> int:
        """Return a new slot for the memory at ``address``."""
        return int(self._native.slot(address))

    def bind(self, slot: int, address: int) -> None:
        """Give a slot other memory, of the same size."""
        self._native.bind(slot, address)

    def run(self, begin: int, end: int, threads: int = 1) -> None:
        """Execute instructions ``begin`` to ``end``, the latter not included."""
        self._native.run(begin, end, threads)

    def pack(self, x: Place, shape: tuple[int, int, int], threshold: ArrayLike | None, y: Place) -> None:
        """Pack signs along the middle axis of ``shape``, as ``kernels.pack``: floats at ``x`` → words at ``y``."""
        outer, k, inner = shape
        cuts = None if threshold is None else self._keep(per_output(threshold, k))
        self._native.pack(x, cuts, outer, k, inner, y)

    def conv(
        self,
        x: Place,
        size: tuple[int, int, int],
        w: PackedWeight,
        then: Affine | Cut,
        y: Place,
        *,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        dilation: Pair = (1, 1),
        pad: int = 1,
    ) -> None:
        """Convolve packed signs as ``kernels.conv2d``: words of ``size`` (n, h, w) at ``x`` → floats or words at ``y``."""
        numbers = (*size, w.channels, w.shape[0], w.groups, *w.shape[2:], *stride, *padding, *dilation)
        blocks, sums = self._keep(w.blocks), self._keep(w.sums)
        after: dict[str, Any] = dict.fromkeys(("scale", "bias", "at", "flip"))
        if isinstance(then, Cut):
            check_cut(then, w.shape[0])
            at, flip = np.ascontiguousarray(then.at, np.int32), np.ascontiguousarray(then.flip)
            after |= {"at": self._keep(at), "flip": self._keep(flip)}
        else:
            outputs = w.shape[0]
            after |= {"scale": self._keep(per_output(then.scale, outputs)), "bias": self._keep(per_output(then.bias, outputs))}
        self._native.conv(x, blocks, sums, numbers, PADS[pad], y=y, **after)

    def dense(
        self, x: Place, w: Floats, bias: Floats, offsets: NDArray[Any], sizes: Sequence[int], steps: Sequence[int], y: Place
    ) -> None:
        """Multiply floats: y[i, j, p, o] = bias[o] + Σ_k x[i·steps₀ + j·steps₁ + p·steps₂ + offsets[k]]·w[k, o].

        ``w``: float32 [k, o]. ``sizes``: of the axes i, j, p. The order of the sum is none in particular.

        Raises:
            ShapeError: where weight, bias and offsets do not fit one another.
        """
        terms, outputs = w.shape
        if bias.shape != (outputs,) or offsets.shape != (terms,):
            raise ShapeError(f"A weight {w.shape} has a bias {bias.shape} and offsets {offsets.shape}.")
        lanes = -(-outputs // LANES) * LANES
        full = np.zeros((terms + 1, lanes), np.float32)
        full[:terms, :outputs], full[terms, :outputs] = w, bias
        blocks = np.ascontiguousarray(full[:terms].reshape(terms, -1, LANES).transpose(1, 0, 2))
        plain = np.array_equal(offsets, np.arange(terms))
        where = None if plain else self._keep(np.ascontiguousarray(offsets, np.uint32))
        self._native.dense(x, self._keep(blocks), self._keep(full[terms].copy()), where, outputs, list(sizes), list(steps), y)

    def copy(self, x: Place, sizes: Sequence[int], source: Sequence[int], target: Sequence[int], y: Place) -> None:
        """Copy an array of ``sizes`` whose neighbours lie ``source`` values apart to where they lie ``target`` apart."""
        self._native.copy(x, list(sizes), list(source), list(target), y)

    def map(self, name: str, x: Place, n: int, a: float, b: float, y: Place) -> None:
        """Write y = f(x, a, b) for n values.

        f: ``clip`` to [a, b], ``prelu`` of slope a, ``add``, ``sub``, ``mul``, ``div`` a, ``gelu`` to about 1e-7.
        """
        self._native.map(name, x, n, a, b, y)

    def pair(self, name: str, x: Place, z: Place, rows: int, n: int, repeats: bool, y: Place) -> None:
        """Write y = f(x, z) for ``rows`` rows of n values; where z ``repeats`` it is one row for all. f as of ``map``."""
        self._native.pair(name, x, z, rows, n, repeats, y)

    def means(self, x: Place, shape: tuple[int, int, int], y: Place) -> None:
        """Average over the middle axis of ``shape``."""
        self._native.means(x, *shape, y)

    def norm(self, x: Place, rows: int, w: Floats, b: Floats, eps: float, y: Place) -> None:
        """Normalise each of ``rows`` rows, of as many values as ``w`` has: y = (x − mean) / √(variance + eps)·w + b."""
        self._native.norm(x, rows, self._keep(w), self._keep(b), eps, y)

    def attend(
        self,
        operands: Sequence[Place],
        strides: Sequence[Sequence[int]],
        keep: tuple[Place, Sequence[int]] | None,
        sizes: Sequence[int],
        least: int,
        scale: float,
        y: Place,
    ) -> None:
        """Write y[n, t, h, d] = scale·Σ_s M[t, s]·sign(v[s, d]), M = 1 where sign(q[t])·sign(k[s]) ≥ least and ``keep``, else 0.

        ``operands``: q, k, v; ``strides`` of each along n, h and t, the last axis has neighbours. ``keep``: bytes that are not 0,
        and their strides along n, h, t, s; None is all. ``sizes``: n, h, t, s, d.
        """
        mask, kept = (None, (0, 0, 0, 0)) if keep is None else keep
        q, k, v = operands
        steps = [list(each) for each in strides]
        self._native.attend(q, k, v, mask, list(sizes), steps, list(kept), least, scale, y)

    def fill(self, y: Place, n: int, value: float) -> None:
        """Set n values."""
        self._native.fill(y, n, value)

    def _keep(self, array: NDArray[Any]) -> NDArray[Any]:
        found = np.ascontiguousarray(array)
        self._kept.append(found)
        return found
