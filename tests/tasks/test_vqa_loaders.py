"""Public data sets as questions: tiny folders in each published layout, and what is said of broken ones."""

import contextlib
import csv
import io
import json

import pytest
from PIL import Image

from bitproof.core import DataError, Registry, Spec, SpecError
from bitproof.tasks import load_any
from bitproof.tasks.vqa import SCENARIOS
from bitproof.tasks.vqa.loaders import LOADERS

SOURCES = Registry("source", LOADERS)


def picture(path, kind="JPEG", color="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), color).save(path, kind)
    return path


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def load(spec):
    return SOURCES.build(Spec.parse(spec)).load()


def asked(data):
    """Id → (scenario, type, answer) of each item."""
    return {each.id: (each.item.scenario, each.item.answer_type, each.item.answer) for each in data.samples}


# --- what holds of all


@pytest.mark.parametrize("name", LOADERS)
def test_every_loader_says_what_it_is(name):
    loader = SOURCES.load(name)
    assert loader.__doc__ and "." in loader.__doc__.splitlines()[0]
    assert loader.source and loader.version == 1 and loader.task == "vqa" and loader.name == name
    assert loader.layout.startswith("Expected: ")


@pytest.mark.parametrize("name", LOADERS)
def test_an_empty_folder_is_refused_with_the_layout(name, tmp_path):
    with pytest.raises(DataError, match="Expected: "):
        load(f"{name}:{tmp_path}")


@pytest.mark.parametrize("name", LOADERS)
def test_a_folder_that_is_not_there_is_named(name, tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        load(f"{name}:{tmp_path}/nowhere")


def test_a_loader_takes_the_tasks_own_words_beside_its_own(tmp_path):
    for mood in ("positive", "negative"):
        picture(tmp_path / mood / "a.jpg")
    task = load_any(f"vqa/image-sentiment:{tmp_path},phrasings=3")
    assert task.kind == "vqa" and task.asking.phrasings == 3 and len(task.data) == 2


def test_a_setting_that_a_loader_does_not_have_is_refused(tmp_path):
    with pytest.raises(SpecError, match="splits"):
        load(f"coco:{tmp_path},splits=val2017")


# --- MS COCO


def coco(root, count=40):
    """``count`` pictures of 40×30: a dog on the left at the top, a cat on the right at the bottom; every other one with a bed."""
    names = {1: "dog", 2: "cat", 3: "bed", 4: "couch", 5: "elephant"}
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 40, "height": 30} for i in range(1, count + 1)]
    boxes = {1: [2, 2, 8, 6], 2: [28, 22, 10, 6], 3: [0, 10, 38, 10], 5: [0, 0, 40, 30]}
    found = [
        {"image_id": i, "category_id": kind, "bbox": boxes[kind], "iscrowd": 0}
        for i in range(1, count + 1)
        for kind in ((1, 2, 3) if i % 2 else (1, 2))
    ]
    found.append({"image_id": 1, "category_id": 5, "bbox": boxes[5], "iscrowd": 0})
    data = {"images": images, "annotations": found, "categories": [{"id": k, "name": v} for k, v in names.items()]}
    text(root / "annotations" / "instances_val2017.json", data)
    for each in images:
        picture(root / "val2017" / each["file_name"])
    return data


def test_coco_asks_four_scenarios_with_answers_from_the_boxes(tmp_path):
    coco(tmp_path)
    data = load(f"coco:{tmp_path}")
    by = {name: [each.item for each in data.samples if each.item.scenario == name] for name in SCENARIOS}
    assert {name for name, items in by.items() if items} == {"presence", "location", "relation", "affordance"}
    assert {(i.questions[0].split()[-1], i.answer) for i in by["location"]} <= {
        ("dog?", "top left"),
        ("cat?", "bottom right"),
        ("bed?", "centre"),
    }
    for item in by["presence"]:
        name = item.questions[0].removesuffix(" in the picture?").split()[-1]
        image = int(item.group.rpartition("/")[2])
        there = {"dog": True, "cat": True, "bed": image % 2 == 1, "elephant": image == 1}[name]
        assert (item.answer == "yes") == there == (not item.negative)
    for item in by["relation"]:
        first, second = (word for word in item.questions[0].rstrip("?").split() if word in ("dog", "cat", "bed"))
        assert (item.answer == "yes") == ((first, second) in {("dog", "cat"), ("dog", "bed"), ("bed", "cat")})
    assert {item.answer for item in by["relation"]} == {item.answer for item in by["presence"]} == {"yes", "no"}
    assert {item.answer for item in by["affordance"]} == {"yes", "no"}


