"""Where cells are computed."""

from __future__ import annotations

import torch

from bitproof.core import SpecError


def device_named(name: str) -> torch.device:
    """Return torch's device of this name; ``auto`` is the accelerator that torch sees, else the CPU.

    Raises SpecError for a name that torch does not know and for a device that cannot be computed on.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device) + 1
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SpecError(
            f"The device {name!r} cannot be used: {reason}. Type auto, cpu or cuda:0; 'bitproof doctor' shows what is here."
        ) from None
    return device
