"""The page as text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_runs import EVIL, NOISES, RECIPES, fill

from bitproof.core import StoreError
from bitproof.report import write
from bitproof.report.page import script_json, times
from bitproof.report.recipes import cards
from bitproof.report.source import read
from bitproof.report.tables import details, every_figure, headline, joined, sequences
from bitproof.results import Store, compact


class Page(HTMLParser):
    """Elements with their attributes, the visible text, and what each script holds."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self._inside == "script" else self.text).append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def html(results: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(results, tmp_path_factory.mktemp("out") / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_default_place_is_in_the_directory(clean_only: Path) -> None:
    assert write(clean_only) == clean_only / "report.html"
    assert sorted(clean_only.glob(".report*")) == []


def test_nothing_is_loaded_from_outside(page: Page) -> None:
    loads = [
        (tag, name, value) for tag, attrs in page.elements for name, value in attrs.items() if name in ("src", "href", "action")
    ]
    assert loads
    assert all(value is not None and value.startswith(("#", "data:image/png;base64,")) for _, _, value in loads)
    assert not any(tag in ("link", "iframe", "object", "embed") for tag, _ in page.elements)


def test_plotly_stands_in_the_page_once(html: str) -> None:
    assert len(re.findall(r"\* plotly\.js v", html)) == 1


def test_names_stay_text(page: Page) -> None:
    assert EVIL.replace("\u2028", " ") in page.words
    assert all("window.broken" not in script or script.lstrip().startswith("{") for script in page.scripts)
    assert not any("onerror" in attrs for _, attrs in page.elements)


def test_every_plot_is_json_in_its_script(page: Page) -> None:
    figures = [json.loads(script) for script in page.scripts if script.lstrip().startswith('{"data"')]
    assert len(figures) == sum(attrs.get("class") == "plot" for _, attrs in page.elements) >= 10


@given(st.recursive(st.text() | st.floats(allow_nan=False, allow_infinity=False), lambda inner: st.lists(inner, max_size=3)))
def test_json_survives_and_cannot_leave_its_script(value: object) -> None:
    text = str(script_json(value))
    assert json.loads(text) == value
    assert not re.search("[<>&\u2028\u2029]", text)


def test_failures_stand_at_the_top_and_with_their_error(html: str, page: Page) -> None:
    assert html.index("1 cell failed.") < html.index('<section id="s1">')
    assert f"no {EVIL}".replace("\u2028", " ") in page.words


def test_what_is_needed_to_judge_and_repeat_is_there(page: Page) -> None:
    for words in (
        "Few pictures: 120 for clean",
        "undecided does not mean that nothing was lost",
        "Read these as upper bounds on robustness, and the verdict beside them first.",
        "PGD was run with one number of steps alone",
        "undecided",
        "gradient mode ste",
        "not the deployed latency",
        "bitproof run grid.yaml -o 'a<b run'",
        "tasks: [photos]",
        "avx2",
    ):
        assert words in page.words, words


def test_earlier_grids_and_machines_are_shown(page: Page, clean_only: Path) -> None:
    assert "the newest of 2 grids" in page.words and "Earlier grid 1 of 1 tasks: [photos] noises: [fog:1]" in page.words
    assert "Earlier environment 1 of 1" in page.words and "an earlier machine" in page.words
    assert "Earlier" not in Page(write(clean_only).read_text(encoding="utf-8")).words


def test_the_control_is_not_set_against_itself(results: Path) -> None:
    section = next(section for section in read(results).sections if section.model == "net")
    rows = {row[1].text: row for row in every_figure(section).rows if row[0].text.startswith("Corruption error relative")}
    assert (rows["fp32"][3].text, rows["fp32"][4].text) == ("–", "this is the control, 100 by definition")
    assert rows["mse:w4a4"][3].text != "–"