def test_coco_draws_the_same_questions_whatever_else_is_there(tmp_path):
    coco(tmp_path / "a"), coco(tmp_path / "b")
    assert load(f"coco:{tmp_path / 'a'}").digest == load(f"coco:{tmp_path / 'b'}").digest


def test_coco_asks_of_a_crowd_neither_where_it_is_nor_what_it_is_beside(tmp_path):
    data = coco(tmp_path)
    for each in data["annotations"]:
        each["iscrowd"] = int(each["category_id"] == 1)
    text(tmp_path / "annotations" / "instances_val2017.json", data)
    asked = [each.item for each in load(f"coco:{tmp_path}").samples if each.item.scenario in ("location", "relation")]
    assert asked and not any("dog" in item.questions[0] for item in asked)


@pytest.mark.parametrize("name", ["../outside.jpg", "/outside.jpg"])
def test_coco_reads_no_picture_outside_its_folder(tmp_path, name):
    data = coco(tmp_path / "coco", 2)
    data["images"][0]["file_name"] = name
    text(tmp_path / "coco" / "annotations" / "instances_val2017.json", data)
    with pytest.raises(DataError, match="lies outside"):
        load(f"coco:{tmp_path / 'coco'}")


def test_coco_leaves_out_what_lies_near_a_border_of_fields(tmp_path):
    data = coco(tmp_path, 2)
    for each in data["annotations"]:
        each["bbox"] = [12, 9, 4, 4]  # its middle is at 0.35 of both sides
    text(tmp_path / "annotations" / "instances_val2017.json", data)
    assert "location" not in {each.item.scenario for each in load(f"coco:{tmp_path}").samples}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("bbox", [1, 2, 3], "box"), ("category_id", 99, "category"), ("image_id", "x", "'image_id'"), ("image_id", 77, "picture 77")],
)
def test_coco_names_a_broken_annotation(tmp_path, key, value, message):
    data = coco(tmp_path, 2)
    data["annotations"][0][key] = value
    text(tmp_path / "annotations" / "instances_val2017.json", data)
    with pytest.raises(DataError, match=message):
        load(f"coco:{tmp_path}")


def test_coco_names_a_picture_that_is_missing(tmp_path):
    coco(tmp_path, 2)
    (tmp_path / "val2017" / "000000000002.jpg").unlink()
    with pytest.raises(DataError, match=r"000000000002\.jpg' is missing.*Expected"):
        load(f"coco:{tmp_path}")


# --- Tiny-ImageNet-C


def test_tiny_imagenet_c_asks_for_the_synsets_words(tmp_path):
    for corruption in ("fog", "gaussian_noise"):
        for i in (0, 1):
            picture(tmp_path / corruption / "3" / "n01443537" / f"val_{i}.JPEG")
    data = load(f"tiny-imagenet-c:{tmp_path}")
    assert asked(data) == {f"{c}/3/n01443537/val_0/name": ("corrupted", "contains", "goldfish") for c in ("fog", "gaussian_noise")}
    assert data.samples[0].item.aliases == ("Carassius auratus",)
    assert len(load(f"tiny-imagenet-c:{tmp_path},per_class=2").samples) == 4


def test_tiny_imagenet_c_names_the_severity_that_is_missing_and_an_unknown_synset(tmp_path):
    picture(tmp_path / "fog" / "3" / "n99999999" / "val_0.JPEG")
    with pytest.raises(DataError, match="severity 2"):
        load(f"tiny-imagenet-c:{tmp_path},severity=2")
    with pytest.raises(DataError, match="n99999999"):
        load(f"tiny-imagenet-c:{tmp_path}")
    with pytest.raises(SpecError, match="1 to 5"):
        load(f"tiny-imagenet-c:{tmp_path},severity=6")


# --- points and boxes


def test_iocfish5k_counts_points(tmp_path):
    text(tmp_path / "test_id.txt", "0001\n0002\n")
    for name, count in (("0001", 3), ("0002", 0)):
        points = "<object><point><x>1</x><y>2</y></point></object>" * count
        text(tmp_path / "annotations" / f"{name}.xml", f"<annotation>{points}</annotation>")
        picture(tmp_path / "images" / f"{name}.jpg")
    data = load(f"iocfish5k:{tmp_path}")
    assert asked(data) == {"test/0001/count": ("counting", "number", "3"), "test/0002/count": ("counting", "number", "0")}
    assert [each.item.negative for each in data.samples] == [False, True]
    assert data.samples[0].item.tolerance == 0.1


