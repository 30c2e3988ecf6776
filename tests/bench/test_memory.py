import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bitproof.bench import memory

FAULTS = r"""
import resource, sys
from bitproof.bench.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
size = 64 << 20
b"\1" * size
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    b"\1" * size
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_freed_memory_is_not_asked_for_again():
    faults = {}
    for mode in ("give", "keep"):
        done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True)
        faults[mode] = int(done.stdout)
    assert faults["give"] > 1000
    assert faults["keep"] < faults["give"] / 50


HELD = r"""
from bitproof.bench.memory import give_back_freed_memory, keep_freed_memory

def resident_kb():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

keep_freed_memory()
large, small = [], []
for _ in range(100):
    large.append(b"\1" * (4 << 20))
    small.append(b"\1" * 2000)
held = resident_kb()
del large
assert resident_kb() > held - 50_000
assert give_back_freed_memory()
print(held - resident_kb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_what_is_left_between_kept_blocks_is_given_back_at_a_cells_end():
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 300_000


def test_memory_is_given_back_where_the_process_has_grown(monkeypatch):
    sizes, given = iter([100, 150, 301, 120, 290, 500, 130]), []
    monkeypatch.setattr(memory, "resident_bytes", lambda: next(sizes))
    monkeypatch.setattr(memory, "give_back_freed_memory", lambda: given.append(1))
    heap = memory.Heap(slack_bytes=200)
    for times in (0, 1, 1, 2):
        heap.settle()
        assert len(given) == times


def test_what_is_resident_is_told_in_bytes():
    expected = range(10 << 20, 1 << 40) if Path("/proc/self/statm").exists() else range(1)
    assert memory.resident_bytes() in expected


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell")
def test_the_peak_is_at_least_what_is_held():
    before = memory.peak_bytes()
    held = bytearray(64 << 20)
    assert memory.peak_bytes() >= max(before, memory.resident_bytes()) > len(held)
