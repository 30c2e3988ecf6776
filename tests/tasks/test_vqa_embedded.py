"""The pack that is shipped: its form, its balance, and its answers against a reader that looks at the pixels alone."""

from collections import Counter, defaultdict

import cv2
import numpy as np
import pixel_reader
import polars as pl
import pytest

from bitproof.tasks.vqa import SCENARIOS
from bitproof.tasks.vqa.pack import EMBEDDED, Pack


@pytest.fixture(scope="module")
def questions():
    return Pack("embedded").load().samples


@pytest.fixture(scope="module")
def items(questions):
    return [each.item for each in questions]


def slots(items):
    """Items by what is asked: scenario, slot and options."""
    found = defaultdict(list)
    for item in items:
        slot = item.item.rpartition("/")[2]
        found[item.scenario, slot, tuple(sorted(item.options)) if len(item.options) != 2 else 2].append(item)
    return found


def pixels(question):
    return cv2.imdecode(np.frombuffer(question.read(), np.uint8), cv2.IMREAD_COLOR)


def test_every_scenario_has_fifty_items_and_the_file_is_small(items):
    counts = Counter(item.scenario for item in items)
    assert list(counts) == list(SCENARIOS)
    assert min(counts.values()) >= 50
    assert EMBEDDED.stat().st_size < 6e6


def test_every_picture_decodes_to_a_common_size(questions):
    for question in {each.item.group: each for each in questions}.values():
        height, width = pixels(question).shape[:2]
        assert 190 <= height <= 340 and 190 <= width <= 340, question.id


def test_every_item_says_its_licence_and_has_three_phrasings(items):
    assert {item.licence for item in items} == {"CC0-1.0"}
    assert all(len(item.questions) == 3 and item.source for item in items)


def test_the_file_says_what_it_is():
    about = pl.read_parquet_metadata(EMBEDDED)
    assert about["licence"] == "CC0-1.0" and about["version"].isdigit()


def test_its_readme_counts_right(items):
    about = EMBEDDED.with_name("README.md").read_text()
    least = min(Counter(item.scenario for item in items).values())
    assert f"{len(items):,} questions about {len({item.group for item in items})} generated pictures" in about
    assert f"at least {least} each" in about


def test_one_picture_a_group(questions):
    files = defaultdict(set)
    for question in questions:
        files[question.item.group].add(question.read())
    assert {len(found) for found in files.values()} == {1}


def test_half_of_each_question_of_yes_or_no_is_a_negative(items):
    for key, asked in slots(items).items():
        if asked[0].answer_type == "yes-no":
            assert sum(item.negative for item in asked) * 2 == len(asked), key
            assert all(item.negative == (item.answer == "no") for item in asked)


def test_no_constant_answer_beats_chance(items):
    for key, asked in slots(items).items():
        kinds = {item.answer_type for item in asked}
        assert len(kinds) == 1, key
        if kinds == {"number"}:
            continue
        best = max(Counter(item.answer for item in asked).values()) / len(asked)
        chance = 1 / max(len(asked[0].options), 2)
        assert best <= chance + 0.06, (key, best)


def test_no_place_in_the_list_of_options_is_favoured(items):
    for key, asked in slots(items).items():
        if asked[0].options:
            places = Counter(item.options.index(item.answer) for item in asked)
            assert max(places.values()) / len(asked) <= 1 / len(asked[0].options) + 0.1, key


def test_no_constant_number_is_often_near_enough(items):
    for key, asked in slots(items).items():
        if asked[0].answer_type == "number":
            truths = np.array([float(item.answer) for item in asked])
            near = np.abs(truths[:, None] - truths[None]) <= (asked[0].tolerance or 0) * truths[None] + 1e-9
            assert near.mean(axis=1).max() <= 0.3, key


def test_no_question_gives_its_answer_away(items):
    """Where one question is asked four times and more, knowing its words alone is worth no more than chance."""
    words = defaultdict(list)
    for item in items:
        words[item.scenario, item.questions[0], item.options].append(item.answer)
    for key, answers in words.items():
        if len(answers) >= 4:
            assert max(Counter(answers).values()) / len(answers) <= 0.5 + 1e-9, key


def test_a_rejected_word_is_no_right_answer(items):
    for item in items:
        assert not {item.answer.lower(), *map(str.lower, item.aliases)} & set(map(str.lower, item.rejected)), item.item


@pytest.mark.parametrize("scenario", ["presence", "camouflage", "defects", "medical"])
def test_matched_negatives_differ_from_their_twin_in_one_place(questions, scenario):
    pairs = defaultdict(dict)
    for question in questions:
        if question.item.scenario == scenario and question.item.answer_type == "yes-no":
            pairs[question.item.group.rpartition("-")[0]][question.item.negative] = pixels(question)
    assert len(pairs) >= 25
    for name, pair in pairs.items():
        changed = (np.abs(pair[True].astype(int) - pair[False]).max(axis=2) > 40).mean()
        assert 0.0005 < changed < 0.25, (name, changed)


@pytest.mark.parametrize("scenario", ["counting", "relation", "sentiment", "remote-sensing"])
@pytest.mark.parametrize("phrasing", [0, 1, 2])
def test_a_reader_of_pixels_finds_the_same_answers(questions, scenario, phrasing):
    asked = [each for each in questions if each.item.scenario == scenario]
    missed = {}
    for each in asked:
        found = pixel_reader.answer(each.read(), each.item.questions[phrasing])
        if found != each.item.answer:
            missed[each.id] = (found, each.item.answer)
    assert not missed


def test_the_reader_gets_worse_where_the_picture_does(questions):
    from bitproof.noises import corrupt

    asked = [each for each in questions if each.item.scenario == "counting"][::4]
    right = {noise: 0 for noise in ("gaussian_noise:5", "none")}
    for each in asked:
        picture = cv2.cvtColor(pixels(each), cv2.COLOR_BGR2RGB)
        for noise in right:
            shown = picture if noise == "none" else corrupt(picture, noise, 0)
            file = cv2.imencode(".png", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))[1].tobytes()
            right[noise] += pixel_reader.answer(file, each.item.questions[0]) == each.item.answer
    assert right["gaussian_noise:5"] < right["none"] == len(asked)
