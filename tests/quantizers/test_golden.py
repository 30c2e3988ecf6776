"""Stored numbers of every method, forward and gradient: a change of these is a change of the method's ``version``.

Make them again, after raising ``version`` of what changed: python tests/quantizers/test_golden.py
"""

import json
from pathlib import Path

import pytest
import torch

from bitproof.quantizers import OPERANDS, QUANTIZERS

GOLDEN = Path(__file__).parent.parent / "golden" / "quantizers.json"
CASES = {
    f"{name}:{role},{bits}": (name, bits, words)
    for name in QUANTIZERS
    for bits in (1, 2, 4, 8)
    if bits in QUANTIZERS.load(name).at_width(bits).widths and (name, bits) != ("bifsmnv2", 2)  # two planes, of inputs alone
    for role, words in (("weight", {"role": "weight", "channels": 3, "axis": -2}), ("activation", {"role": "activation"}))
}
CASES |= {
    f"{name}:{operand},{bits}": (name, bits, {"operand": operand, "role": "activation", "symmetric": method.defaults["symmetric"]})
    for name in QUANTIZERS
    for bits in (1, 2, 4, 8)
    if bits in (method := QUANTIZERS.load(name).at_width(bits)).widths
    for operand in OPERANDS
    if method.at_operand(operand) is not method  # a form of its own
}


def measure(name, bits, words, x, g):
    method = QUANTIZERS.load(name).at_width(bits)
    if operand := words.get("operand"):  # three heads of 3×3; a map lies in [0, 1], unless it is of scores
        method, words = method.at_operand(operand), {word: value for word, value in words.items() if word != "operand"}
        x, g = x.view(3, 3, 3), g.view(3, 3, 3)
        x = x.softmax(-1) if operand == "map" and not method.of_scores else x
    if method.per_input_channel:
        words = {"channels": 3, "axis": -2, **words}
    quantizer = method(bits=bits, **words)
    quantizer.observe(x * 0.7)
    quantizer.freeze()
    free = x.clone().requires_grad_()
    quantizer(free).backward(g)
    return {
        "version": quantizer.version,
        "scale": quantizer.info().scale.flatten().tolist(),
        "codes": quantizer.codes(x).flatten().tolist(),
        "gradient": free.grad.flatten().tolist(),
        "learned": [p.grad.flatten().tolist() for p in quantizer.parameters()],
    }


def stored():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return golden, torch.tensor(golden["x"]), torch.tensor(golden["g"])


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_stored(case):
    golden, x, g = stored()
    expected, got = golden[case], measure(*CASES[case], x, g)
    assert got["version"] == expected["version"], "the version changed: make the stored numbers again"
    assert got["codes"] == expected["codes"]
    for key in ("scale", "gradient"):
        torch.testing.assert_close(torch.tensor(got[key]), torch.tensor(expected[key]), rtol=1e-4, atol=1e-6)
    for one, other in zip(got["learned"], expected["learned"], strict=True):
        torch.testing.assert_close(torch.tensor(one), torch.tensor(other), rtol=1e-4, atol=1e-6)


def main():
    generator = torch.Generator().manual_seed(0)
    x, g = (torch.randn(3, 9, generator=generator) for _ in range(2))
    lines = [f'"x": {json.dumps(x.tolist())}', f'"g": {json.dumps(g.tolist())}']
    lines += [f'"{case}": {json.dumps(measure(*CASES[case], x, g))}' for case in CASES]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
