"""Every noise of pictures through the checks of ``contract_pictures``, and a wrong noise for each check."""

import random
import time
from dataclasses import dataclass

import numpy as np
import pytest
from contract_pictures import CHECKS

from bitproof.noises import NOISES

Brightness, Gaussian = NOISES.load("brightness"), NOISES.load("gaussian_noise")
DecodePil, PilBox = NOISES.load("decode-pil"), NOISES.load("pil-box")

OWN = [
    (name, check) for name in NOISES._own for check in CHECKS.get(NOISES.load(name).site, []) if "image" in NOISES.load(name).kinds
]


@pytest.mark.parametrize(("name", "check"), OWN, ids=lambda part: getattr(part, "__name__", part))
def test_noise(name, check):
    check(NOISES.load(name))


class Astray(Brightness):
    """Stands where no picture comes along."""

    site = "kitchen"


class Dice(Brightness):
    """Draws from a generator of its own, that nobody seeds."""

    def __call__(self, image, seed):
        return super().__call__(image, seed) ^ np.random.default_rng().integers(0, 2, image.shape, np.uint8)


class Shared(Brightness):
    """Keeps its scratch memory where all threads meet."""

    scratch = np.zeros((33, 47, 3), np.uint8)

    def __call__(self, image, seed):
        self.scratch[:] = image + np.uint8(seed % 251)
        time.sleep(1e-4)
        return self.scratch.copy()


class Lossy(Brightness):
    """Leaves its severity behind when it is pickled."""

    def __reduce__(self):
        return Lossy, (1,)


class Global(Brightness):
    """Draws from NumPy's global generator."""

    def __call__(self, image, seed):
        return super().__call__(image, seed) ^ np.random.randint(0, 2, image.shape, np.uint8)


class GlobalPython(Brightness):
    """Draws from Python's global generator, and puts nothing back."""

    def __call__(self, image, seed):
        return super().__call__(image, seed) ^ np.uint8(random.random() > 2)


class Halves(Brightness):
    """Gives numbers between 0 and 1."""

    def __call__(self, image, seed):
        return super().__call__(image, seed) / 255


class InPlace(Brightness):
    """Writes into the picture."""

    def __call__(self, image, seed):
        image[:] = super().__call__(image, seed)
        return image.copy()


class Handback(PilBox):
    """Hands the picture back where there is nothing to do."""

    def __call__(self, image, geometry):
        return image if image.shape[:2] == (geometry.size, geometry.size) else super().__call__(image, geometry)


class Omnivore(Brightness):
    """Takes anything for a picture."""

    def _check(self, image):
        pass

    def __call__(self, image, seed):
        return np.asarray(image).astype(np.uint8)


class Swapped(DecodePil):
    """Gives BGR."""

    def __call__(self, data):
        return super().__call__(data)[..., ::-1].copy()


class Guessing(DecodePil):
    """Fills what it cannot read with grey."""

    def __call__(self, data):
        try:
            return super().__call__(data)
        except Exception:
            return np.full((8, 8, 3), 128, np.uint8)


class Uncropped(PilBox):
    """Leaves the longer side as it is."""

    def __call__(self, image, geometry):
        return self._scale(image, *geometry.scaled(*image.shape[:2]))


class Cropping(Brightness):
    """Gives less than it was given."""

    def __call__(self, image, seed):
        return super().__call__(image, seed)[:-1].copy()


class Idle(Brightness):
    """Does nothing."""

    def __call__(self, image, seed):
        return image.copy()


class Unseeded(Gaussian):
    """Draws the same for every seed."""

    def __call__(self, image, seed):
        return super().__call__(image, 0)


@dataclass(frozen=True)
class Second:
    """Has another word before its severity."""

    colour: str
    severity: int


@dataclass(frozen=True)
class Boundless(Brightness):
    """Takes any severity."""

    def __post_init__(self):
        pass


#: Check → noises that it must not let pass.
WRONG = {
    "check_says_where_it_stands": [Astray],
    "check_same_call_same_bytes": [Dice],
    "check_threads_change_nothing": [Shared],
    "check_pickled_it_is_the_same": [Lossy],
    "check_global_generators_are_left_alone": [Global, GlobalPython],
    "check_gives_whole_pictures": [Halves],
    "check_input_is_left_alone": [InPlace, Handback],
    "check_refuses_what_is_no_picture": [Omnivore],
    "check_reads_a_jpeg": [Swapped],
    "check_refuses_what_is_no_file": [Guessing],
    "check_brings_to_the_size": [Uncropped],
    "check_keeps_the_shape": [Cropping],
    "check_does_something": [Idle],
    "check_another_seed_is_another_draw": [Unseeded],
    "check_severity_is_the_first_word": [Second],
    "check_other_severities_are_refused": [Boundless],
}
EVERY = dict.fromkeys(check for checks in CHECKS.values() for check in checks)


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.__name__)
def test_check_finds_a_wrong_noise(check):
    for wrong in WRONG[check.__name__]:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(wrong)
