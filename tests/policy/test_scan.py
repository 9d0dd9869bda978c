"""The scan, the convolution and the stack: chunks, pieces, padding and back ends do not change the result."""

import dataclasses
import importlib.util

import pytest
import torch
from refocus.policy.config import PolicyConfig
from refocus.policy.conv import causal_conv, causal_conv_step
from refocus.policy.ssd import ssd, ssd_step
from refocus.policy.stack import Stack, StackState
from transformers import Mamba2Config
from transformers.models.mamba2.modeling_mamba2 import Mamba2Model

CONFIG = PolicyConfig(width=16, layers=3, state=6, head_dim=8, groups=2, chunk=8, vocab=32, start_of_frame=0, vision={})
TIGHT = {"rtol": 1e-10, "atol": 1e-11}


def scan_inputs(b=2, s=29, h=4, p=3, g=2, n=5, seed=0):
    torch.manual_seed(seed)
    made = {
        "x": torch.randn(b, s, h, p),
        "dt": torch.rand(b, s, h),
        "A": -torch.rand(h) - 0.2,
        "B": torch.randn(b, s, g, n),
        "C": torch.randn(b, s, g, n),
        "D": torch.randn(h),
        "initial": torch.randn(b, h, p, n),
    }
    return {name: tensor.double().requires_grad_() for name, tensor in made.items()}


def recurrence(x, dt, A, B, C, D, initial):
    """The two lines of the definition, step by step."""
    r = x.shape[2] // B.shape[2]
    state, ys = initial, []
    for t in range(x.shape[1]):
        b, c = B[:, t].repeat_interleave(r, 1), C[:, t].repeat_interleave(r, 1)
        state = state * (dt[:, t] * A).exp()[..., None, None] + (dt[:, t, :, None] * x[:, t])[..., None] * b[:, :, None]
        ys.append((state * c[:, :, None]).sum(-1) + D[:, None] * x[:, t])
    return torch.stack(ys, 1), state


@pytest.mark.parametrize("chunk", [1, 4, 8, 29, 64])
def test_chunked_scan_is_the_recurrence(chunk):
    """Values and all gradients, those of both states included, equal the step-by-step definition."""
    inputs = scan_inputs()
    results = []
    for run in (lambda **kw: ssd(**kw, chunk=chunk), recurrence):
        y, final = run(**inputs)
        loss = (y.sin()).sum() + (final.cos() * 3).sum()
        results.append((y, final, *torch.autograd.grad(loss, list(inputs.values()))))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, **TIGHT)


def test_gradient_through_the_final_state_alone():
    """A loss that sees only the last state reaches every input but C and D."""
    inputs = scan_inputs()
    _, final = ssd(**inputs, chunk=8)
    _, expected = recurrence(**inputs)
    names = ["x", "dt", "A", "B", "initial"]
    ours = torch.autograd.grad(final.sin().sum(), [inputs[name] for name in names])
    theirs = torch.autograd.grad(expected.sin().sum(), [inputs[name] for name in names])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, **TIGHT)


@pytest.mark.parametrize("s", [3, 20])
def test_rows_may_share_their_initial_state(s):
    """Six rows from two states equal six rows from the states repeated, with the same gradients."""
    inputs = scan_inputs(b=6, s=s)
    shared = torch.randn(2, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    rest = {name: tensor for name, tensor in inputs.items() if name != "initial"}
    results = []
    for initial in (shared, shared.repeat_interleave(3, 0)):
        y, final = ssd(**rest, chunk=8, initial=initial)
        results.append((y, final, *torch.autograd.grad(y.sin().sum() + final.cos().sum(), [shared, *rest.values()])))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, **TIGHT)
    alone, nothing = ssd(**rest, chunk=8, initial=shared, want_final=False)
    torch.testing.assert_close(alone, results[0][0], **TIGHT)
    assert nothing is None


