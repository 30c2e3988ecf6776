"""A small OpenAI-compatible server on loopback that looks at the pictures, and a pack whose pictures it can read.

A picture carries the number of its item as ten black or white blocks, so that a server can tell it under noise and another size.
"""

import base64
import hashlib
import io
import json
import re
import struct
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import polars as pl
from PIL import Image

BITS, SIDE = 10, 64


def picture(number, side=SIDE):
    """PNG: two rows of five blocks, white for a bit that is set, on grey."""
    bits = [(number >> i) & 1 for i in range(BITS)]
    blocks = np.array([bits[:5], bits[5:]], np.uint8) * 160 + 48
    image = Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST).convert("RGB")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def seen(png):
    """(number, how noisy): the middle of each block decides its bit; the spread there is the noise, 0 to 255."""
    image = np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)
    height, width = image.shape
    middles = [
        image[
            int((r + 0.25) * height / 2) : int((r + 0.75) * height / 2), int((c + 0.25) * width / 5) : int((c + 0.75) * width / 5)
        ]
        for r in range(2)
        for c in range(5)
    ]
    number = sum(1 << i for i, middle in enumerate(middles) if middle.mean() > 128)
    return number, float(np.mean([middle.std() for middle in middles]))


def item(number, scenario="presence", **changes):
    base = {
        "item": f"{scenario}/{number:03d}",
        "image": picture(number),
        "scenario": scenario,
        "questions": ["Is there a dog?", "Can a dog be seen?", "Does the picture show a dog?"],
        "answer_type": "yes-no",
        "answer": "no" if number % 2 else "yes",
        "aliases": [],
        "rejected": [],
        "options": [],
        "tolerance": None,
        "negative": bool(number % 2),
        "group": f"g{number}",
        "licence": "CC0-1.0",
        "source": "test",
    }
    return base | changes


def items(each=20):
    """Five scenarios of ``each`` items: yes-no, number, choice, contains and list."""
    plain = {"negative": False}
    made = [item(i) for i in range(each)]
    made += [item(each + i, "counting", answer_type="number", answer=str(3 + i % 7), **plain) for i in range(each)]
    places = ["left", "middle", "right"]
    made += [
        item(2 * each + i, "location", answer_type="choice", options=places, answer=places[i % 3], **plain) for i in range(each)
    ]
    made += [item(3 * each + i, "text", answer_type="contains", answer=f"sign {i}", **plain) for i in range(each)]
    made += [item(4 * each + i, "fine-grained", answer_type="list", answer=f"red|b{i}|blue", **plain) for i in range(each)]
    return made


def write_pack(path, records):
    schema = {"tolerance": pl.Float64, **{name: pl.List(pl.String) for name in ("aliases", "rejected", "options")}}
    pl.DataFrame(records, schema_overrides=schema).write_parquet(path)
    return path


def draw(*parts):
    """A number in [0, 1) that the parts alone decide."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big") / 2**48


def wrong(record):
    """An answer that is never right."""
    kind, answer = record["answer_type"], record["answer"]
    if kind == "yes-no":
        return "no" if answer == "yes" else "yes"
    if kind == "choice":
        return next(option for option in record["options"] if option != answer)
    return {"number": "99", "contains": "nonsense", "list": "blue, x, red"}[kind]


def form(answer, prompt):
    """An answer as the prompt wants it: the letter where options are shown, commas in a list."""
    letter = re.search(rf"^([A-Z])\. {re.escape(answer)}$", prompt, re.MULTILINE)
    return f"{letter[1]}." if letter else answer.replace("|", ", ")


@dataclass
class Oracle:
    """Right on a share of the items that model and number decide; errors rise with the noise in the picture (per grey level)."""

    records: list
    accuracy: dict
    noise: float = 0.0

    def __call__(self, request):
        number, spread = seen(request.png)
        record = next((r for r in self.records if int(r["item"][-3:]) == number), None)
        if record is None:
            return "I see nothing that I know."
        right = draw(request.model, number) < self.accuracy[request.model] - self.noise * spread
        return form(record["answer"] if right else wrong(record), request.prompt)


@dataclass
class Asked:
    """One request as the server saw it."""

    model: str
    prompt: str
    png: bytes
    key: str
    body: dict = field(repr=False, default_factory=dict)


def raw(status, body, headers=()):
    """What a trick returns to answer with these bytes."""
    return status, body if isinstance(body, bytes) else json.dumps(body).encode(), dict(headers)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        parts = body["messages"][0]["content"]
        url = next((part["image_url"]["url"] for part in parts if part["type"] == "image_url"), "")
        prompt = next(part["text"] for part in parts if part["type"] == "text")
        png = base64.b64decode(url.partition("base64,")[2])
        request = Asked(body["model"], prompt, png, self.headers.get("Authorization", ""), body)
        server = self.server
        with server.lock:
            server.asked.append(request)
            server.times.append(time.monotonic())
            server.now += 1
            server.most = max(server.most, server.now)
            tries = server.tries[hashlib.sha256(png + prompt.encode()).hexdigest()] = (
                server.tries[hashlib.sha256(png + prompt.encode()).hexdigest()] + 1
            )
        try:
            self._answer(request, tries)
        finally:
            with server.lock:
                server.now -= 1

    def _answer(self, request, tries):
        trick = self.server.trick(request, tries) if self.server.trick else None
        if trick == "reset":
            self.connection.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: the close resets
            self.close_connection = True
            self.connection.close()
            return
        if isinstance(trick, float):
            time.sleep(trick)
            trick = None
        text = None if trick is not None else self.server.oracle(request)
        reply = trick if trick is not None else raw(200, completion(text, self.server.name))
        status, data, headers = reply
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def completion(text, name="stub-1"):
    return {
        "id": "x",
        "object": "chat.completion",
        "model": name,
        "system_fingerprint": "stub-build-7",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105},
    }


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


@contextmanager
def serving(oracle, trick=None):
    """A server whose ``asked`` are the requests so far; ``trick(request, tries)`` may return what to do instead of answering."""
    server = Server(("127.0.0.1", 0), Handler)
    server.oracle, server.trick, server.name = oracle, trick, "stub-1"
    server.asked, server.times, server.tries, server.lock = [], [], Counter(), threading.Lock()
    server.now = server.most = 0
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
