from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def sets() -> list[str]: ...
def pack(
    set: str, x: NDArray[np.float32], threshold: NDArray[np.float32] | None, out: NDArray[np.uint64], threads: int
) -> None: ...
def conv(
    set: str,
    x: NDArray[np.uint64],
    blocks: NDArray[np.uint32],
    sums: NDArray[np.int32],
    numbers: Sequence[int],
    pad: int,
    threads: int,
    y: NDArray[np.int32] | None = None,
    real: NDArray[np.float32] | None = None,
    scale: NDArray[np.float32] | None = None,
    bias: NDArray[np.float32] | None = None,
    bits: NDArray[np.uint64] | None = None,
    at: NDArray[np.int32] | None = None,
    flip: NDArray[np.uint64] | None = None,
) -> None: ...
