"""How replies are read: each line is something that a model says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.tasks.vqa import Item
from bitproof.tasks.vqa.answers import judge
from bitproof.tasks.vqa.prompts import prompt, shuffled
from bitproof.tasks.vqa.words import spelled, tokens

YES = Item("y", "presence", ("Is there a dog?",), "yes-no", "yes")
NO = Item("n", "presence", ("Is there a dog?",), "yes-no", "no", negative=True)


def number(answer, tolerance=None):
    return Item("c", "counting", ("How many fish?",), "number", answer, tolerance=tolerance)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Yes", "yes"),
        ("yes.", "yes"),
        ("**Yes**, there is a dog.", "yes"),
        ("Answer: no", "no"),
        ("No, I cannot see one.", "no"),
        ("NO", "no"),
        ("There is no dog in the picture.", "no"),
        ("There isn't a dog here.", "no"),
        ("I do not see any dog.", "no"),
        ("I can't see any dog.", "no"),
        ("There is a dog on the sofa.", "yes"),
        ("I can see a small dog.", "yes"),
        ("The image shows a dog.", "yes"),
        ("No doubt there is a dog.", "yes"),
        ("Yes or no: no", "no"),
        ("<think>there is no … wait</think>Yes", "yes"),
        ("The dog is not visible.", "no"),
        ("Yes, as an AI language model I am fairly sure.", "yes"),
        ("It is a sofa, but there is no dog. ", "no"),
        ("It is left of the sofa.", "yes"),
    ],
)
def test_the_first_decision_counts(reply, value):
    assert judge(YES, reply).value == value
    assert judge(YES, reply).status == ("right" if value == "yes" else "wrong")
    assert judge(NO, reply).status == ("right" if value == "no" else "wrong")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   ",
        "...",
        "Yes and no.",
        "It is hard to say.",
        "Perhaps.",
        "A sofa.",
        "I'm not sure.",
        "I do not know.",
        "No idea.",
        "🙂",
    ],
)
def test_what_decides_nothing_is_unparsable(reply):
    assert judge(YES, reply).status == "unparsable"


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot process this image.",
        "As a language model, I cannot see pictures.",
        "I am only a language model.",
        "I’m unable to assist with images of people.",
        "I can't provide medical advice.",
        "The picture was removed.",
        "Ich kann dir dabei leider nicht helfen.",
    ],
)
@pytest.mark.parametrize("item", [YES, number("3"), Item("t", "text", ("?",), "contains", "stop")])
def test_refusals_are_a_class_of_their_own(reply, item):
    assert judge(item, reply).status == "refusal"


def test_what_the_server_withholds_is_a_refusal():
    assert judge(YES, "Yes", filtered=True).status == "refusal"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("12", "12"),
        ("12 fish.", "12"),
        ("There are twelve fish.", "12"),
        ("1,204 fish", "1204"),
        ("About 12", "12"),
        ("twenty-three", "23"),
        ("two hundred and fifty seven", "257"),
        ("a dozen", "12"),
        ("two dozen", "24"),
        ("None.", "0"),
        ("There are no fish.", "0"),
        ("zero", "0"),
        ("3.4", "3.4"),
        ("**12**", "12"),
        ("I count 12 fish and 3 crabs", "12"),
        ("The A310 has 2 engines", "2"),
        ("~30", "30"),
    ],
)
def test_the_first_number_counts(reply, value):
    verdict = judge(number("12"), reply)
    assert (verdict.value, verdict.status) == (value, "right" if value == "12" else "wrong")


@pytest.mark.parametrize(
    "reply",
    [
        "At least 12",
        "more than 12 fish",
        "12+",
        "12 or more",
        "between 10 and 12",
        "10-12",
        "10 to 14",
        "Too many to count.",
        "Several",
    ],
)
def test_bounds_are_recorded_and_never_right(reply):
    for answer in ("12", "10", "14"):
        verdict = judge(number(answer), reply)
        assert verdict.status == "wrong"
        assert verdict.value.startswith("bound")


def test_a_number_is_right_within_its_tolerance():
    assert judge(number("100", 0.1), "110").status == "right"
    assert judge(number("100", 0.1), "111").status == "wrong"
    assert judge(number("100"), "101").status == "wrong"
    assert judge(number("100"), "110").score == pytest.approx(0.9)
    assert judge(number("0"), "5").score == 0


OPTIONS = ("top left", "top", "left", "middle")
PLACE = Item("l", "location", ("Where?",), "choice", "top left", options=OPTIONS)


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("A", 0),
        ("a", 0),
        ("B.", 1),
        ("(C)", 2),
        ("D) middle", 3),
        ("The answer is B", 1),
        ("Option C", 2),
        ("top left", 0),
        ("It is in the top left corner.", 0),
        ("A top left corner", 0),
        ("The ball lies in the middle.", 3),
        ("Middle", 3),
        ("I see it in the middle", 3),
    ],
)
def test_a_choice_is_read_by_letter_or_text(reply, place):
    verdict = judge(PLACE, reply, OPTIONS)
    assert (verdict.position, verdict.value) == (place, OPTIONS[place])


@pytest.mark.parametrize("reply", ["E", "Q", "somewhere", "left or middle", "A. middle", "A nice picture"])
def test_no_option_or_several_is_unparsable(reply):
    assert judge(PLACE, reply, OPTIONS).status == "unparsable"


def test_one_right_axis_is_half_a_point_and_not_right():
    verdict = judge(PLACE, "B", OPTIONS)
    assert (verdict.status, verdict.score) == ("wrong", 0.5)
    assert judge(PLACE, "D", OPTIONS).score == 0


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("oval", "right"),
        ("An oval.", "right"),
        ("The shape is oval.", "right"),
        ("Elliptical", "right"),
        ("Oval. It looks like an egg.", "right"),
        ("oval or round", "wrong"),
        ("round", "wrong"),
    ],
)
def test_exact_answers_after_normalisation(reply, status):
    item = Item("s", "attributes", ("Shape?",), "exact", "ellipse", aliases=("oval", "elliptical"))
    assert judge(item, reply).status == status


def test_contains_takes_runs_of_words_and_rejects():
    item = Item("t", "text", ("Sign?",), "contains", "H & W", aliases=("H and W",), rejected=("Friden",))
    assert judge(item, "The crane says H and W.").status == "right"
    assert judge(item, "H and W or Friden").status == "wrong"
    assert judge(item, "HW").status == "wrong"


def test_not_knowing_is_no_answer():
    for item in (YES, NO, number("3"), Item("t", "text", ("?",), "contains", "stop"), Item("t", "text", ("?",), "exact", "stop")):
        assert judge(item, "I don't know.").status == "unparsable"


def test_text_that_is_nearly_right_keeps_its_anls():
    item = Item("t", "text", ("Sign?",), "contains", "walldisplay")
    assert judge(item, "walldisplav").score == pytest.approx(10 / 11)
    assert judge(item, "nothing like it").score == 0


def test_lists_are_ordered():
    item = Item("f", "fine-grained", ("Largest first?",), "list", "red|green|blue")
    for reply in ("red, green, blue", "1. Red\n2. Green\n3. Blue", "Red, green and blue.", "red > green > blue"):
        assert judge(item, reply).status == "right", reply
    verdict = judge(item, "red, blue, green")
    assert (verdict.status, verdict.score) == ("wrong", pytest.approx(1 / 3))
    assert judge(item, "red, green").status == "wrong"


def test_a_model_that_loops_on_a_digit_is_wrong_and_no_error():
    assert judge(number("12"), "9" * 400).status in ("wrong", "unparsable")
    assert judge(Item("t", "text", ("What?",), "contains", "12"), "9" * 400).status == "wrong"


def test_spelled_numbers_and_tokens():
    assert spelled("two hundred and five cars".split()) == (205, 4)
    assert spelled("five and six".split()) == (5, 1)
    assert tokens("The 1,200 cars’ doors—two!") == ("1200", "cars", "doors", "2")


@given(st.text(max_size=300))
def test_any_text_gets_one_of_four_classes(reply):
    for item in (
        YES,
        number("3"),
        PLACE,
        Item("t", "text", ("?",), "exact", "x"),
        Item("f", "fine-grained", ("?",), "list", "a|b"),
    ):
        verdict = judge(item, reply, item.options)
        assert verdict.status in ("right", "wrong", "unparsable", "refusal")
        assert 0 <= verdict.score <= 1
        assert (verdict.status == "right") <= (verdict.score == 1)


@given(st.integers(0, 999_999))
def test_numbers_in_digits_are_read_back(value):
    assert judge(number(str(value)), f"{value:,}").status == "right"
    assert judge(number(str(value)), f"There are {value} of them.").status == "right"


def test_options_are_shuffled_by_name_and_shown_by_letter():
    many = Item("m", "location", ("Where?", "In which part?"), "choice", "a1", options=tuple(f"a{i}" for i in range(9)))
    assert shuffled(many, 0, 0) == shuffled(many, 0, 0)
    assert len({shuffled(many, p, s) for p in (0, 1) for s in range(3)}) == 6
    asked = prompt(many, 1, 0)
    assert asked.text.startswith("In which part?\nA. " + asked.options[0])
    assert asked.text.endswith("letter of one option.")
    first = [shuffled(Item(f"i{i}", "location", ("?",), "choice", "a", options=("a", "b")), 0, 0)[0] for i in range(200)]
    assert 70 < first.count("a") < 130
