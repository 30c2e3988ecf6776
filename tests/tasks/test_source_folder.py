"""``imagefolder`` and ``imagenet`` on small trees of files; nothing odd in them is passed over."""

import os
import sys

import pytest

from bitproof.core import DataError
from bitproof.tasks import load
from bitproof.tasks.sources import files, imagenet


def grow(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.encode())
    return root


@pytest.fixture
def animals(tmp_path):
    return grow(tmp_path, "bee/2.JPG", "bee/1.png", "ant/1.webp", "cat/x.bmp", ".DS_Store", "ant/.hidden")


def test_classes_are_sorted_folders_and_ids_are_paths(animals):
    data = load(f"imagefolder:{animals}").data
    assert data.names == ("ant", "bee", "cat")
    assert data.classes == 3
    assert [(s.id, s.label) for s in data.samples] == [("ant/1.webp", 0), ("bee/1.png", 1), ("bee/2.JPG", 1), ("cat/x.bmp", 2)]
    assert data.samples[1].read() == b"bee/1.png"


def test_torchvision_sees_the_same(animals):
    from torchvision.datasets import ImageFolder

    (animals / "ant/.hidden").unlink()
    theirs = ImageFolder(str(animals)).samples
    data = load(f"imagefolder:{animals}").data
    assert [(str(animals / sample.id), sample.label) for sample in data.samples] == theirs


def test_the_digest_follows_the_data_and_not_its_place(animals, tmp_path_factory):
    digest = load(f"imagefolder:{animals}").data.digest
    copy = grow(tmp_path_factory.mktemp("copy"), "bee/2.JPG", "bee/1.png", "ant/1.webp", "cat/x.bmp")
    assert load(f"imagefolder:{copy}").data.digest == digest
    (copy / "cat/x.bmp").write_bytes(b"another size")
    assert load(f"imagefolder:{copy}").data.digest != digest


def test_an_edit_that_keeps_the_size_is_seen_where_the_data_is_small(animals, monkeypatch):
    digest = load(f"imagefolder:{animals}").data.digest
    picture = animals / "cat/x.bmp"
    times = picture.stat().st_atime_ns, picture.stat().st_mtime_ns
    picture.write_bytes(picture.read_bytes()[::-1])
    os.utime(picture, ns=times)
    assert load(f"imagefolder:{animals}").data.digest != digest
    monkeypatch.setattr(files, "WHOLE_BYTES", 10)
    large = load(f"imagefolder:{animals}").data.digest
    picture.write_bytes(picture.read_bytes()[::-1])
    assert load(f"imagefolder:{animals}").data.digest == large
    picture.write_bytes(b"another size")
    assert load(f"imagefolder:{animals}").data.digest != large


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names itself")
@pytest.mark.parametrize("odd", [b"bee/caf\xe9.png", b"caf\xe9/1.png"])
def test_a_name_that_is_not_utf8_is_named(animals, odd):
    path = animals / os.fsdecode(odd)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"caf\\udce9.*' has a name that is not UTF-8") as error:
        load(f"imagefolder:{animals}")
    str(error.value).encode()


def test_a_folder_that_cannot_be_read_is_named(animals, monkeypatch):
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("bee"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(DataError, match=r"bee' cannot be read: Permission denied"):
        load(f"imagefolder:{animals}")


def test_a_link_to_nothing_is_named(animals):
    (animals / "bee/3.png").symlink_to(animals / "gone.png")
    with pytest.raises(DataError, match=r"3\.png' cannot be read: No such file"):
        load(f"imagefolder:{animals}")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("stray.png", r"stray\.png' lies beside the class folders"),
        ("ant/notes.txt", r"notes\.txt' is no picture; known extensions: \.jpg, "),
        ("ant/nested/1.png", r"nested' is a folder where pictures were expected"),
        ("dog/.keep", r"class folder '.*dog' holds no pictures"),
    ],
)
def test_odd_things_are_named(animals, file, message):
    grow(animals, file)
    with pytest.raises(DataError, match=message):
        load(f"imagefolder:{animals}")


def test_an_empty_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no class folders"):
        load(f"imagefolder:{tmp_path}")
    grow(tmp_path, "file")
    with pytest.raises(DataError, match="is no folder but a file"):
        load(f"imagefolder:{tmp_path / 'file'}")