def test_system_figures_say_that_the_clean_setting_is_in_them(results: Path) -> None:
    section = next(section for section in read(results).sections if section.model == "net")
    row = next(row for row in every_figure(section).rows if row[0].text.startswith("System noise, mean"))
    assert row[4].text == "over 4 settings: clean, cv-area, decode-cv, pil-nearest"
    assert "the clean decoder and resize" in row[5].text


def test_every_cell_stands_in_the_tables(results: Path) -> None:
    section = next(section for section in read(results).sections if section.model == "net")
    tables = details(section)
    assert [title for _, title, _ in tables] == ["Clean", "Natural noise", "System noise", "Adversarial", "Mixed noise"]
    assert sum(len(table.rows) for _, _, table in tables) == len(RECIPES) * len(NOISES)
    assert all(row[3].text == "120" and re.search(r"\[.+, .+\]", row[4].text) for _, _, table in tables for row in table.rows)


def test_a_joined_noise_stands_beside_what_it_joined(tmp_path: Path, page: Page) -> None:
    store = Store.create(tmp_path / "deployed")
    noises = ("clean", "fog:3", "cv-area", "cv-area+fog:3")
    fill(store, "photos", "net", recipes=("fp32", "mse:w4a4"), noises=noises, samples=60)
    store.write_environment({"integers": "an engine, exact"})
    [section] = read(store.path).sections
    table = joined(section)
    assert [column.title for column in table.columns] == ["Recipe", "fog:3, %", "cv-area+fog:3, %"]
    assert table.columns[1].hint.startswith("against clean") and table.columns[2].hint.startswith("against cv-area:")
    assert re.fullmatch(r"\d+\.\d \[.+, .+\]", table.rows[1][2].text) and table.rows[1][2].note
    shown = Page(write(store.path).read_text(encoding="utf-8"))
    assert "What a joined noise changes" in shown.words and "Integers ran in an engine, exact." in shown.words


def test_sequences_are_shown_and_their_frames_are_not(tmp_path: Path, page: Page) -> None:
    store = Store.create(tmp_path / "films")
    frames = [f"{name}:{i}" for name in ("rotate_p", "snow_p") for i in range(4)]
    fill(store, "photos", "net", recipes=("fp32", "mse:w4a4"), noises=("clean", *frames), samples=60)
    [section] = read(store.path).sections
    table = sequences(section)
    assert [column.title for column in table.columns] == ["Recipe", "mFP, %", "of control, %", "snow_p", "rotate_p"]
    assert table.marked == {0} and re.fullmatch(r"\d+\.\d \[.+, .+\]", table.rows[0][1].text)
    assert table.rows[1][1].change in ("lost", "gained", "undecided") and not table.rows[0][1].note
    assert [len(part.rows) for _, _, part in details(section)] == [2], "frames are no rows of the tables of cells"
    shown = Page(write(store.path).read_text(encoding="utf-8"))
    assert "60 for clean and 60 for perturbation sequences" in shown.words
    assert "Perturbation sequences" in shown.words and "this says nothing about any noise" not in shown.words
    assert "Perturbation sequences" not in page.words, "no such part without frames"


def test_the_headline_goes_from_the_control_to_few_bits(results: Path) -> None:
    section = next(section for section in read(results).sections if section.model == "net")
    table = headline(section)
    assert [row[0].text for row in table.rows] == ["fp32", "minmax:w8a8", "mse:w8a8", "mse:w4a8", "mse:w4a4"]
    assert table.marked == {0}
    assert [column.title for column in table.columns] == [
        *("Recipe", "Bits", "Size, KB", "Clean", "Natural", "System, mean", "System, worst"),
        *("Adversarial linf, ε\u00a0=\u00a01/255", "Adversarial linf, ε\u00a0=\u00a02/255", "Adversarial, worst"),
    ]
    worst = table.rows[-1][3]
    assert worst.change == "lost"
    assert worst.note.startswith("▼ −")
    assert table.rows[0][3].note == ""


