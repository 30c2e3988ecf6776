import platform
import subprocess
import sys

import pytest

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