def test_iocfish5k_names_broken_xml(tmp_path):
    text(tmp_path / "test_id.txt", "0001")
    text(tmp_path / "annotations" / "0001.xml", "<annotation>")
    with pytest.raises(DataError, match=r"0001\.xml' is no XML"):
        load(f"iocfish5k:{tmp_path}")


def test_mpid_rain_counts_vehicles_alone(tmp_path):
    objects = "".join(f"<object><name>{name}</name></object>" for name in ("car", "person", "Bus", "car"))
    text(tmp_path / "Annotations" / "r1.xml", f"<annotation>{objects}</annotation>")
    picture(tmp_path / "JPEGImages" / "r1.jpg")
    assert asked(load(f"mpid-rain:{tmp_path}")) == {"Annotations/r1/vehicles": ("rain", "number", "3")}
    (tmp_path / "JPEGImages" / "r1.jpg").unlink()
    with pytest.raises(DataError, match="no picture"):
        load(f"mpid-rain:{tmp_path}")


# --- folders that are answers


@pytest.mark.parametrize(
    ("name", "yes", "no", "kind"),
    [
        ("cds2k", "CDS2K/Positive/wood/Image", "CDS2K/Negative/wood/Image", "yes-no"),
        ("image-sentiment", "positive", "negative", "choice"),
    ],
)
def test_as_many_of_each_folder(tmp_path, name, yes, no, kind):
    for i in range(5):
        picture(tmp_path / yes / f"a{i}.jpg")
        picture(tmp_path / yes.replace("Image", "GroundTruth") / f"m{i}.png", "PNG") if name == "cds2k" else None
    for i in range(2):
        picture(tmp_path / no / f"b{i}.jpg", color="blue")
    items = [each.item for each in load(f"{name}:{tmp_path}").samples]
    assert [item.answer for item in items] == (
        ["yes"] * 2 + ["no"] * 2 if kind == "yes-no" else ["positive"] * 2 + ["negative"] * 2
    )
    assert not any("GroundTruth" in item.group for item in items)


@pytest.mark.parametrize("name", ["cds2k", "image-sentiment"])
def test_positives_alone_are_refused(tmp_path, name):
    picture(tmp_path / "positive" / "a.jpg")
    with pytest.raises(DataError, match="1 positive and 0 negative"):
        load(f"{name}:{tmp_path}")


def test_sun_seg_takes_the_middle_frame_of_each_clip(tmp_path):
    for clip in ("case1_1", "case2_3"):
        for i in range(5):
            picture(tmp_path / "pos" / "TestEasyDataset" / "Seen" / "Frame" / clip / f"f{i}.jpg")
            picture(tmp_path / "pos" / "TestEasyDataset" / "Seen" / "GT" / clip / f"f{i}.png", "PNG")
    for i in range(3):
        picture(tmp_path / "neg" / "case7" / f"n{i}.jpg")
    where = f"sun-seg:{tmp_path / 'pos'}"
    found = asked(load(f"{where},negatives={tmp_path / 'neg'},per_clip=1"))
    assert len(found) == 2 and ("without/case7/n1/polyp", ("medical", "yes-no", "no")) in found.items()
    assert next(iter(found)) in ("with/case1_1/f2/polyp", "with/case2_3/f2/polyp")
    assert len(asked(load(f"{where},negatives={tmp_path / 'neg'},per_clip=3"))) == 6
    with pytest.raises(DataError, match="without polyps are missing"):
        load(where)


# --- COD10K


def test_cod10k_reads_names_and_pairs_with_backgrounds(tmp_path):
    folder = tmp_path / "Test" / "Image"
    picture(folder / "COD10K-CAM-1-Aquatic-9-GhostPipefish-1.jpg")
    picture(folder / "COD10K-NonCAM-1-Aquatic-6-Fish-1.jpg")
    picture(folder / "COD10K-NonCAM-5-Other-69-Other-4.jpg")
    data = load(f"cod10k:{tmp_path}")
    assert asked(data) == {
        "COD10K-CAM-1-Aquatic-9-GhostPipefish-1/there": ("camouflage", "yes-no", "yes"),
        "COD10K-CAM-1-Aquatic-9-GhostPipefish-1/which": ("camouflage", "contains", "ghost pipefish"),
        "COD10K-NonCAM-5-Other-69-Other-4/there": ("camouflage", "yes-no", "no"),
    }
    picture(folder / "whatever.jpg")
    with pytest.raises(DataError, match="does not say what it shows"):
        load(f"cod10k:{tmp_path}")


