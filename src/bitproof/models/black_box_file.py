"""The door to a function that answers for a network: a service, another framework, a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitproof.core import SpecError
from bitproof.models.black_box import BlackBox
from bitproof.models.network import Network, check_interpolation, wrap
from bitproof.models.user_file import user_function


@dataclass(frozen=True)
class BlackBoxFile:
    """Your own function that answers for a network: black-box:FILE.py#FUNCTION,size=S[,classes=K,resize=R,mode=shorter,…].

    ``FUNCTION(pictures)`` takes a NumPy array, float32 N×3×S×S in [0, 1], and returns labels N (whole numbers; with ``classes``)
    or logits N×classes. The file is run; its source, and that of files beside it, is the digest: what it loads or asks elsewhere is
    not seen. Gradient attacks do not apply, and where it tells labels alone those that need logits do not either.
    ``mode``, ``interpolation`` and ``resize`` as for ``python``.
    """

    file: str
    size: int
    classes: int | None = None
    resize: int | None = None
    mode: str = "shorter"
    interpolation: str = "pil-bilinear"

    source: ClassVar[str] = "your own file"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        path, mark, function = self.file.partition("#")
        if not (path and mark and function.isidentifier()):
            raise SpecError(f"A function of your own is written black-box:FILE.py#FUNCTION,size=S; found {self.file!r}.")
        check_interpolation(self.interpolation)

    def load(self, spec: str) -> Network:
        """Run the file and ask the function about two pictures. Raises ModelError naming the file or the function."""
        function, code = user_function(f"python:{self.file}")
        return wrap(
            BlackBox(function, self.size, self.classes, spec),
            size=self.size,
            classes=self.classes,
            resize=self.resize,
            mode=self.mode,
            interpolation=self.interpolation,
            spec=spec,
            differentiable=False,
            code=code.encode(),
        )
