import pytest

from bitproof.core import Geometry, SpecError


def test_the_shorter_side_is_scaled_as_torchvision_does():
    assert Geometry(224, 256).scaled(375, 500) == (256, 341)
    assert Geometry(224, 256).scaled(500, 375) == (341, 256)
    assert Geometry(224, 256, "square").scaled(375, 500) == (256, 256)


@pytest.mark.parametrize("arguments", [(256, 224), (0, 224), (224, 256, "round")])
def test_an_impossible_geometry_is_refused(arguments):
    with pytest.raises(SpecError):
        Geometry(*arguments)
