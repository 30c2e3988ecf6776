"""The door to chat endpoints, against a server on loopback: what is sent, what is borne, and what is told."""

import io

import pytest
from chat_server import completion, picture, raw, serving
from PIL import Image

from bitproof.core import ModelError, SpecError
from bitproof.models import check_spec, load, load_any

pytest.importorskip("openai", reason="the extra chat is not installed")


def yes(request):
    return "Yes"


def ask(url, text="#m,retries=2,timeout=5", **kwargs):
    return load_any(f"chat:{url}{text}").chat.ask(picture(5), "Is it?", 0, **kwargs)


def test_a_question_is_sent_with_the_picture_as_it_is(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(yes) as server:
        reply = ask(server.url)
    (request,) = server.asked
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.server) == ("Yes", 100, 5, "stub-1 stub-build-7")
    assert reply.latency_ms > 0
    assert (request.model, request.prompt, request.png) == ("m", "Is it?", picture(5))
    assert (request.body["temperature"], request.body["max_tokens"]) == (0, 64)
    assert "seed" not in request.body
    assert Image.open(io.BytesIO(request.png)).format == "PNG"


def test_repeats_have_seeds_where_the_temperature_is_not_zero():
    with serving(yes) as server:
        chat = load_any(f"chat:{server.url}#m,temperature=0.7").chat
        for repeat in (0, 1):
            chat.ask(picture(5), "Is it?", repeat)
    assert [request.body["seed"] for request in server.asked] == [0, 1]