# --- FGVC-Aircraft


def aircraft(root, **changes):
    labels = {"family": "0056978 Boeing 707", "manufacturer": "0056978 Boeing", "variant": "0056978 707-320"} | changes
    for slot, line in labels.items():
        text(root / "data" / f"images_{slot}_test.txt", line + "\n")
    picture(root / "data" / "images" / "0056978.jpg")


@pytest.mark.parametrize("inner", ["", "fgvc-aircraft-2013b"])
def test_fgvc_aircraft_asks_three_slots_a_picture(tmp_path, inner):
    aircraft(tmp_path / inner)
    data = load(f"fgvc-aircraft:{tmp_path}")
    answers = {"family": "Boeing 707", "manufacturer": "Boeing", "variant": "707-320"}
    assert asked(data) == {f"0056978/{slot}": ("fine-grained", "contains", answer) for slot, answer in answers.items()}
    assert data.samples[0].item.aliases == ("707",)
    assert {each.item.group for each in data.samples} == {"0056978"}


def test_fgvc_aircraft_knows_a_makers_short_name_and_names_a_lacking_slot(tmp_path):
    aircraft(tmp_path, family="0056978 BAE 146", manufacturer="0056978 British Aerospace", variant="0056978 BAE 146-200")
    maker = load(f"fgvc-aircraft:{tmp_path}").samples[1].item
    assert maker.answer == "British Aerospace" and "BAE" in maker.aliases
    aircraft(tmp_path, variant="0000001 707-320")
    with pytest.raises(DataError, match="no variant"):
        load(f"fgvc-aircraft:{tmp_path}")


# --- TextVQA and RSVQA


def test_textvqa_keeps_what_people_agree_on(tmp_path):
    def record(number, answers):
        return {"question_id": number, "image_id": "abc", "question": "what brand is it?", "answers": answers}

    rows = [
        record(1, ["friden"] * 6 + ["the friden"] * 3 + ["x"]),
        record(2, list("abcdefghij")),
        record(3, ["unanswerable"] * 7 + ["nokia"] * 3),
    ]
    text(tmp_path / "TextVQA_0.5.1_val.json", {"data": rows})
    picture(tmp_path / "train_images" / "abc.jpg")
    data = load(f"textvqa:{tmp_path}")
    assert asked(data) == {"abc/1": ("text", "contains", "friden")}
    assert data.samples[0].item.aliases == ("the friden",)
    assert data.samples[0].item.questions == ("what brand is it?",)


def rsvqa(root):
    rows = [
        (0, "rural_urban", "Is it a rural or an urban area", "urban"),
        (1, "presence", "Is a water area present?", "no"),
        (2, "count", "What is the number of buildings?", "42"),
        (3, "comp", "Are there more roads than parks?", "no"),
    ]
    questions = [{"id": i, "img_id": 7, "type": kind, "question": words, "active": True} for i, kind, words, _ in rows]
    answers = [{"id": 9 - i, "question_id": i, "answer": answer, "active": True} for i, _, _, answer in rows]
    text(root / "LR_split_test_questions.json", {"questions": [*questions, {"id": 99, "active": False}]})
    text(root / "LR_split_test_answers.json", {"answers": [{"id": 98, "active": False}, *answers]})
    picture(root / "Images_LR" / "7.tif", "TIFF", "green")


def test_rsvqa_asks_active_questions_and_hands_on_png(tmp_path):
    rsvqa(tmp_path)
    data = load(f"rsvqa-lr:{tmp_path}")
    assert asked(data) == {
        "7/0": ("remote-sensing", "choice", "urban"),
        "7/1": ("remote-sensing", "yes-no", "no"),
        "7/2": ("remote-sensing", "choice", "between 11 and 100"),
        "7/3": ("remote-sensing", "yes-no", "no"),
    }
    assert [each.item.negative for each in data.samples] == [False, True, False, False]
    shown = Image.open(io.BytesIO(data.samples[0].read()))
    assert shown.format == "PNG" and shown.getpixel((3, 3)) == (0, 128, 0)