def test_scan_step_is_the_scan():
    """Steps one by one give what the scan gives, with and without autograd."""
    inputs = scan_inputs()
    y, final = ssd(**inputs, chunk=8)
    for context in (torch.no_grad, torch.enable_grad):
        with context():
            state, ys = inputs["initial"], []
            for t in range(y.shape[1]):
                at = {name: inputs[name][:, t] for name in ("x", "dt", "B", "C")}
                step, state = ssd_step(at["x"], at["dt"], inputs["A"], at["B"], at["C"], inputs["D"], state)
                ys.append(step)
        torch.testing.assert_close(torch.stack(ys, 1), y, **TIGHT)
        torch.testing.assert_close(state, final, **TIGHT)


def test_long_sequences_stay_finite():
    """Strong decay over a long chunk neither overflows nor gives NaN gradients."""
    inputs = scan_inputs(s=300)
    with torch.no_grad():
        inputs["dt"].mul_(40)
    y, final = ssd(**inputs, chunk=256)
    grads = torch.autograd.grad(y.sum() + final.sum(), list(inputs.values()))
    assert all(tensor.isfinite().all() for tensor in (y, final, *grads))


def test_convolution_has_true_gradients_and_carries_its_state():
    """gradcheck of the hand-written backward, and pieces = whole even where a piece is shorter than the kernel."""
    torch.manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in [(2, 7, 3), (3, 1, 4), (3,)]
    )
    initial = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda *a: causal_conv(a[0], a[1], a[2], initial=a[3]), (x, weight, bias, initial))
    whole, last = causal_conv(x, weight, bias, initial=initial)
    conv = torch.nn.functional.conv1d(torch.cat([initial, x.transpose(1, 2)], 2), weight, bias, groups=3)
    torch.testing.assert_close(whole, torch.nn.functional.silu(conv).transpose(1, 2), **TIGHT)
    state, parts = initial, []
    for piece in x.split([2, 1, 4], 1):
        y, state = causal_conv(piece, weight, bias, initial=state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 1), whole, **TIGHT)
    torch.testing.assert_close(state, last, **TIGHT)
    state, parts = initial, []
    for t in range(7):
        y, state = causal_conv_step(x[:, t], weight, bias, state)
        parts.append(y)
    torch.testing.assert_close(torch.stack(parts, 1), whole, **TIGHT)


@pytest.fixture
def stack():
    torch.manual_seed(0)
    return Stack(CONFIG).double()


@pytest.fixture
def tokens():
    return torch.randn(2, 30, 16, dtype=torch.float64, requires_grad=True)


def run_in_pieces(stack, tokens, split, state=None):
    parts = []
    for piece in tokens.split(list(split), 1):
        y, state = stack(piece, state)
        parts.append(y)
    return torch.cat(parts, 1), state


def gradients(stack, tokens, y, state):
    loss = y.sin().sum() + sum(t.cos().sum() for t in (*state.ssm, *state.conv))
    used = [p for name, p in stack.named_parameters() if not name.startswith("embedding")]
    return torch.autograd.grad(loss, [tokens, *used])


@pytest.mark.parametrize("split", [(30,), (1, 29), (7, 10, 13), (2, 1, 1, 26), (16, 14)])
def test_state_carries_everything(stack, tokens, split):
    """Running a sequence in pieces gives what running it whole gives, and the same gradients."""
    y, state = stack(tokens)
    pieces, end = run_in_pieces(stack, tokens, split)
    torch.testing.assert_close(pieces, y, **TIGHT)
    for a, b in zip((*end.ssm, *end.conv), (*state.ssm, *state.conv), strict=True):
        torch.testing.assert_close(a, b, **TIGHT)
    for a, b in zip(gradients(stack, tokens, pieces, end), gradients(stack, tokens, y, state), strict=True):
        torch.testing.assert_close(a, b, **TIGHT)


