"""What every quantizer promises, at 1 bit or at 2, 4 and 8, for weights and activations, per tensor and per channel."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from contract_entries import pickled
from torch import Tensor

from bitproof.core import BitproofError, ShapeError, SpecError
from bitproof.quantizers import Quantizer

Settings = dict[str, Any]


def uses(method: type[Quantizer]) -> Iterator[Settings]:
    """The settings under which a network uses the method."""
    for bits in sorted({1, 2, 4, 8} & set(method.widths)):
        yield {"bits": bits, "role": "weight"}
        yield {"bits": bits, "role": "weight", "channels": 3, "axis": -2}
        yield {"bits": bits, "role": "activation", **({"channels": 3, "axis": -2} if method.per_input_channel else {})}
        if not method.symmetric_only:
            yield {"bits": bits, "role": "activation", "symmetric": False}


def values(role: str, signed: bool = True) -> Tensor:
    """3×64 values, wide enough to be clipped by every method."""
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))
    x = 0.1 * x if role == "weight" else 5 * x
    return x if signed else x.abs()


def inputs(settings: Settings) -> list[Tensor]:
    signed = values(settings["role"])
    one_code = settings["bits"] == 1  # of what is never negative: refused where that leaves a single code
    return [signed] if settings["role"] == "weight" or one_code else [signed, values("activation", signed=False)]


def frozen(method: type[Quantizer], settings: Settings, x: Tensor) -> Quantizer:
    """A calibrated quantizer as it is evaluated: what is trained with may differ (FDA's noise)."""
    quantizer = method(**settings).eval()
    quantizer.observe(x)
    quantizer.freeze()
    return quantizer


def cases(method: type[Quantizer]) -> Iterator[tuple[Quantizer, Tensor]]:
    """Calibrated quantizers and what they were calibrated on."""
    for settings in uses(method):
        for x in inputs(settings):
            yield frozen(method, settings, x), x


def check_codes_are_the_forward(method: type[Quantizer]) -> None:
    """The fake-quantized network and the integer one are the same network."""
    for quantizer, x in cases(method):
        assert torch.equal(quantizer.dequantize(quantizer.codes(x)), quantizer(x))


def check_info_tells_the_codes(method: type[Quantizer]) -> None:
    for quantizer, x in cases(method):
        info, q = quantizer.info(), quantizer.codes(x)
        assert info.bits == quantizer.bits and info.levels <= 2**info.bits
        assert not bool(((q - info.low) % info.spacing).any())
        if info.threshold is not None:
            assert torch.equal(q, torch.where(x < info.threshold, info.low, info.high))
        assert not q.is_floating_point() and info.low <= int(q.min()) and int(q.max()) <= info.high
        assert bool((info.scale > 0).all())
        assert torch.equal((q - info.zero_point) * info.scale, quantizer(x))


def check_no_more_levels_than_bits_allow(method: type[Quantizer]) -> None:
    for quantizer, x in cases(method):
        for row in quantizer(x).split(1) if quantizer.channels else [quantizer(x)]:
            assert len(row.unique()) <= 2**quantizer.bits


def check_input_is_left_alone(method: type[Quantizer]) -> None:
    for settings in uses(method):
        x = values(settings["role"])
        before = x.clone()
        x_hat = frozen(method, settings, x)(x)
        assert torch.equal(x, before) and x_hat.data_ptr() != x.data_ptr()
        assert (x_hat.shape, x_hat.dtype) == (x.shape, x.dtype)


def check_zeros_stay_zeros(method: type[Quantizer]) -> None:
    """A channel, or a whole tensor, in which calibration saw only zeros; where 0 is no level, the scale is above 0 all the same."""
    for settings in uses(method):
        x = values(settings["role"])
        x[1] = 0
        for zeros in (x, torch.zeros_like(x)) if settings["bits"] > 1 or settings["role"] == "weight" else (x,):
            quantizer = frozen(method, settings, zeros)
            x_hat, info = quantizer(zeros), quantizer.info()
            assert bool(x_hat.isfinite().all())
            if info.low <= info.zero_point <= info.high and (info.zero_point - info.low) % info.spacing == 0:
                assert not x_hat[1].any()
            else:
                assert bool((x_hat != 0).all()) and bool((info.scale > 0).all())


def check_snapped_values_stay_where_declared(method: type[Quantizer]) -> None:
    if method.idempotent:
        for quantizer, x in cases(method):
            assert torch.equal(quantizer(quantizer(x)), quantizer(x))


def check_state_dict_is_the_whole_state(method: type[Quantizer]) -> None:
    for settings in uses(method):
        for x in inputs(settings):
            quantizer, fresh = frozen(method, settings, x), method(**settings).eval()
            fresh.load_state_dict(quantizer.state_dict())
            assert torch.equal(fresh(x), quantizer(x))


def check_pickled_it_is_the_same(method: type[Quantizer]) -> None:
    for quantizer, x in cases(method):
        assert torch.equal(pickled(quantizer)(x), quantizer(x))


def check_other_widths_are_refused(method: type[Quantizer]) -> None:
    for bits in {0, 1, 2, 9} - set(method.widths):
        with pytest.raises(SpecError, match=f"{bits} bits"):
            method(bits=bits)


def check_other_roles_are_refused(method: type[Quantizer]) -> None:
    with pytest.raises(SpecError, match="bias"):
        method(bits=method.widths[-1], role="bias")


def check_needs_calibration(method: type[Quantizer]) -> None:
    for settings in uses(method):
        quantizer, x = method(**settings), values(settings["role"])
        for early in (quantizer, quantizer.codes, quantizer.dequantize):
            with pytest.raises(BitproofError, match="calibrate"):
                early(x)
        for early in (quantizer.freeze, quantizer.info):
            with pytest.raises(BitproofError):
                early()


def check_damaged_calibration_is_refused(method: type[Quantizer]) -> None:
    for settings in uses(method):
        for damage in (float("nan"), float("inf")):
            x = values(settings["role"])
            x[1, 2] = damage
            with pytest.raises(ShapeError, match="NaN or infinity"):
                method(**settings).observe(x)


def check_every_parameter_learns(method: type[Quantizer]) -> None:
    """In both modes: calibrated, each parameter gets a gradient that is finite and not zero; some take part in training alone."""
    for quantizer, x in cases(method):
        for mode in (True, False):
            quantizer.train(mode).zero_grad()
            (
                quantizer((2 * x).requires_grad_()) * x
            ).sum().backward()  # beyond the range too: an offset learns from what is clipped
            for name, parameter in quantizer.named_parameters():
                if not mode and name.partition(".")[0] in quantizer.training_only:
                    continue
                assert parameter.grad is not None, f"{name} gets no gradient"
                assert bool(parameter.grad.isfinite().all()) and bool(parameter.grad.any())


def check_what_learns_is_declared(method: type[Quantizer]) -> None:
    learns = any(next(method(**settings).parameters(), None) is not None for settings in uses(method))
    assert method.trainable or not learns


def check_gradient_modes_change_no_output(method: type[Quantizer]) -> None:
    for quantizer, x in cases(method):
        before = quantizer(x)
        for mode in quantizer.gradients:
            quantizer.gradient = "bpda:decay" if mode == "bpda" else mode
            given = x.clone().requires_grad_()
            x_hat = quantizer(given)
            (x_hat * x).sum().backward()
            assert torch.equal(x_hat, before)
            assert given.grad is not None and given.grad.shape == x.shape and bool(given.grad.isfinite().all())
            assert bool(given.grad.any()) == (mode != "exact")


def check_no_global_draw(method: type[Quantizer]) -> None:
    state = torch.random.get_rng_state()
    first = [quantizer(x) for quantizer, x in cases(method)]
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(7)
    assert all(torch.equal(a, quantizer(x)) for a, (quantizer, x) in zip(first, cases(method), strict=True))
    torch.random.set_rng_state(state)


CHECKS: list[Callable[[type[Quantizer]], None]] = [
    check_codes_are_the_forward,
    check_info_tells_the_codes,
    check_no_more_levels_than_bits_allow,
    check_input_is_left_alone,
    check_zeros_stay_zeros,
    check_snapped_values_stay_where_declared,
    check_state_dict_is_the_whole_state,
    check_pickled_it_is_the_same,
    check_other_widths_are_refused,
    check_other_roles_are_refused,
    check_needs_calibration,
    check_damaged_calibration_is_refused,
    check_every_parameter_learns,
    check_what_learns_is_declared,
    check_gradient_modes_change_no_output,
    check_no_global_draw,
]
