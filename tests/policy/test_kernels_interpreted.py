"""mamba_ssm's real Triton kernels, run on a CPU by Triton's interpreter, against plain torch: `make test-kernels`."""

import importlib.util
import os

import pytest
import torch
from refocus.policy import kernels
from refocus.policy.ssd import ssd, ssd_step

from tests.support.kernel_stand_ins import interpreted, serve
from tests.support.policy_twins import assert_twins
from tests.support.tiny_policy import build_policy

pytestmark = pytest.mark.triton
CLOSE = 5e-6  # of the largest entry; float32 on both sides


@pytest.fixture
def real(monkeypatch):
    if os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("TRITON_INTERPRET=1 is not set")
    pytest.importorskip("triton")
    if importlib.util.find_spec("mamba_ssm") is None:
        pytest.skip("no mamba_ssm")
    served = interpreted(monkeypatch)
    serve(monkeypatch, served)
    return served


def leaves(b, s, h, p, g, n, b0, dtype=torch.float32):
    torch.manual_seed(0)
    x, B, C = (torch.randn(*shape).to(dtype).requires_grad_() for shape in [(b, s, h, p), (b, s, g, n), (b, s, g, n)])
    dt, decay = torch.rand(b, s, h).requires_grad_(), (torch.rand(h) + 0.2).requires_grad_()
    initial = [torch.randn(b0, h, p, n).requires_grad_()] if b0 else []
    return [x, dt, decay, B, C, torch.randn(h).requires_grad_(), *initial]


def run(backend, given, chunk, want_final=True, lengths=None):
    x, dt, decay, B, C, D, *initial = given
    if lengths is not None:
        dt = dt * (torch.arange(dt.shape[1]) < lengths[:, None]).unsqueeze(-1)
    start = initial[0] if initial else None
    return ssd(x, dt, -decay, B, C, D, chunk=chunk, initial=start, want_final=want_final, backend=backend)


def assert_close(found, expected, within):
    for name, ours in expected.items():
        error = (found[name].float() - ours.float()).abs().max() / ours.abs().max().clamp(min=1e-12)
        assert error <= within, f"{name}: {error:.1e}"


def everything(backend, given, chunk, loss, **kwargs):
    """y, the final state, and the gradients of all that was given."""
    y, final = run(backend, given, chunk, **kwargs)
    names = ["x", "dt", "decay", "B", "C", "D", "initial"][: len(given)]
    grads = torch.autograd.grad(loss(y, final), given, allow_unused=True)
    made = {"y": y, "final": final, **dict(zip(names, grads, strict=True))}
    return {name: tensor.detach() for name, tensor in made.items() if tensor is not None}


SHAPES = {
    "chunks and a rest": dict(b=2, s=29, h=4, p=8, g=2, n=5, b0=2, chunk=16),
    "one group, one state for all": dict(b=3, s=20, h=2, p=4, g=1, n=8, b0=1, chunk=8),
    "states shared by pairs": dict(b=4, s=17, h=2, p=8, g=1, n=16, b0=2, chunk=16),
    "shorter than a chunk": dict(b=1, s=3, h=2, p=4, g=1, n=4, b0=1, chunk=16),
    "an odd chunk, no state": dict(b=1, s=13, h=2, p=4, g=2, n=4, b0=0, chunk=5),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_scan(real, shape):
    """y, final state and every gradient, through y and the final state at once."""
    shape = dict(shape)
    chunk = shape.pop("chunk")
    given = leaves(**shape)

    def loss(y, final):
        return y.float().sin().sum() + 3 * final.cos().sum()

    expected = everything("torch", given, chunk, loss)
    assert_close(everything("kernels", given, chunk, loss), expected, CLOSE)


def test_gradient_through_the_final_state_alone(real):
    given = leaves(2, 21, 2, 4, 1, 4, 2)

    def loss(y, final):
        return final.sin().sum()

    expected = everything("torch", given, 8, loss)
    found = everything("kernels", given, 8, loss)
    assert found.pop("C").abs().max() == found.pop("D").abs().max() == 0
    assert_close(found, {name: tensor for name, tensor in expected.items() if name not in ("C", "D")}, CLOSE)


def test_steps_of_zero_leave_the_state(real):
    """Right-padded rows: the final state is the one at each row's end."""
    given, lengths = leaves(2, 21, 2, 4, 1, 4, 2), torch.tensor([21, 6])

    def loss(y, final):
        return final.cos().sum() + y[1, :6].sin().sum()

    expected = everything("torch", given, 8, loss, lengths=lengths)
    assert_close(everything("kernels", given, 8, loss, lengths=lengths), expected, CLOSE)
    alone = [t[1:, :6] if t.dim() > 2 and t.shape[:2] == (2, 21) else t for t in given[:-1]] + [given[-1][1:]]
    torch.testing.assert_close(run("kernels", alone, 8)[1][0], expected["final"][1], rtol=1e-5, atol=1e-6)


def test_without_the_final_state(real):
    given = leaves(2, 12, 2, 4, 1, 4, 2)
    y, final = run("kernels", given, 8, want_final=False)
    assert final is None
    torch.testing.assert_close(y, run("torch", given, 8)[0], rtol=1e-5, atol=1e-5)


def test_pieces_are_the_whole(real, monkeypatch):
    """Inputs beyond the kernels' 32-bit offsets, here of a made-up limit, go in pieces of rows and steps."""
    given = leaves(3, 21, 2, 4, 1, 4, 3)

    def loss(y, final):
        return y.sin().sum() + final.cos().sum()

    expected = everything("torch", given, 8, loss)
    monkeypatch.setattr(kernels, "MOST_ELEMENTS", 120)
    assert_close(everything("kernels", given, 8, loss), expected, CLOSE)


def test_half_precision_inputs_stay_near_the_float32_sums(real):
    """Same rounded inputs; what is left is the kernels' own rounding of outputs and of states between chunks.

    float16, since the interpreter multiplies bfloat16 matrices as if their bits were integers.
    """
    given = leaves(2, 29, 4, 8, 2, 16, 2, dtype=torch.float16)

    def loss(y, final):
        return y.float().sin().sum() + 3 * final.cos().sum()

    expected = everything("torch", given, 16, loss)
    found = everything("kernels", given, 16, loss)
    assert found["y"].dtype == torch.float16 and found["final"].dtype == torch.float32
    assert_close(found, expected, 3e-3)


@pytest.mark.parametrize(("rows", "reuse"), [(4, True), (4, False), (2, True), (1, False)])
@pytest.mark.parametrize("groups", [1, 2])
def test_step(real, rows, reuse, groups):
    """One step from a state of its own or shared by several rows."""
    x, dt, decay, B, C, D = (t.detach()[:, 0] if t.dim() > 1 else t.detach() for t in leaves(4, 1, 4, 8, groups, 6, 0))
    start = torch.randn(rows, 4, 8, 6)
    made = []
    with torch.no_grad():
        for backend in ("torch", "kernels"):
            state = start.clone()
            made.append(ssd_step(x, dt, -decay, B, C, D, state, reuse=reuse, backend=backend))
            assert torch.equal(state, start) is not (reuse and rows == 4)
    for ours, theirs in zip(*made, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)


def test_a_whole_policy(real):
    """Prefix, questions, rollout and score of a tiny policy, all parameter gradients included."""
    assert_twins(build_policy(dtype=torch.float32, layers=2), counts=(3, 4), rtol=2e-4, atol=2e-4)
