"""What every door returns: a network, and how samples become what it takes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bitproof.core import BitproofError, Form, Geometry, ModelError, SpecError
from bitproof.models.black_box import Answer, BlackBox, source_of
from bitproof.models.elsewhere import carries_gradient, maker, plain, settings, stored_bytes

#: Mean and standard deviation of ImageNet's channels in [0, 1].
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Network:
    """A network ready to be measured.

    Attributes:
        module: one tensor, N×…, → logits N×classes, in evaluation mode. Pictures are float N×3×S×S in [0, 1], normalisation inside.
        form: how a sample becomes one row of that tensor; of pictures a Geometry.
        classes: number of logits.
        spec: the canonical spec that loads it again, or the name given to ``wrap``.
        digest: 64 hex digits; equal digests mean equal networks.
        differentiable: whether the logits carry a gradient to the picture.
        made_by: who made it low-bit, or a program, before it came here (``torchao 0.18.0``); None for a network of plain torch.
        size_bytes: what it weighs as it came, of a file the file; None for a network of plain torch.
        of: the model of the same grid that it is a low-bit version of, whose name its rows then bear; None stands for itself.
        recipe: what made it low-bit before it came here, as far as that is known; None of a float network.
    """

    module: nn.Module
    form: Form
    classes: int
    spec: str
    digest: str
    differentiable: bool = True
    made_by: str | None = None
    size_bytes: int | None = None
    of: str | None = None
    recipe: str | None = None

    @property
    def finished(self) -> bool:
        """Whether it is to be measured as it is: no recipe applies, and nothing in it is folded or moved in memory."""
        return not self.differentiable or self.made_by is not None

    @property
    def geometry(self) -> Geometry:
        """How a decoded picture becomes S×S. Raises SpecError for a network that takes no pictures."""
        if not isinstance(self.form, Geometry):
            raise SpecError(f"{self.spec!r} takes samples of the kind {self.form.kind!r}; one that takes pictures is needed here.")
        return self.form


class Normalized(nn.Module):
    """A network with its normalisation in front: ``net((x − mean) / std)``; shape and class axis are those of ``net``."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], net: nn.Module) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """N×3×S×S in [0, 1] → logits N×classes."""
        logits: Tensor = self.net((x - self.mean) / self.std)
        return logits


def wrap(
    module: nn.Module | Answer,
    *,
    size: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    classes: int | None = None,
    resize: int | None = None,
    mode: str = "shorter",
    interpolation: str = "pil-bilinear",
    spec: str = "module",
    differentiable: bool | None = None,
    code: bytes = b"",
    size_bytes: int | None = None,
) -> Network:
    """Return ``module`` as a Network. It is taken over: put into evaluation mode and float32, and probed once.

    A function that is no module is a black box: NumPy float32 N×3×size×size → labels N or logits N×classes, without a gradient.

    Args:
        module: N×3×size×size float → logits N×classes, or a function as above.
        size: side of the input in px.
        mean: what is taken from the channels of a picture in [0, 1]; None means 0.
        std: what they are divided by afterwards; None means 1.
        classes: the number of logits that is expected; None takes what the probe shows. Needed for a function that tells labels.
        resize: side in px before the centre crop; None means ``size``.
        mode: ``shorter`` keeps the aspect ratio, ``square`` does not.
        interpolation: name of the clean resizer.
        spec: what the records call it.
        differentiable: whether the logits carry a gradient; None tries it where another library made the module low-bit.
        size_bytes: what it weighs; None of a module of such a library means its tensors as they are held.
        code: anything beside the state dict that decides the numbers; enters the digest. None of a function means its source.

    Raises:
        ModelError: where the probe fails, or its output is not N×classes of finite numbers.
        SpecError: where mean, std or the geometry make no sense, and where a function cannot be told from others.
    """
    if not isinstance(module, nn.Module):
        code = code or source_of(module, spec)
        module, differentiable = BlackBox(module, size, classes, spec), False
    check_interpolation(interpolation)
    geometry = Geometry(size, resize or size, mode, interpolation)
    net = Normalized(*_channels(mean, std, spec), module).float().eval()
    grey = torch.tensor([0.25, 0.75]).view(2, 1, 1, 1).expand(2, 3, size, size).contiguous()
    return of_form(net, geometry, grey, spec=spec, classes=classes, differentiable=differentiable, code=code, size_bytes=size_bytes)


def of_form(
    net: nn.Module,
    form: Form,
    probe: Tensor,
    *,
    spec: str,
    classes: int | None = None,
    differentiable: bool | None = None,
    code: bytes = b"",
    size_bytes: int | None = None,
    moves: Callable[[Tensor], Tensor] | None = None,
) -> Network:
    """Return ``net`` as a Network whose input is as ``form`` says; it is put into evaluation mode.

    ``probe``: two samples that are shown to it; ``moves``: makes of samples what an attack moves, where that is something else; the
    other settings are those of ``wrap``. Raises ModelError where the probe fails, or the answer is not 2×classes of finite numbers.
    """
    found = _probe(net.eval(), probe, spec)
    if classes is not None and classes != found:
        raise ModelError(f"{spec!r} gives {found} logits, {classes} classes were expected. Type classes={found}.")
    made_by = maker(net)
    if differentiable is None:
        with seeded(0):
            differentiable = made_by is None or carries_gradient(net, moves(probe) if moves else probe)
    if made_by is not None and size_bytes is None:
        size_bytes = stored_bytes(net)
    return Network(net, form, found, spec, state_digest(net, code), differentiable, made_by, size_bytes)


def check_interpolation(name: str) -> None:
    """Refuse what cannot be a resizer: their names start with the library whose arithmetic they are. Raises SpecError."""
    if not name.startswith(("pil-", "cv-", "torch-")):
        raise SpecError(
            f"interpolation={name!r} is no resizer: its name starts with pil-, cv- or torch-. Type for example pil-bilinear."
        )


def _channels(mean: Sequence[float] | None, std: Sequence[float] | None, spec: str) -> tuple[Sequence[float], Sequence[float]]:
    mean, std = (0.0,) if mean is None else mean, (1.0,) if std is None else std
    if not {len(mean), len(std)} <= {1, 3} or not all(map(math.isfinite, [*mean, *std])) or min(std) <= 0:
        raise SpecError(f"{spec!r}: mean and std need 1 or 3 finite numbers, std above 0; found {tuple(mean)} and {tuple(std)}.")
    return mean, std


def _probe(net: nn.Module, x: Tensor, spec: str) -> int:
    """Run ``net`` on two samples and return its number of classes."""
    with seeded(0), torch.no_grad():  # lazy layers are drawn here
        try:
            logits = net(x)
        except BitproofError:
            raise
        except Exception as error:  # whatever a foreign module raises
            given = f"a picture of {x.shape[3]}×{x.shape[3]} px" if x.ndim == 4 and x.shape[1] == 3 else f"samples {tuple(x.shape)}"
            raise ModelError(f"{spec!r} fails on {given}: {type(error).__name__}: {error}") from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2:
        found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise ModelError(f"{spec!r} must return logits N×classes, found {found} for 2 samples. Wrap it in a module that does.")
    if not logits.isfinite().all():
        raise ModelError(f"{spec!r} returns logits that are NaN or infinite on plain samples; its weights are damaged.")
    return logits.shape[1]


def state_digest(module: nn.Module, code: bytes = b"") -> str:
    """SHA-256 of the names, types, shapes and bytes of the state dict in order of name, and of ``code``; 64 hex digits."""
    digest = hashlib.sha256(code)
    for name, value in sorted(module.state_dict().items()):
        for part, numbers in plain(name, value):
            digest.update(f"{part} {numbers.dtype} {tuple(numbers.shape)}{settings(value)}".encode())
            digest.update(numbers.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Initialise layers from ``seed``, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
