"""Networks on disk: what was written, or a message."""

import pytest
import torch
from safetensors.torch import save_file

from bitproof.bench.weights import read_weights, write_weights
from bitproof.core import StoreError


@pytest.fixture
def state():
    return {
        "a": torch.arange(6.0).reshape(2, 3),
        "b": torch.tensor(1.5, dtype=torch.bfloat16),
        "n": torch.tensor([3]),
        "e": torch.zeros(0),
    }


def test_what_is_written_is_read(state, tmp_path):
    write_weights(tmp_path / "w.safetensors", state)
    found = read_weights(tmp_path / "w.safetensors")
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in state.items())
    write_weights(tmp_path / "none.safetensors", {})
    assert read_weights(tmp_path / "none.safetensors") == {}


def test_each_flipped_bit_of_the_numbers_is_seen(state, tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, state)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = read_weights(path)
        except StoreError as error:
            assert "Delete that file" in str(error)
        else:  # a blank of the header, or the name under which the digest lies
            assert all(torch.equal(found[name], value) for name, value in state.items())


def test_a_file_from_before_has_no_digest(state, tmp_path):
    save_file(state, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["a"], state["a"])
