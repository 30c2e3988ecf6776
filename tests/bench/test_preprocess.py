"""The user's own preprocessing: the clean row, its digest in the ids, and every way in which it can fail."""

import numpy as np
import pytest

from bitproof.bench import Plan, parse_grids
from bitproof.bench.cache import SampleCache
from bitproof.bench.pictures import Pipeline
from bitproof.core import BitproofError
from bitproof.noises import noise

OWN = """
from io import BytesIO
import numpy as np
from PIL import Image
from helper import SIDE

def make(data):
    return np.asarray(Image.open(BytesIO(data)).convert("RGB").resize((SIDE, SIDE)))

def floats(data):
    return make(data) / 255

def picture(data):
    return Image.open(BytesIO(data))

def nothing(data):
    raise KeyError("label")
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "helper.py").write_text("SIDE = 32\n")
    return tmp_path / "own.py"


@pytest.fixture
def text(grid):
    return grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')


def plan(text, own, name="make", noises=None):
    if noises:
        text = text[: text.index("noises:")] + f"noises: {noises}\n" + text[text.index("limit:") :]
    [grid] = parse_grids(text + f'geometry: {{preprocess: "python:{own}#{name}"}}\n')
    return Plan(grid)


def pictures(made, *noises):
    task, network = next(iter(made.tasks.values())), next(iter(made.networks.values()))
    pipeline = Pipeline(task, network.geometry, noises, 0, SampleCache())
    return [pipeline.made(sample) for sample in task.data.samples[:3]], [sample.read() for sample in task.data.samples[:3]]


def test_it_is_the_clean_row_and_what_later_noises_are_given(text, own):
    made = plan(text, own)
    clean, files = pictures(made)
    scope = {}
    exec(own.read_text().replace("from helper import SIDE", "SIDE = 32"), scope)
    for image, data in zip(clean, files, strict=True):
        np.testing.assert_array_equal(image, scope["make"](data))
    swapped, _ = pictures(made, "bgr")
    np.testing.assert_array_equal(swapped[0], clean[0][..., ::-1])


def test_a_decoder_or_resize_stands_in_bitproofs_own_pipeline(text, own):
    made = plan(text, own)
    geometry = next(iter(made.networks.values())).geometry
    for names in (("decode-pil",), ("cv-area",), ("decode-cv", "cv-area")):
        images, files = pictures(made, *names)
        decoder, resizer = names[0] if names[0].startswith("decode") else "decode-pil", names[-1]
        resizer = resizer if not resizer.startswith("decode") else "pil-bilinear"
        np.testing.assert_array_equal(images[0], noise(resizer)(noise(decoder)(files[0]), geometry))


def test_families_hold_bitproofs_clean_decoder_as_one_more_way(text, own):
    noises = {cell.noise for cell in plan(text, own, noises="[system]").cells}
    assert "decode-pil" in noises and "pil-bilinear" not in noises and len(noises) == 14


def test_source_and_neighbours_and_function_are_in_the_ids(text, own):
    def ids():
        return {cell.id for cell in plan(text, own).cells}

    first = ids()
    assert ids() == first
    own.write_text(OWN + "# more\n")
    second = ids()
    (own.parent / "helper.py").write_text("SIDE = 16 + 16\n")
    assert not first & second and not second & ids() and not first & ids()
    [grid] = parse_grids(text)
    assert not {cell.id for cell in Plan(grid).cells} & ids()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("floats", r"floats\(\) of '.*own.py' must return a NumPy array uint8 \(32, 32, 3\), RGB; found float64 \(32, 32, 3\)"),
        ("picture", r"picture\(\) of '.*own.py' must return .*; found a JpegImageFile"),
        ("nothing", r"nothing\(\) of '.*own.py' failed: KeyError: 'label'"),
        ("absent", r"own.py' has no function 'absent'. It has: BytesIO, make, floats, picture, nothing"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(text, own, name, message):
    with pytest.raises(BitproofError, match=message):
        plan(text, own, name)


@pytest.mark.parametrize("spec", ["own.py#make", "python:own.py", "python:#make"])
def test_other_forms_are_refused(text, spec):
    [grid] = parse_grids(text + f'geometry: {{preprocess: "{spec}"}}\n')
    with pytest.raises(BitproofError, match=r"is written python:FILE\.py#NAME"):
        Plan(grid)


def test_a_file_that_is_missing_is_named(text, tmp_path):
    with pytest.raises(BitproofError, match=r"gone\.py' does not exist"):
        plan(text, tmp_path / "gone.py")