@pytest.mark.parametrize(
    "trick",
    [
        raw(500, {"error": {"message": "down"}}),
        raw(503, b"busy"),
        raw(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.05"}),
        raw(200, b"{not json"),
        raw(200, b""),
        raw(200, []),
        raw(200, {"choices": []}),
        raw(200, b"<html>gateway</html>", {"Content-Type": "text/html"}),
        raw(200, b'{"choices": ' + b"[" * 5000),
        "reset",
    ],
    ids=lambda trick: trick if isinstance(trick, str) else f"{trick[0]}-{trick[1][:12]!r}",
)
def test_what_passes_is_borne(trick):
    with serving(yes, lambda request, tries: trick if tries == 1 else None) as server:
        assert ask(server.url).text == "Yes"
    assert len(server.asked) == 2


def test_retry_after_is_waited_for():
    with serving(yes, lambda request, tries: raw(429, {}, {"Retry-After": "1.5"}) if tries == 1 else None) as server:
        ask(server.url)
    assert server.times[1] - server.times[0] >= 1.4


def test_a_hang_is_tried_again_and_told():
    with serving(yes, lambda request, tries: 2.0) as server:
        with pytest.raises(ModelError, match=r"did not answer within 0.3 s, tried 2 times"):
            ask(server.url, "#m,retries=1,timeout=0.3")
    assert len(server.asked) == 2


def test_an_endless_body_is_cut_off(monkeypatch):
    monkeypatch.setattr("bitproof.models.transport.MOST_BYTES", 100_000)
    with serving(yes, lambda request, tries: raw(200, completion("x" * 1_000_000))) as server:
        with pytest.raises(ModelError, match="more than"):
            ask(server.url, "#m,retries=0")


def test_long_answers_are_capped():
    with serving(lambda request: "Yes " * 10_000) as server:
        assert len(ask(server.url).text) == 2000


@pytest.mark.parametrize(
    ("trick", "told"),
    [
        (raw(401, {"error": {"message": "bad key"}}), "answers 401: .*bad key.*OPENAI_API_KEY"),
        (raw(404, {"error": {"message": "no such model"}}), "answers 404.*ends in /v1"),
        (raw(400, {"error": {"message": "bad request"}}), "answers 400"),
        (raw(500, {"error": {"message": "down"}}), "answers 500: .*down"),
        (raw(200, b"nonsense"), "no chat completion, also after 1 retries"),
        (raw(302, b"", {"Location": "http://example.invalid/"}), "answers 302"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_what_lasts_is_told(trick, told):
    with serving(yes, lambda request, tries: trick) as server:
        with pytest.raises(ModelError, match=told):
            ask(server.url, "#m,retries=1")


def test_a_content_filter_is_a_withheld_answer():
    body = {"error": {"message": "The response was filtered", "code": "content_filter"}}
    with serving(yes, lambda request, tries: raw(400, body)) as server:
        assert ask(server.url).filtered
    stopped = completion("") | {"choices": [{"finish_reason": "content_filter", "message": {"content": None}}]}
    with serving(yes, lambda request, tries: raw(200, stopped)) as server:
        assert ask(server.url).filtered


@pytest.mark.parametrize(
    "content", [None, 5, {"a": 1}, [{"type": "text", "text": "Y"}, {"type": "text", "text": "es"}, 3, {"text": None}]]
)
def test_contents_of_other_shapes(content):
    odd = completion("") | {"choices": [{"message": {"content": content}}], "usage": {"prompt_tokens": "many"}}
    with serving(yes, lambda request, tries: raw(200, odd)) as server:
        reply = ask(server.url)
    assert reply.text == ("Yes" if isinstance(content, list) else "")
    assert reply.tokens_in is None


def test_no_server_is_told():
    with serving(yes) as server:
        url = server.url
    with pytest.raises(ModelError, match=r"cannot be reached.*Is the server running"):
        ask(url, "#m,retries=0")


def test_keys_come_from_the_environment_and_are_not_repeated(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    monkeypatch.setenv("MY_KEY", "sk-secret-2")

    def telltale(request, tries):
        return raw(401, {"error": {"message": f"wrong: {request.key}"}})

    with serving(lambda request: f"you are {request.key}") as server:
        assert "[key]" in ask(server.url).text
        ask(server.url, "#m,key=MY_KEY")
    assert [request.key for request in server.asked] == ["Bearer sk-secret-1", "Bearer sk-secret-2"]
    with serving(yes, telltale) as server, pytest.raises(ModelError) as error:
        ask(server.url)
    assert "sk-secret" not in str(error.value)
    endpoint = load_any("chat:http://localhost:1/v1#m")
    assert "sk-secret" not in repr(endpoint)


def test_a_key_that_was_not_named_stays_here_where_the_way_is_open(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    keys = {
        url: load_any(f"chat:{url}#m").chat._secret for url in ("http://10.0.0.7/v1", "http://127.0.0.1/v1", "https://a.example/v1")
    }
    assert keys == {"http://10.0.0.7/v1": None, "http://127.0.0.1/v1": "sk-secret-1", "https://a.example/v1": "sk-secret-1"}
    assert load_any("chat:http://10.0.0.7/v1#m,key=OPENAI_API_KEY").chat._secret == "sk-secret-1"


@pytest.mark.parametrize(
    "spec",
    [
        "chat:http://me:sk-secret@host/v1#m",
        "chat:https://host/v1?api_key=sk-secret#m",
        'chat:"https://host/v1?key=sk-secret#m"',
        "chat:https://host/v1#m,api_key=sk-secret",
        "chat:https://host/v1#m,token=sk-secret",
        "chat:https://host/v1#m,api-key=sk-secret",
        "chat:https://host/v1#m,openai_key=sk-secret",
        "chat:https://host/v1#m,access_token=sk-secret",
        "chat:https://host/v1#m,auth=sk-secret",
        "chat:https://host/v1#m,key=sk-secret",
    ],
)
def test_credentials_are_refused_and_not_repeated(spec):
    with pytest.raises(SpecError) as error:
        check_spec(spec)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("chat:http://host/v1", "is not written as"),
        ("chat:ftp://host#m", "is not written as"),
        ("chat:host#m", "is not written as"),
        ("chat:http://host#m,retries=99", "0 to 50"),
        ("chat:http://host#m,bits=4", "w4a16"),
        ("chat:http://host#m,size=8", "16 to 4096"),
        ("chat:http://host#m,tempereture=1", "Did you mean 'temperature'"),
    ],
)
def test_what_does_not_fit_is_refused(spec, told):
    with pytest.raises(SpecError, match=told):
        check_spec(spec)


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NOT_SET_KEY", raising=False)
    with pytest.raises(ModelError, match="NOT_SET_KEY"):
        load_any("chat:http://localhost:1/v1#m,key=NOT_SET_KEY")


def test_what_changes_no_answer_is_in_no_identity():
    plain = load_any("chat:http://localhost:1/v1#m,of=big,bits=w4a16")
    busy = load_any("chat:http://localhost:1/v1#m,of=big,bits=w4a16,concurrency=9,retries=1,timeout=3,price_in=2")
    assert (plain.spec, plain.digest) == (busy.spec, busy.digest) == ("chat:http://localhost:1/v1#m,of=big,bits=w4a16", busy.digest)
    assert (plain.recipe, busy.prices, busy.concurrency) == ("served:m,w4a16", (2.0, 0.0), 9)
    assert load_any("chat:http://localhost:1/v1#m,max_tokens=9").digest != plain.digest


def test_other_verbs_say_what_an_endpoint_is():
    with pytest.raises(SpecError, match="answers questions of a vqa task"):
        load("chat:http://localhost:1/v1#m")