def test_rsvqa_names_a_question_without_an_answer_and_a_broken_picture(tmp_path):
    rsvqa(tmp_path)
    (tmp_path / "Images_LR" / "7.tif").write_bytes(b"no tiff")
    with pytest.raises(DataError, match=r"7\.tif"):
        load(f"rsvqa-lr:{tmp_path}").samples[0].read()
    text(tmp_path / "LR_split_test_answers.json", {"answers": []})
    with pytest.raises(DataError, match="question 0 has no answer"):
        load(f"rsvqa-lr:{tmp_path}")


def spoilt(node, odd):
    """Yield copies of nested data, each with one node replaced by ``odd``."""
    yield odd
    if isinstance(node, dict):
        for key, value in node.items():
            yield from (node | {key: other} for other in spoilt(value, odd))
    if isinstance(node, list):
        for i, value in enumerate(node):
            yield from ([*node[:i], other, *node[i + 1 :]] for other in spoilt(value, odd))


@pytest.mark.parametrize("odd", [None, True, 0, -1, "x", [], {}, [1], {"a": 1}], ids=str)
@pytest.mark.parametrize("name", ["coco", "rsvqa-lr", "textvqa"])
def test_no_broken_file_ends_in_another_error(tmp_path, name, odd):
    if name == "coco":
        coco(tmp_path, 1)
        files = [tmp_path / "annotations" / "instances_val2017.json"]
    elif name == "rsvqa-lr":
        rsvqa(tmp_path)
        files = sorted(tmp_path.glob("*.json"))
    else:
        row = {"question_id": 1, "image_id": "abc", "question": "what?", "answers": ["a"] * 4}
        text(tmp_path / "TextVQA_0.5.1_val.json", {"data": [row]})
        picture(tmp_path / "train_images" / "abc.jpg")
        files = [tmp_path / "TextVQA_0.5.1_val.json"]
    for file in files:
        sound = json.loads(file.read_text())
        for broken in spoilt(sound, odd):
            text(file, json.dumps(broken))
            with contextlib.suppress(DataError):
                load(f"{name}:{tmp_path}")
        text(file, sound)
    assert load(f"{name}:{tmp_path}").samples


# --- a table of one's own


ROW = {
    "image": "a.jpg",
    "item": "mine/1",
    "scenario": "presence",
    "questions": "Is there a dog?|Do you see a dog?",
    "answer_type": "yes-no",
    "answer": "no",
    "negative": "true",
    "tolerance": "",
}


def table(root, *rows):
    with (root / "questions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ROW)
        writer.writeheader()
        writer.writerows(rows)


def test_csv_and_json_lines_give_the_same_items(tmp_path):
    for name in "ab":
        picture(tmp_path / name / "a.jpg")
    table(tmp_path / "a", ROW)
    record = {key: value for key, value in ROW.items() if value} | {"negative": True, "questions": ROW["questions"].split("|")}
    text(tmp_path / "b" / "questions.jsonl", json.dumps(record) + "\n")
    one, two = (load(f"folder:{tmp_path / name}") for name in "ab")
    assert [each.item for each in one.samples] == [each.item for each in two.samples] and one.digest == two.digest
    assert one.samples[0].item.questions == ("Is there a dog?", "Do you see a dog?") and one.samples[0].item.negative
    assert one.samples[0].item.group == "a.jpg"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": ""}, "line 2.*must be the path"),
        ({"image": "../secret.jpg"}, "outside"),
        ({"image": "b.jpg"}, "missing"),
        ({"negative": "maybe"}, "line 2.*true or false"),
        ({"tolerance": "much"}, "line 2.*a number"),
        ({"scenario": "dogs"}, "line 2.*no known scenario"),
        ({"answer": "perhaps"}, "line 2.*yes or no"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(tmp_path, changes, message):
    picture(tmp_path / "a.jpg")
    picture(tmp_path.parent / "secret.jpg")
    table(tmp_path, ROW | changes)
    with pytest.raises(DataError, match=message):
        load(f"folder:{tmp_path}")


def test_two_tables_and_a_broken_line_are_refused(tmp_path):
    picture(tmp_path / "a.jpg")
    text(tmp_path / "questions.jsonl", "{}\n{oh\n")
    with pytest.raises(DataError, match="record 1"):
        load(f"folder:{tmp_path}")
    table(tmp_path, ROW)
    with pytest.raises(DataError, match="holds 2 of"):
        load(f"folder:{tmp_path}")