@pytest.fixture(scope="module")
def synsets():
    return sorted(imagenet._synsets())


@pytest.fixture
def validation(tmp_path, synsets):
    return grow(tmp_path / "val", *(f"{name}/ILSVRC2012_val_{i:08d}.JPEG" for i, name in enumerate(synsets)))


def test_synset_folders_in_sorted_order(validation, synsets):
    data = load(f"imagenet:{validation}").data
    assert (len(data), data.classes, data.names) == (1000, 1000, tuple(synsets))
    assert [sample.label for sample in data.samples] == list(range(1000))
    assert (synsets[0], synsets[999]) == ("n01440764", "n15075141")
    data.check_classes(1000)


def test_a_folder_that_is_no_synset_is_named(validation):
    (validation / "n01440764").rename(validation / "n99999999")
    with pytest.raises(DataError, match=r"n99999999' is none of ImageNet-1k's 1,000 synsets"):
        load(f"imagenet:{validation}")


def test_missing_classes_are_named(validation, synsets):
    for name in synsets[10:14]:
        (validation / name).rename(validation.parent / name)
    with pytest.raises(DataError, match=rf"lacks 4 .*: {', '.join(synsets[10:13])}, …\. Accepted"):
        load(f"imagenet:{validation}")


@pytest.fixture
def flat(tmp_path):
    return grow(tmp_path / "flat", "ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG")


@pytest.mark.parametrize(
    "text",
    [
        "ILSVRC2012_val_00000001.JPEG,65\nILSVRC2012_val_00000002.JPEG,970\n",
        "ILSVRC2012_val_00000001.JPEG n01751748\n\nILSVRC2012_val_00000002.JPEG\t970",
        "ImageId,PredictionString\nILSVRC2012_val_00000001,n01751748 111 108 441 193\nILSVRC2012_val_00000002,n09193705 0 0 1 1\n",
    ],
    ids=["index", "synset", "kaggle"],
)
def test_a_flat_folder_with_labels(flat, text):
    (flat.parent / "labels.txt").write_text(text)
    data = load(f"imagenet:{flat},labels={flat.parent / 'labels.txt'}").data
    assert [(s.id, s.label) for s in data.samples] == [("ILSVRC2012_val_00000001.JPEG", 65), ("ILSVRC2012_val_00000002.JPEG", 970)]
    assert data.classes == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("490\n361\n", r"labels\.txt' line 1 has one field, '490'"),
        ("a.JPEG,1000\n", r"line 1: '1000' is neither one of 1,000 synsets nor a class index 0–999"),
        ("a.JPEG,n00000000\n", r"line 1: 'n00000000' is neither"),
        ("ILSVRC2012_val_00000001.JPEG,3\n", r"has no line for 'ILSVRC2012_val_00000002\.JPEG'"),
        ("a,1\na,1\n", r"line 2 labels 'a' a second time"),
        ("ILSVRC2012_val_00000001,1\nILSVRC2012_val_00000002,2\nb,3\n", r"labels 1 files that .* lacks, 'b' the first"),
        ("", "has no line for 'ILSVRC2012_val_00000001"),
    ],
)
def test_labels_that_do_not_fit_are_named(flat, text, message):
    (flat.parent / "labels.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        load(f"imagenet:{flat},labels={flat.parent / 'labels.txt'}")


def test_the_layout_and_labels_must_go_together(flat, validation):
    with pytest.raises(DataError, match=r"a flat folder and no labels= were given\. Accepted: 1,000 folders"):
        load(f"imagenet:{flat}")
    with pytest.raises(DataError, match="labels='x' has no use"):
        load(f"imagenet:{validation},labels=x")
    with pytest.raises(DataError, match=r"labels file '.*none' cannot be read"):
        load(f"imagenet:{flat},labels={flat / 'none'}")


def test_a_pipe_without_end_is_named_and_not_read(animals):
    os.mkfifo(animals / "bee/3.png")
    with pytest.raises(DataError, match=r"3\.png' is a pipe, a socket or a device"):
        load(f"imagefolder:{animals}")
