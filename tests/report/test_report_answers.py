"""The page of answers and the table of scenarios: what is there, that other people's text stays text, and that filters work."""

import dataclasses
import html
import math
import re

import pytest
from report_runs import EVIL, png
from test_report_browser import CHROMIUM, browse

from bitproof.core import ReplyRow, SampleRow
from bitproof.report import write
from bitproof.results import Store

REPLY = ReplyRow(
    cell="c",
    task="vqa/pack:p",
    model="chat:http://h/v1#big",
    recipe="fp32",
    noise="clean",
    defense="none",
    seed=0,
    sample="a",
    trial=0,
    scenario="presence",
    group="a",
    phrasing=0,
    repeat=0,
    negative=False,
    answer_type="yes-no",
    question="Is there a dog?",
    answer="yes",
    options="",
    status="right",
    value="yes",
    score=1.0,
    position=None,
    reply="Yes",
    tokens_in=10,
    tokens_out=1,
    latency_ms=5.0,
    cost=0.5,
    server="",
)


def sample_row(reply: ReplyRow, family: str) -> SampleRow:
    right = reply.status == "right"
    return SampleRow(
        cell=reply.cell,
        variant=f"v-{reply.recipe[:4]}",
        task=reply.task,
        model=reply.model,
        recipe=reply.recipe,
        noise=reply.noise,
        name=reply.noise.partition(":")[0],
        family=family,
        severity=None,
        gradient=None,
        defense="none",
        seed=0,
        sample=reply.sample,
        label=1,
        prediction=int(right),
        correct=right,
        margin=math.nan,
        loss=math.nan,
        confidence=math.nan,
        success=None,
        queries=None,
        gradients=None,
        trial=reply.trial,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two recipes, two noises, six items in two scenarios; one reply and one question are programs."""
    store = Store.create(tmp_path_factory.mktemp("vqa") / "run")
    for recipe in ("fp32", "served:q4"):
        for noise, family in (("clean", "clean"), ("fog:3", "natural")):
            cell = f"{recipe[:4]}-{noise[:3]}"
            replies = [reply(cell, recipe, noise, i) for i in range(6)]
            store.write_replies(cell, replies)
            store.write_cell(cell, [sample_row(each, family) for each in replies])
    for i in range(6):
        store.write_picture(REPLY.task, "clean", f"i{i}", png(40 * i, 90, 160))
    store.write_picture(REPLY.task, "fog:3", "i0", png(200, 200, 200))
    return write(store.path)


def reply(cell, recipe, noise, i):
    status = "refusal" if (recipe, i) == ("served:q4", 5) else "wrong" if recipe == "served:q4" and i % 2 else "right"
    return dataclasses.replace(
        REPLY, cell=cell, recipe=recipe, noise=noise, sample=f"i{i}", group=f"i{i}", scenario="presence" if i < 4 else "rain",
        status=status, value="no" if status == "wrong" else "yes", question=EVIL if i == 1 else REPLY.question,
        reply={1: EVIL, 2: "x" * 1900, 3: "\x1b[31mred\x00"}.get(i, "Yes"),
    )  # fmt: skip


def test_both_pages_are_written_and_know_each_other(page):
    answers = page.with_name("report-answers.html")
    assert f'href="{answers.name}"' in page.read_text()
    assert f'href="{page.name}"' in answers.read_text()
    assert "Scenario by scenario" in page.read_text()
    assert "n too small" in page.read_text()
    assert "served:q4 of chat:http://h/v1#big: it does not say" in page.read_text()
    assert "24 askings, 264 tokens as the servers count them, 12.00 by the prices given" in page.read_text()


def test_a_run_without_questions_has_one_page(results, tmp_path):
    write(results, tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_replies_stay_text_and_are_cut(page):
    text = page.with_name("report-answers.html").read_text()
    assert EVIL not in text
    assert html.escape(EVIL, quote=False)[:40] in text
    assert "<img src=x" not in text
    assert "x" * 241 not in text
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "�[31mred" in text


def test_a_card_shows_what_differs(page):
    text = page.with_name("report-answers.html").read_text()
    cards = re.findall(r'<article class="card item" data-scenario="(\w+)" data-words="([^"]*)">', text)
    assert len(cards) == 6
    assert cards.count(("presence", "right")) == 2
    assert ("rain", "refusal right changed") in cards
    assert text.count('data-noise="fog:3"') == 6 + 1


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path")
def test_filters_in_a_browser(page, tmp_path):
    answers = page.with_name("report-answers.html")

    class Filtered:
        def __init__(self, query):
            self.query = query

        def as_uri(self):
            return f"{answers.as_uri()}#{self.query}"

    for query, shown in (("", 6), ("scenario=rain", 2), ("status=refusal", 1), ("status=changed&scenario=presence", 2)):
        document, console = browse(Filtered(query), tmp_path / "profile")
        assert console == []
        assert f'data-shown="{shown}"' in document
        assert "<img src=x" not in document