def test_a_refused_figure_says_why(results: Path) -> None:
    section = read(results).sections[-1]
    refused = [row for row in every_figure(section).rows if row[3].text == "–"]
    assert refused
    assert all(row[4].text for row in refused)


def test_layers_left_float_are_told_with_the_reason(results: Path) -> None:
    low = next(card for card in cards(read(results)) if card.recipe == "mse:w4a4")
    assert [row[0].text for row in low.left_float.rows] == ["bn1"]
    assert low.left_float.rows[0][-1].text.endswith("not a conv")
    assert [row[2].text for row in low.layers.rows] == ["weight 8, input 8"]


def test_an_empty_directory_says_so(empty: Path) -> None:
    words = Page(write(empty).read_text(encoding="utf-8")).words
    assert "There are no results yet." in words
    assert "No variant has been made yet." in words


def test_clean_rows_alone_make_a_page(clean_only: Path) -> None:
    words = Page(write(clean_only).read_text(encoding="utf-8")).words
    assert "Only clean pictures were run" in words
    assert "Only the control fp32 was run" in words
    assert "Corruptions" not in words


def test_the_compact_form_makes_the_same_tables(results: Path, html: str, tmp_path: Path) -> None:
    compact(results, tmp_path / results.name)
    assert _short(write(tmp_path / results.name).read_text(encoding="utf-8")) == _short(html)


def _short(html: str) -> str:
    """Figures to four decimals: the compact form rounds what was computed of an answer to float32."""
    return re.sub(r"\d+\.\d{5,}", lambda found: f"{float(found[0]):.4f}", html)


def test_what_is_no_results_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results directory"):
        write(tmp_path)


def test_a_page_that_cannot_be_written_is_named(clean_only: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"page\.html.*cannot be written"):
        write(clean_only, tmp_path / "file" / "page.html")


def test_a_page_needs_no_torch(clean_only: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from bitproof.report import write; write(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(clean_only)], check=True)


def test_the_page_tells_where_the_time_went_if_a_log_was_kept(tmp_path):
    store = Store.create(tmp_path / "run")
    assert times(read(store.path)) == ""
    for waiting in (2.0, 3.0):
        store.write_log({"cell": "a", "pictures_s": 10.0, "waiting_s": waiting, "network_s": 600.0})
    assert "2 cells" in times(read(store.path))
    assert "busy for 1,200 s and waited 5 s" in times(read(store.path))
    assert "waited 5 s" in write(store.path).read_text()


def test_the_choice_names_the_best_two_and_what_is_dominated(page: Page, html: str, empty: Path, clean_only: Path) -> None:
    assert 'id="choosing"' in html and "Which recipe to take" in page.words
    assert "is highest for" in page.words and "tells nothing of int8 hardware" in page.words
    for path in (empty, clean_only):
        assert 'id="choosing"' not in write(path).read_text(encoding="utf-8")


def test_what_has_to_be_known_of_a_task_stays_when_another_was_run_after_it(tmp_path):
    store = Store.create(tmp_path / "run")
    fill(store, "words", "net", recipes=("float",), noises=("clean",), samples=4)
    store.write_environment({"things": {"words": "clips"}, "notes": {"words": "A synthesizer's."}})
    store.write_environment({"things": {"another": "texts"}, "notes": {}})
    (section,) = read(tmp_path / "run").sections
    assert (section.things, section.note) == ("clips", "A synthesizer's.")


def test_tracks_are_of_models_with_a_float_control_alone(tmp_path):
    store = Store.create(tmp_path / "run")
    fill(store, "pictures", "net", recipes=("float", "bnn:w1a1"), noises=("clean", "fog:3"), samples=4)
    fill(store, "pictures", "given", recipes=("given:w8a8", "bnn:w1a1"), noises=("clean", "fog:3"), samples=4)
    from_ = {row["track"]: row["computed_from"] for row in read(tmp_path / "run").tracks}
    assert from_["robustness"].endswith("networks: 1")
