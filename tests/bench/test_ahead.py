import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bitproof.bench import ahead as ahead_module
from bitproof.bench.ahead import BATCHES_AHEAD, Ahead, Job, Times
from bitproof.bench.pictures import fill
from bitproof.core import DataError

SAMPLES = tuple(SimpleNamespace(id=str(i)) for i in range(11))


class Drawn:
    """A pipeline that notes what it was asked for; a picture holds its sample's number."""

    shape, dtype, fill = (3, 4, 4), torch.float32, staticmethod(fill)

    def __init__(self, slow_s=0.0, broken=None):
        self.asked, self.slow_s, self.broken, self.lock = [], slow_s, broken, threading.Lock()

    def made(self, sample):
        time.sleep(self.slow_s)
        if sample.id == self.broken:
            raise DataError(f"{sample.id!r} cannot be read")
        with self.lock:
            self.asked.append(sample.id)
        return np.full((4, 4, 3), int(sample.id), np.uint8)


def job(pipeline, key="a", size=3, samples=SAMPLES):
    return Job(key, pipeline, samples, size)


def numbers(made):
    return [round(255 * float(x)) for _, batch in made for x in batch[:, 0, 0, 0]]


@pytest.mark.parametrize("size", [1, 3, 11, 50])
@pytest.mark.parametrize("workers", [1, 4])
def test_pictures_come_in_the_order_of_the_samples(size, workers):
    times = Times()
    with Ahead(workers) as ahead:
        assert numbers(ahead.batches(job(Drawn(0.001), size=size), times)) == list(range(11))
    assert times.samples == 11


def until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def test_no_more_is_made_ahead_than_is_said():
    pipeline = Drawn()
    with Ahead(2) as ahead:
        batches = ahead.batches(job(pipeline, size=2), Times())
        next(batches)
        ahead._pool.shutdown(wait=True)
        assert len(pipeline.asked) == 2 * (1 + BATCHES_AHEAD)


def test_the_next_cell_is_begun_at_the_end_of_this_one_and_made_once():
    now, then = Drawn(), Drawn()
    with Ahead(2) as ahead:
        batches = ahead.batches(job(now, "a"), Times(), lambda: job(then, "b"))
        next(batches)
        assert then.asked == []
        list(batches)
        until(lambda: len(then.asked) == 3 * BATCHES_AHEAD)
        assert numbers(ahead.batches(job(then, "b"), Times())) == list(range(11))
    assert sorted(then.asked, key=int) == [sample.id for sample in SAMPLES]


def test_what_was_begun_and_not_asked_for_is_forgotten():
    begun, other = Drawn(), Drawn()
    with Ahead(2) as ahead:
        list(ahead.batches(job(Drawn(), "a"), Times(), lambda: job(begun, "b")))
        assert numbers(ahead.batches(job(other, "c"), Times())) == list(range(11))
        assert numbers(ahead.batches(job(Drawn(), "b"), Times())) == list(range(11))


def test_a_picture_that_cannot_be_made_ends_its_cell_alone():
    times = Times()
    with Ahead(2) as ahead:
        with pytest.raises(DataError, match="'7'"):
            list(ahead.batches(job(Drawn(broken="7")), times, lambda: job(Drawn(), "b")))
        assert times.samples == 6
        assert numbers(ahead.batches(job(Drawn(), "b"), Times())) == list(range(11))


def test_a_batch_that_is_used_no_more_is_filled_again():
    with Ahead(2) as ahead:
        seen = [x for _, x in ahead.batches(job(Drawn(), size=1), Times())]
    kept = {id(x) for x in seen}
    assert len(seen) == 11
    assert len(kept) <= 2 * (1 + BATCHES_AHEAD), "all are held here, so each that was made anew has an id of its own"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now, self.lock = 0.0, threading.Lock()

    def perf_counter(self):
        return self.now

    def pass_(self, seconds):
        with self.lock:
            self.now += seconds


def test_what_the_network_takes_is_its_own_time(monkeypatch):
    clock, times = Clock(), Times()
    monkeypatch.setattr(ahead_module, "time", clock)
    with Ahead(2) as ahead:
        for _ in ahead.batches(job(Drawn()), times):
            clock.pass_(2)
    assert (times.network_s, times.waiting_s, times.samples) == (8, 0, 11)


def test_what_the_pictures_take_is_summed_and_what_they_hold_up_is_no_more(monkeypatch):
    clock, times, pipeline = Clock(), Times(), Drawn()
    monkeypatch.setattr(ahead_module, "time", clock)
    picture = pipeline.made
    pipeline.made = lambda sample: clock.pass_(1) or picture(sample)
    with Ahead(1) as ahead:
        list(ahead.batches(job(pipeline), times))
    assert times.pictures_s == 11
    assert times.waiting_s + times.network_s <= 11
    assert times.as_dict() == {"samples": 11, "pictures_s": 11, "waiting_s": times.waiting_s, "network_s": times.network_s}
