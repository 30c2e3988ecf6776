"""Every quantizer through the checks of ``contract_quantizers``, and a wrong quantizer for each check."""

from dataclasses import dataclass, field

import pytest
import torch
from contract_quantizers import CHECKS
from torch import Tensor, nn

from bitproof.core import Info
from bitproof.quantizers import QUANTIZERS

MinMax = QUANTIZERS.load("minmax")
DoReFa = QUANTIZERS.load("dorefa")
LSQ = QUANTIZERS.load("lsq")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", QUANTIZERS._own)
def test_quantizer(name, check):
    check(QUANTIZERS.load(name))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_1_bit_form_of_dorefa(check):
    check(DoReFa.at_width(1))


class Truncating(MinMax):
    """Its integers are rounded in another way than its forward."""

    def codes(self, x):
        lower, upper, z = self.limits()
        return x.div(self.step()).floor().clamp(lower, upper).int() + z


class Misinformed(MinMax):
    """Tells a scale that it does not use."""

    def info(self):
        true = super().info()
        return Info(true.bits, 2 * true.scale, true.zero_point, true.low, true.high)


class Generous(MinMax):
    """Clips at one bit more than it was given."""

    def limits(self):
        lower, upper, z = super().limits()
        return 2 * lower - 1, 2 * upper + 1, z

    def step(self):
        return super().step() / 2


class InPlace(MinMax):
    """Writes into its input."""

    def forward(self, x):
        return x.copy_(super().forward(x))


class Bare(MinMax):
    """Its scale may become zero."""

    def settle(self, lo, hi):
        self.scale.copy_(torch.maximum(lo.abs(), hi.abs()) / 2**self.bits)


class Restless(DoReFa):
    """Claims that its weights stay where they were snapped to."""

    idempotent = True


@dataclass(eq=False, repr=False, kw_only=True)
class Forgetful(MinMax):
    """Keeps its scale out of the state dict."""

    scale: Tensor = field(init=False)

    def __post_init__(self):
        super().__post_init__()
        self.register_buffer("scale", torch.ones(self.shape), persistent=False)


class Lossy(MinMax):
    """Leaves its scale behind when it is pickled."""

    def __getstate__(self):
        state = self.__dict__.copy()
        state["_buffers"] = {**state["_buffers"], "scale": torch.ones(self.shape)}
        return state


class Tolerant(MinMax):
    """Takes whatever it is given."""

    def _check(self):
        pass


class Hasty(MinMax):
    """Works with the ranges that it happens to have."""

    def limits(self):
        return -8, 7, 0


class Careless(MinMax):
    """Takes NaN for a number."""

    def observe(self, x):
        super().observe(x.nan_to_num(0, 1, -1))


class Deaf(LSQ):
    """Has a parameter that nothing moves."""

    def snap(self, x, lower, upper):
        return MinMax.snap(self, x, lower, upper)


class Secretive(LSQ):
    """Learns, and does not say so."""

    trainable = False


class Moody(MinMax):
    """Gives other values under attack."""

    def step(self):
        return super().step() * (1 if self.gradient == "ste" else 1.5)


class Dithered(MinMax):
    """Rounds with noise from the global generator."""

    def transform(self, x):
        return x + 1e-2 * torch.rand_like(x)


#: Check → a quantizer that it must not let pass.
WRONG: dict[str, type[nn.Module]] = {
    "check_codes_are_the_forward": Truncating,
    "check_info_tells_the_codes": Misinformed,
    "check_no_more_levels_than_bits_allow": Generous,
    "check_input_is_left_alone": InPlace,
    "check_zeros_stay_zeros": Bare,
    "check_snapped_values_stay_where_declared": Restless,
    "check_state_dict_is_the_whole_state": Forgetful,
    "check_pickled_it_is_the_same": Lossy,
    "check_other_widths_are_refused": Tolerant,
    "check_other_roles_are_refused": Tolerant,
    "check_needs_calibration": Hasty,
    "check_damaged_calibration_is_refused": Careless,
    "check_every_parameter_learns": Deaf,
    "check_what_learns_is_declared": Secretive,
    "check_gradient_modes_change_no_output": Moody,
    "check_no_global_draw": Dithered,
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_finds_a_wrong_quantizer(check):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(WRONG[check.__name__])
