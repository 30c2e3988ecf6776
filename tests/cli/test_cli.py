import json
import os
import subprocess
import sys

import pytest


def bitproof(*arguments, **environment):
    command = [sys.executable, "-m", "bitproof", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


LOADED_BY_HELP = """
import sys
sys.argv = ["bitproof", "--help"]
from bitproof.cli import main
try:
    main()
except SystemExit:
    print([name for name in ("torch", "polars", "numpy", "pydantic") if name in sys.modules])
"""


def test_help_needs_neither_torch_nor_polars():
    done = subprocess.run([sys.executable, "-c", LOADED_BY_HELP], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("kind", ["models", "recipes", "quantizers", "noises", "attacks", "tasks", "sources"])
def test_a_list_is_json_with_name_line_source_and_version(kind):
    entries = json.loads(bitproof("list", kind, "--json").stdout)
    assert entries
    for entry in entries:
        assert set(entry) == {"name", "summary", "source", "version"}
        assert entry["summary"], entry
        assert entry["source"], entry
        assert entry["version"] >= 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "no-such.yaml", "-o", "x"], "no-such.yaml"),
        (["results", "no-such-folder"], "no-such-folder"),
        (["report", "no-such-folder"], "no-such-folder"),
        (["quantize", "small-cnn", "lqs:w4a4", "--calibration", "photos"], "Did you mean 'lsq'?"),
        (["quantize", "small-cnn", "mse:w1a1", "--calibration", "photos"], "1 bit"),
        (["quantize", "smal-cnn", "mse:w4a4", "--calibration", "photos"], "Did you mean 'small-cnn'?"),
        (["quantize", "small-cnn", "mse:w4a4", "--calibration", "imagefolder:/no/such"], "/no/such"),
        (["export", "small-cnn", "-o", "x"], "needs a recipe"),
        (["export", "smal-cnn", "fp32", "-o", "x"], "Did you mean 'small-cnn'?"),
        (["sensitivity", "small-cnn", "--task", "photos", "--recipe", "lsq:w4a4"], "only calibrated"),
        (["sensitivity", "small-cnn", "--task", "imagefolder:/no/such"], "/no/such"),
        (["sensitivity", "small-cnn", "--task", "photos", "-o", __file__], "cannot be made"),
        (["fidelity", "imagefolder:/no/such"], "/no/such"),
        (["fidelity", "photos", "--noise", "fogg"], "Did you mean 'fog'?"),
        (["fidelity", "photos", "--severity", "0"], "Severity 0"),
        (["fidelity", "photos", "-o", __file__], "is a file"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(arguments, part, tmp_path):
    done = bitproof(*arguments)
    assert done.returncode == 2, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_tells_what_is_here():
    done = bitproof("doctor")
    assert done.returncode == 0
    assert "torch" in done.stdout
    assert "1-bit kernels: " in done.stdout


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m bitproof schema | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