def test_steps_are_the_parallel_pass(stack, tokens):
    """Single-token steps from a state equal one pass from it, gradients to that state included."""
    _, state = stack(tokens[:, :20].detach())
    leaves = [t.detach().requires_grad_() for t in (*state.conv, *state.ssm)]
    start = StackState(tuple(leaves[:3]), tuple(leaves[3:]))
    results = []
    for split in ((10,), (1,) * 10):
        y, end = run_in_pieces(stack, tokens[:, 20:], split, start)
        results.append((y, *torch.autograd.grad(y.sin().sum() + end.ssm[-1].sum(), leaves)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, **TIGHT)


def test_chunk_size_does_not_matter(stack, tokens):
    """The same weights with another chunk give the same outputs."""
    other = Stack(dataclasses.replace(CONFIG, chunk=5)).double()
    other.load_state_dict(stack.state_dict())
    torch.testing.assert_close(other(tokens)[0], stack(tokens)[0], **TIGHT)


def test_padding_disturbs_neither_outputs_nor_states(stack, tokens):
    """Right-padded rows of different lengths equal each row run alone, whatever the padding holds."""
    lengths = torch.tensor([30, 2])
    y, state = stack(tokens, lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, end = stack(tokens[row : row + 1, :length])
        torch.testing.assert_close(y[row : row + 1, :length], alone, **TIGHT)
        for a, b in zip((*state.ssm, *state.conv), (*end.ssm, *end.conv), strict=True):
            torch.testing.assert_close(a[row : row + 1], b, **TIGHT)
    loss = sum(t[1].sum() for t in (*state.ssm, *state.conv)) + y[1, :2].sum()
    assert torch.autograd.grad(loss, tokens)[0][1, 2:].abs().max() == 0


def test_expanding_a_state_is_repeating_its_past(stack, tokens):
    """expand(n) continues n copies of each row; expand(index) takes the named rows."""
    _, state = stack(tokens)
    more = torch.randn(6, 3, 16, dtype=torch.float64)
    expected, _ = run_in_pieces(stack, torch.cat([tokens.repeat_interleave(3, 0), more], 1), (33,))
    for start in (state, state.expand(3), state.expand(torch.tensor([0, 0, 0, 1, 1, 1]))):
        torch.testing.assert_close(stack(more, start)[0], expected[:, 30:], **TIGHT)


def test_parameters_are_named_as_in_mamba_ssm(stack):
    """A public checkpoint's keys are ours."""
    names = {name for name in stack.state_dict() if name.startswith("layers.0.") or not name.startswith("layers")}
    mixer = [
        "in_proj.weight",
        "conv1d.weight",
        "conv1d.bias",
        "dt_bias",
        "A_log",
        "D",
        "norm.weight",
        "out_proj.weight",
    ]
    expected = {f"layers.0.mixer.{name}" for name in mixer} | {
        "layers.0.norm.weight",
        "norm_f.weight",
        "embedding.weight",
    }
    assert names == expected
    assert stack.layers[0].mixer.in_proj.weight.shape == (2 * 32 + 2 * 2 * 6 + 4, 16)


@pytest.mark.skipif(
    importlib.util.find_spec("mamba_ssm") is not None,
    reason="transformers gives it CPU tensors too, which it cannot take",
)
def test_transformers_mamba2_is_the_same_model(stack):
    """On shared weights the backbone equals transformers' Mamba2Model, whole and continued from a state."""
    config = Mamba2Config(
        num_heads=4, head_dim=8, hidden_size=16, state_size=6, num_hidden_layers=3, n_groups=2, vocab_size=32,
        chunk_size=8, use_bias=False, residual_in_fp32=False,
    )  # fmt: skip
    oracle = Mamba2Model(config).eval()
    weights = {("embeddings" + k[9:] if k.startswith("embedding.") else k): v for k, v in stack.state_dict().items()}
    oracle.load_state_dict(weights)
    stack.float()
    x = torch.randn(2, 30, 16)
    with torch.no_grad():
        expected = oracle(inputs_embeds=x).last_hidden_state
        torch.testing.assert_close(stack(x)[0], expected, rtol=1e-4, atol=2e-5)
        torch.testing.assert_close(run_in_pieces(stack, x, (11, 1, 18))[0], expected, rtol=1e-4, atol=2e-5)
