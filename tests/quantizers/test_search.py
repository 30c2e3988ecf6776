import numpy as np
import pytest
import torch

from bitproof.core import SpecError
from bitproof.quantizers import QUANTIZERS
from bitproof.quantizers.search import Histogram, rounding_error
from bitproof.quantizers.ste import snap


def calibrated(name, x, **words):
    quantizer = QUANTIZERS.load(name)(**words)
    quantizer.observe(x)
    quantizer.freeze()
    return quantizer


def heavy_tailed(*shape):
    return torch.from_numpy(np.random.default_rng(1).standard_t(3, shape)).float()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_histogram_holds_every_value_whatever_the_batches(scale):
    x = heavy_tailed(5000) * scale
    whole, parts = Histogram(), Histogram()
    whole.add(x)
    parts.add(torch.zeros(3))
    for part in x.abs().sort().indices.split(7):  # the range has to grow again and again
        parts.add(x[part])
    centres, counts = whole.values()
    assert counts.sum() == 5000
    width = 2.0 ** np.ceil(np.log2(float(x.abs().max()))) * 2 / Histogram.bins
    assert abs(float((centres * counts).sum()) - float(x.double().sum())) < 5000 * width
    assert parts.values()[1].sum() == 5003
    merged = dict(zip(parts.values()[0].tolist(), parts.values()[1].tolist(), strict=True))
    away = [(c, n) for c, n in zip(centres.tolist(), counts.tolist(), strict=True) if abs(c) > 2 * width]
    assert sum(merged.get(c, 0) == n for c, n in away) > 0.99 * len(away)  # all but values on the edge of a bin


@pytest.mark.parametrize("q", [90.0, 99.0, 99.9])
def test_percentile_against_numpy(q):
    x = heavy_tailed(4, 5000)
    lo, hi = np.percentile(x.numpy(), [(100 - q) / 2, (100 + q) / 2])
    info = calibrated("percentile", x, bits=8, role="activation", symmetric=False, q=q).info()
    assert float(info.scale) == pytest.approx((hi - lo) / 255, rel=0.02)
    rows = calibrated("percentile", x, bits=8, channels=4, axis=-2, q=q).info().scale.flatten()
    ordered, cut = np.sort(x.numpy(), axis=1), int((100 - q) / 200 * 5000)
    np.testing.assert_allclose(rows, np.maximum(-ordered[:, cut], ordered[:, -1 - cut]) / 127, rtol=1e-6)


def test_percentile_of_all_is_minmax():
    x = heavy_tailed(4, 50)
    assert torch.equal(
        calibrated("percentile", x, bits=4, channels=4, axis=-2, q=100.0)(x),
        calibrated("minmax", x, bits=4, channels=4, axis=-2)(x),
    )


@pytest.mark.parametrize("q", [0.0, 50.0, 100.1, float("nan")])
def test_percentiles_that_make_no_sense_are_refused(q):
    with pytest.raises(SpecError, match="q"):
        QUANTIZERS.load("percentile")(bits=4, q=q)


@pytest.mark.parametrize("words", [{"channels": 8, "axis": -2}, {}, {"role": "activation", "symmetric": False}], ids=str)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_mse_finds_the_best_of_its_grid(words, bits):
    x = heavy_tailed(8, 400)
    found = calibrated("mse", x, bits=bits, **words)
    full = calibrated("minmax", x, bits=bits, **words)

    def error(scale):
        full.scale.copy_(scale)
        if not full.symmetric:
            full.zero_point.copy_((-x.min().clamp(max=0) / full0 * (full0 / scale)).round().clamp(0, 2**bits - 1))
            full._numbers = None
        rows = (full(x) - x).double().square()
        return rows.sum(1) if found.channels else rows.sum()

    full0 = full.scale.clone()
    best = torch.stack([error(full0 * r / 100) for r in range(5, 101)]).amin(0)
    mine = (found(x) - x).double().square()
    mine = mine.sum(1) if found.channels else mine.sum()
    assert (mine <= best * 1.01 + 1e-9).all()  # activations are scored on a histogram
    assert (mine <= error(full0) * 1.01).all()


def test_rounding_error_does_not_depend_on_chunks(monkeypatch):
    rows, s = heavy_tailed(3, 1000), torch.tensor([0.1, 0.2, 0.3])
    expected = (snap(rows, s[:, None], -8, 7) - rows).square().sum(1)
    for chunk in (1, 100, 2**20):
        monkeypatch.setattr("bitproof.quantizers.search._CHUNK", chunk)
        torch.testing.assert_close(rounding_error(rows, s, -8, 7), expected)
