"""Keywords from a grid to rows: trained, taught from inside, thinned, disturbed, attacked; and what a grid cannot ask."""

import io
import itertools

import numpy as np
import pytest

import bitproof as bp
from bitproof.bench import Plan, parse_grids
from bitproof.core import DataError, SpecError
from bitproof.report import write as write_page

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")

GRID = """
tasks: ["audiofolder:{test}"]
train: "audiofolder:{train}"
models: [bifsmn]
recipes: [{recipes}]
training: {{epochs: 12, optimizer: adamw, lr: 0.002, weight_decay: 0, batch_size: 12, teacher: float,
  match: hed, depths: "8=1,2=0.5", augment: wave}}
calibration: {{n: 8, data: "audiofolder:{train}"}}
noises: [{noises}]
batch_size: 12
threads: 1
"""


def tone(hz, seed):
    """A second of a tone in noise, begun at a drawn place."""
    rng = np.random.default_rng(seed)
    x = 0.01 * rng.standard_normal(16_000)
    start = rng.integers(1000, 6000)
    x[start : start + 8000] += 0.3 * np.sin(2 * np.pi * hz * rng.uniform(0.97, 1.03) * np.arange(8000) / 16_000) * np.hanning(8000)
    return x


def write(root, count, first):
    for (label, hz), i in itertools.product(enumerate((300, 1200, 3500)), range(count)):
        path = root / f"tone{label}" / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        soundfile.write(file, tone(hz, first + 100 * label + i), 16_000, format="WAV", subtype="PCM_16")
        path.write_bytes(file.getvalue())
    return root


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    return {"train": write(root / "train", 12, 0), "test": write(root / "test", 6, 1000)}


NOISES = ["clean", "white_noise:3", "babble:1", "thin:2", "fp16", "opus:12", "logmel-32:mel=slaney"]
ATTACKS = ["pgd-snr:eps=0.1,steps=3", "noise-snr:eps=0.1"]


def grid(clips, recipes="float", noises="clean", **more):
    text = GRID.format(**clips, recipes=recipes, noises=noises)
    for old, new in more.items():
        text = text.replace(*new) if isinstance(new, tuple) else text.replace(old, new)
    return text


def test_from_clips_to_rows(clips, tmp_path):
    path, out = tmp_path / "grid.yaml", tmp_path / "run"
    noises = ", ".join(f'"{spec}"' for spec in [*NOISES, *ATTACKS])
    path.write_text(grid(clips, 'float, "bifsmnv2:w1a2"', noises).replace("bifsmn]", '"bifsmn:classes=3"]'))
    outcome = bp.run(path, out)
    assert (outcome.cells, outcome.failed) == (2 * (len(NOISES) + len(ATTACKS) + 1), 0)  # evidence comes with attacks
    rows = bp.results.load(out)
    clean = {recipe: float(part["correct"].mean()) for (recipe,), part in rows.filter(noise="clean").group_by("recipe")}
    assert min(clean.values()) > 0.6, clean  # chance is 1/3
    attacked = rows.filter(name="pgd-snr")
    assert attacked["gradients"].max() > 0 and attacked["success"].sum() >= rows.filter(name="noise-snr")["success"].sum()
    assert bp.run(path, out).already == outcome.cells  # nothing is made twice
    assert len(list((out / "gallery").glob("*.json"))) == 7
    assert write_page(out).stat().st_size > 10_000


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("models: [bifsmn]", "models: [small-cnn]", "'image'"),
        ("noises: [clean]", "noises: [fog:3]", "not the task's kind 'keyword'"),
        ("augment: wave", "augment: flip", "none, wave"),
        ("batch_size: 12\nthreads", "geometry: {size: 32}\nbatch_size: 12\nthreads", "'keyword'"),
        ("augment: wave", 'adversarial: "pgd-linf:eps=0.1"', "for pictures"),
        ("models: [bifsmn]", "models: [d-fsmn]", "classes"),
    ],
)
def test_what_a_grid_cannot_ask(clips, old, new, told):
    text = grid(clips)
    assert old in text
    text = text.replace(old, new)
    if "classes" not in told:
        text = text.replace("[bifsmn]", '["bifsmn:classes=3"]').replace("small-cnn", '"small-cnn:classes=3"')
    [asked] = parse_grids(text)
    with pytest.raises((SpecError, DataError), match=told):
        Plan(asked)


def test_a_broken_clip_is_named(clips, tmp_path):
    broken = write(tmp_path / "broken", 1, 5)
    (broken / "tone0" / "0.wav").write_bytes(b"RIFF")
    [asked] = parse_grids(grid({**clips, "test": broken}).replace("[bifsmn]", '["bifsmn:classes=3"]'))
    with pytest.raises(DataError, match=r"tone0/0\.wav"):
        Plan(asked)


def test_a_background_is_mixed_into_training_and_into_cells(clips, tmp_path):
    path, out, hum = tmp_path / "grid.yaml", tmp_path / "run", tmp_path / "hum"
    hum.mkdir()
    soundfile.write(hum / "hum.wav", tone(50, 0), 16_000)
    text = (
        grid(clips, "float", f'clean, "background:5,dir={hum}"')
        .replace("bifsmn]", '"bifsmn:classes=3"]')
        .replace("epochs: 12", "epochs: 1")
    )
    plain, mixing = text, text.replace("training: {", f'training: {{mix: "background:1,dir={hum}", ')
    assert mixing != plain
    variants = []
    for each in (plain, mixing):
        path.write_text(each)
        assert bp.run(path, out / str(len(variants))).failed == 0
        variants.append(set(bp.results.load(out / str(len(variants)))["variant"]))
    assert not variants[0] & variants[1]  # what was mixed in is part of a network's identity
    soundfile.write(hum / "hum.wav", tone(60, 0), 16_000)
    assert {variant.id for grid_ in parse_grids(mixing) for variant in Plan(grid_).variants} != variants[1]
    for wrong, says in (
        ("babble:2", "needs no other recordings"),
        ("clean", "no noise of a wave"),
        ("fog:2", "no noise of a wave"),
    ):
        path.write_text(text.replace("training: {", f'training: {{mix: "{wrong}", '))
        with pytest.raises(bp.BitproofError, match=says):
            bp.run(path, tmp_path / "no")
