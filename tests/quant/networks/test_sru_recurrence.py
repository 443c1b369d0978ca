"""The fused recurrence against the equations written out in torch."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.arithmetic import kernels
from quant.networks.sru_recurrence import sru_recurrence, sru_recurrence_fixed, sru_states


def unit(u: torch.Tensor) -> torch.Tensor:
    return torch.ones(u.shape[2:])


def written_out(u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    steps, batch, directions, _, cells = u.shape
    rows: list[list[list[torch.Tensor]]] = [
        [[torch.zeros(cells, dtype=u.dtype)] * directions for _ in range(batch)] for _ in range(steps)
    ]
    for b in range(batch):
        for d in range(directions):
            v_f, v_r, b_f, b_r = vectors[d]
            c = torch.zeros(cells, dtype=u.dtype)
            frames = range(int(lengths[b]))
            for t in frames if d == 0 else reversed(frames):
                f = torch.sigmoid(u[t, b, d, 1] + v_f * c + b_f)
                r = torch.sigmoid(u[t, b, d, 2] + v_r * c + b_r)
                c = u[t, b, d, 0] + f * (c - u[t, b, d, 0])
                rows[t][b][d] = r * torch.tanh(c)
    return torch.stack([torch.stack([torch.stack(row) for row in column]) for column in rows])


@settings(max_examples=25)
@given(
    steps=st.integers(1, 6),
    cells=st.integers(1, 9),
    scale=st.sampled_from([0.1, 1.0, 6.0]),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_outputs_and_gradients_equal_the_equations(
    steps: int, cells: int, scale: float, seed: int, data: st.DataObject
) -> None:
    lengths = torch.tensor(data.draw(st.lists(st.integers(1, steps), min_size=1, max_size=3)))
    generator = torch.Generator().manual_seed(seed)
    u = (scale * torch.randn(steps, len(lengths), 2, 3, cells, generator=generator)).requires_grad_()
    vectors = torch.randn(2, 4, cells, generator=generator).requires_grad_()
    seen = torch.randn(steps, len(lengths), 2, cells, generator=generator)

    h = sru_recurrence(u, vectors, lengths)
    gradients = torch.autograd.grad((h * seen).sum(), (u, vectors))
    exact_u, exact_vectors = u.detach().double().requires_grad_(), vectors.detach().double().requires_grad_()
    exact = written_out(exact_u, exact_vectors, lengths)
    exact_gradients = torch.autograd.grad((exact * seen).sum(), (exact_u, exact_vectors))

    torch.testing.assert_close(h, exact.float(), atol=2e-6, rtol=1e-5)
    for ours, theirs in zip(gradients, exact_gradients, strict=True):
        torch.testing.assert_close(ours, theirs.float(), atol=2e-5, rtol=2e-5)


def test_padding_is_zero_and_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    u, vectors = torch.randn(9, 2, 2, 3, 5, generator=generator), torch.randn(2, 4, 5, generator=generator)
    lengths = torch.tensor([9, 4])
    h, c = sru_states(u, vectors, lengths)
    assert not h[4:, 1].any()
    assert not c[4:, 1].any()
    alone = sru_recurrence(u[:4, 1:], vectors, lengths[1:])
    assert torch.equal(alone, h[:4, 1:])


def test_results_do_not_depend_on_threads() -> None:
    generator = torch.Generator().manual_seed(0)
    u, vectors = torch.randn(20, 5, 2, 3, 70, generator=generator), torch.randn(2, 4, 70, generator=generator)
    lengths = torch.tensor([20, 3, 11, 20, 1])
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(sru_recurrence_fixed(u, unit(u), vectors, lengths, 2.0**-10, 2.0**-14))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


@pytest.mark.parametrize("u_step", [2.0**-14, 2.0**-10])
def test_fixed_point_stays_near_float_and_on_its_grid(u_step: float) -> None:
    generator = torch.Generator().manual_seed(0)
    u = 0.4 * torch.randn(40, 2, 2, 3, 30, generator=generator)
    vectors = 0.3 * torch.randn(2, 4, 30, generator=generator)
    lengths = torch.tensor([40, 25])
    fixed = sru_recurrence_fixed(u, unit(u), vectors, lengths, u_step, 2.0**-14)
    exact = sru_recurrence(u, vectors, lengths)
    assert torch.equal(fixed * 2**14, (fixed * 2**14).round())
    # Each step rounds a handful of values by half a step; the forget gate damps what is carried over.
    np.testing.assert_allclose(fixed.numpy(), exact.numpy(), atol=12 * u_step)


def test_fixed_point_saturates() -> None:
    u = torch.full((3, 1, 2, 3, 4), 1e6)
    u[..., 1, :] = -1e6  # forget everything: the state becomes the input
    h = sru_recurrence_fixed(u, unit(u), torch.zeros(2, 4, 4), torch.tensor([3]), 2.0**-10, 2.0**-10)
    assert torch.all(h == 1.0)  # both gates open and tanh saturated; u itself is clipped to 32 - 2^-10


@pytest.mark.slow
@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_gates_are_the_nearest_codes(function: str) -> None:
    """Over the whole range of a 16-bit argument: no further from the function than rounding is, and a hundredth."""
    x = np.arange(-(2**15), 2**15, dtype=np.float32) * np.float32(2.0**-10)
    codes = gates(function, x)
    exact = np.tanh(x.astype(np.float64)) if function == "tanh" else 1.0 / (1.0 + np.exp(-x.astype(np.float64)))
    assert np.abs(codes - exact * 2**14).max() <= 0.51
    assert (np.diff(codes) >= 0).all()


@numba.njit(fastmath=True, error_model="numpy")
def gates(function: str, x: np.ndarray) -> np.ndarray:
    result = np.empty_like(x)
    for i in range(len(x)):
        result[i] = kernels.tanh_code(x[i]) if function == "tanh" else kernels.sigmoid_code(x[i])
    return result


@pytest.mark.slow
def test_numba_leaves_torch_its_threads() -> None:
    """Numba's first parallel kernel tells OpenMP how many threads it has, which torch would follow."""
    script = """
import torch
from quant.networks.sru_recurrence import sru_recurrence
before = torch.get_num_threads()
u = torch.randn(5, 2, 2, 3, 4, requires_grad=True)
sru_recurrence(u, torch.randn(2, 4, 4), torch.tensor([5, 3])).sum().backward()
print(before, torch.get_num_threads())
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert ran.stdout == "1 1\n"


@pytest.mark.slow
def test_kernels_of_training_have_equal_bits_when_compiled_and_when_cached(tmp_path: Path) -> None:
    script = """
import hashlib, torch
from quant.networks.sru_recurrence import sru_recurrence
generator = torch.Generator().manual_seed(0)
u, vectors = (torch.randn(*s, generator=generator).requires_grad_() for s in ((40, 3, 2, 3, 48), (2, 4, 48)))
for threads in (1, 2):
    torch.set_num_threads(threads)
    h = sru_recurrence(u, vectors, torch.tensor([40, 31, 40]))
    assert torch.get_num_threads() == threads
    found = [h, *torch.autograd.grad((h * h).sum(), (u, vectors))]
    print([hashlib.sha256(x.detach().numpy().tobytes()).hexdigest() for x in found])
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}
    compiled, cached = (
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert list(tmp_path.rglob("*.nbc"))
    assert compiled.stdout == cached.stdout


def test_the_cache_tells_kernels_apart_that_are_compiled_from_one_function() -> None:
    """By their names: it would give a kernel for all threads to one of several threads, where that is not allowed."""
    names = {kernel.__qualname__ for kernel in (kernels.sru_forward, kernels.sru_forward_alone)}
    assert names == {"sru_forward", "sru_forward_alone"}
