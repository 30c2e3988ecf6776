"""What encoders add to plans: norms, GELU, and attention by signs, against torch and NumPy on every instruction set."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_plan import SETS, draw, ran

pytestmark = pytest.mark.skipif(not SETS, reason="the C++ kernels were not built")


@pytest.mark.parametrize("name", SETS)
def test_norms_and_gelu(name):
    for n in (1, 16, 45, 384):
        x, w, b = 3 * draw(7, n) + 1, draw(n, seed=1), draw(n, seed=2)
        y = np.empty_like(x)
        ran(name, lambda plan, a, c, w=w, b=b: plan.norm(a, 7, w, b, 1e-5, c), x, y)
        expected = F.layer_norm(*(torch.from_numpy(each) for each in (x,)), [n], torch.from_numpy(w), torch.from_numpy(b), 1e-5)
        np.testing.assert_allclose(y, expected.numpy(), rtol=1e-4, atol=1e-5)
    x = np.concatenate([np.linspace(-12, 12, 4001, dtype=np.float32), np.float32([0, -0.0, 1e30, -1e30])])
    y = np.empty_like(x)
    ran(name, lambda plan, a, c: plan.map("gelu", a, x.size, 0, 0, c), x, y)
    np.testing.assert_allclose(y, F.gelu(torch.from_numpy(x)).numpy(), rtol=1e-6, atol=2e-6)
    assert (y[x < -6] == 0).all()  # the sign of a value that is 0 in torch is +1 here too


@pytest.mark.parametrize("name", SETS)
@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 70),
    st.integers(1, 40),
    st.integers(-3, 3),
    st.booleans(),
)
def test_attention_by_signs(name, n, h, t, s, d, least, masked):
    q, k, v = draw(n, t, h, d), draw(n, s, h, d, seed=1), draw(n, s, h, d, seed=2)
    q[0, 0, 0, 0] = 0
    keep = np.random.default_rng(s).random((n, 1, t, s)) < 0.7
    y = np.full((n, t, h, d), np.nan, np.float32)
    shape = [(array.shape[1] * h * d, d, h * d) for array in (q, k, v)]
    kept = (t * s, 0, s, 1)
    ran(
        name,
        lambda p, *at: p.attend(at[:3], shape, (at[3], kept) if masked else None, (n, h, t, s, d), least, 0.5, at[4]),
        *(q, k, v, keep, y),
    )
    a, b, c = (np.where(array < 0, -1.0, 1.0).transpose(0, 2, 1, 3) for array in (q, k, v))
    m = (a @ b.transpose(0, 1, 3, 2) >= least) & (keep if masked else True)
    assert np.array_equal(y, (m.astype(float) @ c * 0.5).transpose(0, 2, 1, 3))
