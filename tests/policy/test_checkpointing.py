"""Multi-axis checkpointing: the same gradients from less memory, for one more forward pass."""

import logging

import pytest
import torch
from refocus.policy import checkpointing
from refocus.policy.checkpointing import Cells, Checkpointing, Costs
from refocus.policy.config import PolicyConfig
from refocus.policy.policy_prompt import before_frames
from refocus.policy.rollout import rollout, score
from refocus.policy.stack import EVERY, Stack, StackState
from torch import Tensor

from tests.support.live_bytes import LiveBytes
from tests.support.tiny_policy import PROMPTS, build_features, build_policy

CONFIG = PolicyConfig(width=16, layers=3, state=6, head_dim=8, groups=2, chunk=8, vocab=32, start_of_frame=0, vision={})
ROWS, STEPS = 4, 30
TIGHT = {"rtol": 1e-9, "atol": 1e-11}
CUTS = [(1, 30), (2, 30), (3, 30), (3, 8), (1, 8), (2, 7), (3, 1), (1, 2), (2, 13), (9, 99)]


def build_stack(dtype: torch.dtype = torch.float64) -> Stack:
    torch.manual_seed(0)
    return Stack(CONFIG).to(dtype)


def start_state(rows: int, dtype: torch.dtype = torch.float64) -> StackState:
    """A state of leaves that want gradients."""
    torch.manual_seed(1)
    channels, heads = CONFIG.conv_channels, CONFIG.heads
    conv = [torch.randn(rows, channels, 3, dtype=dtype, requires_grad=True) for _ in range(CONFIG.layers)]
    ssm = [torch.randn(rows, heads, 8, 6, dtype=dtype, requires_grad=True) for _ in range(CONFIG.layers)]
    return StackState(tuple(conv), tuple(ssm))


def run(stack: Stack, cells: Cells | None, *, state_rows=0, lengths=None, want_state=True, at=EVERY, loss="both"):
    """Outputs, then the gradients of inputs, parameters and incoming states."""
    stack.checkpointing = Checkpointing(cells=cells)
    dtype = stack.norm_f.weight.dtype
    torch.manual_seed(2)
    x = torch.randn(ROWS, STEPS, CONFIG.width, dtype=dtype, requires_grad=True)
    before = start_state(state_rows, dtype) if state_rows else None
    y, after = stack(x, before, lengths=lengths, want_state=want_state, at=at)
    if lengths is not None:
        y = y.masked_fill(torch.arange(STEPS)[at, None] >= lengths[:, None, None], 0.0)
    outputs = [y, *after.conv, *after.ssm] if want_state else [y]
    value = x.new_zeros(()) if loss == "state" else y.sin().sum()
    if want_state and loss != "output":
        value = value + sum((t.cos() * 0.3).sum() for t in (*after.conv, *after.ssm))
    leaves = [x, *(p for name, p in stack.named_parameters() if name != "embedding.weight")]
    leaves += [*before.conv, *before.ssm] if before else []
    grads = torch.autograd.grad(value, leaves, allow_unused=True)
    return outputs, [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, grads, strict=True)]


def same(a: tuple[list[Tensor], list[Tensor]], b: tuple[list[Tensor], list[Tensor]], **within: float) -> None:
    for ours, theirs in zip([*a[0], *a[1]], [*b[0], *b[1]], strict=True):
        torch.testing.assert_close(ours, theirs, **within)


CASES = {
    "from nothing": {},
    "a state with gradient": {"state_rows": 4},
    "a state that rows share": {"state_rows": 2},
    "one state for all rows": {"state_rows": 1, "want_state": False},
    "no state after it": {"want_state": False},
    "the loss sees the final state only": {"state_rows": 2, "loss": "state"},
    "some outputs": {"at": slice(4, None, 5)},
    "some outputs, all late": {"at": slice(17, 25, 3), "state_rows": 2, "loss": "output"},
    "ragged": {"lengths": torch.tensor([30, 1, 9, 16])},
    "ragged, shared, some outputs": {"lengths": torch.tensor([22, 3, 8, 2]), "state_rows": 2, "at": slice(1, None, 4)},
    "ragged, the loss sees the final state only": {"lengths": torch.tensor([30, 2, 8, 7]), "loss": "state"},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_cells_change_nothing(case):
    """Outputs, final states and every gradient equal those of the plain pass, whatever enters and is asked for.

    Some chunks lie wholly beyond the last step of a row.
    """
    stack = build_stack()
    plain = run(stack, None, **case)
    for cells in (Cells(1, STEPS), Cells(2, 7)):
        same(run(stack, cells, **case), plain, **TIGHT)


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_any_cut_is_right(cut):
    """The same, however it is cut: in pieces that do not divide the pass, that are shorter than the convolution."""
    stack, case = build_stack(), CASES["ragged, shared, some outputs"]
    same(run(stack, Cells(*cut), **case), run(stack, None, **case), **TIGHT)


@pytest.mark.parametrize("cut", [(1, 30), (2, 7), (3, 8)], ids=str)
def test_cells_in_float32(cut):
    """In fp32, gradients agree to 1e-5 of their size."""
    stack = build_stack(torch.float32)
    case = CASES["ragged, shared, some outputs"]
    ours, plain = run(stack, Cells(*cut), **case)[1], run(stack, None, **case)[1]
    for a, b in zip(ours, plain, strict=True):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


def test_wanted_steps_are_those_of_all_steps():
    """Asking for some steps gives these steps of the full output; the state is that after all of them."""
    stack, x = build_stack(), torch.randn(2, STEPS, 16, dtype=torch.float64)
    full, end = stack(x)
    for cells in (None, Cells(2, 7)):
        stack.checkpointing = Checkpointing(cells=cells)
        for at in (slice(3, None, 4), slice(0, 1), slice(29, 30), slice(5, 21, 6)):
            some, state = stack(x, at=at)
            torch.testing.assert_close(some, full[:, at], **TIGHT)
            torch.testing.assert_close(state.ssm[-1], end.ssm[-1], **TIGHT)


@pytest.mark.parametrize("mode", ["layers", "grid", "auto", Cells(2, 5)], ids=str)
def test_a_policy_learns_the_same(mode, monkeypatch):
    """Log-probabilities of several questions per clip, on clips of different length, and all parameters' gradients."""
    monkeypatch.setattr(checkpointing, "SMALL", 0)
    policy = build_policy()
    features = build_features(policy, [7, 2])
    picks = torch.tensor([[[0, 5, 3], [6, 1, 2]], [[4, 2, 6], [1, 3, 0]], [[1, 0, -1], [0, 1, -1]]])
    results = []
    for setting in (
        Checkpointing(),
        Checkpointing(cells=mode) if isinstance(mode, Cells) else Checkpointing(mode, 1e-5),
    ):
        policy.zero_grad()
        policy.backbone.checkpointing = setting
        clips = policy.prefix(features)
        scored = score(policy, clips, policy.ask(clips, [0, 0, 1], PROMPTS), picks)
        (scored.logp.sum() + scored.entropy.sum()).backward()
        results.append([scored.logp, *(p.grad for p in policy.parameters() if p.requires_grad)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, **TIGHT)


@pytest.mark.parametrize("cut", [(1, 30), (2, 7), (3, 13)], ids=str)
def test_every_cell_runs_once_more_and_no_oftener(cut):
    """Layer calls: one per layer and chunk forward, as many again in the backward pass."""
    stack, calls = build_stack(), []
    for index, layer in enumerate(stack.layers):
        layer.register_forward_pre_hook(lambda module, args, index=index: calls.append((index, args[0].shape[1])))
    stack.checkpointing = Checkpointing(cells=Cells(*cut))
    y, state = stack(torch.randn(2, STEPS, 16, dtype=torch.float64, requires_grad=True))
    forward = list(calls)
    assert len(forward) == CONFIG.layers * -(-STEPS // cut[1])
    assert sum(steps for _, steps in forward) == CONFIG.layers * STEPS
    (y.sum() + sum(t.sum() for t in (*state.conv, *state.ssm))).backward()
    assert sorted(calls[len(forward) :]) == sorted(forward)
    assert stack.tokens == 2 * STEPS


def test_without_gradient_nothing_is_cut():
    """Under no_grad there is nothing to keep and nothing to cut."""
    stack, calls = build_stack(), []
    stack.layers[0].register_forward_pre_hook(lambda *_: calls.append(1))
    stack.checkpointing = Checkpointing(cells=Cells(1, 4))
    with torch.no_grad():
        stack(torch.randn(1, STEPS, 16, dtype=torch.float64))
    assert len(calls) == 1


# ---- memory

WIDE = PolicyConfig(width=32, layers=8, state=16, head_dim=16, chunk=32, vocab=8, start_of_frame=0, vision={})


def peak(steps: int, cells: Cells | None, rows: int = 1) -> tuple[int, int]:
    """Bytes that live after the forward pass, and the most up to the end of the backward pass."""
    torch.manual_seed(0)
    stack = Stack(WIDE)
    stack.checkpointing = Checkpointing(cells=cells)
    for parameter in stack.parameters():
        parameter.grad = torch.zeros_like(parameter)
    x = torch.randn(rows, steps, WIDE.width, requires_grad=True)
    with LiveBytes() as bytes_:
        y, state = stack(x, at=slice(15, None, 16))
        loss = y.square().sum() + sum(t.sum() for t in state.ssm)
        del y, state
        kept = bytes_.now
        loss.backward()
    return kept, bytes_.peak


def costs(steps: int, rows: int = 1) -> Costs:
    return Checkpointing("grid").costs(Stack(WIDE).layers, torch.zeros(rows, steps, WIDE.width), WIDE.chunk)


def test_the_counter_counts():
    """Bytes live and at most, of tensors that come and go, views not counted."""
    with LiveBytes() as bytes_:
        a = torch.zeros(1000)
        b = a[:10] + 1
        c = a.view(10, 100)
        assert bytes_.now == 4040
        del a
        assert bytes_.now == 4040
        del b, c
        assert (bytes_.now, bytes_.peak) == (0, 4040)


@pytest.mark.slow
def test_memory_of_the_grid_grows_by_its_boundaries():
    """From S to 2S steps at the same cells: the boundaries and states of S steps. And grid << layers << none."""
    cells, s = Cells(3, 64), 512
    one, two = peak(s, cells)[1], peak(2 * s, cells)[1]
    known = costs(s)
    expected = 2 * known.boundary + s / 64 * WIDE.layers * known.state  # the first group's boundary is the caller's x
    assert abs(two - one - expected) < 0.03 * expected
    layers, none = peak(2 * s, Cells(1, 2 * s))[1], peak(2 * s, None)[1]
    assert 2 * two < layers and 4 * layers < none


@pytest.mark.parametrize("cells", [None, Cells(1, 512), Cells(3, 512), Cells(2, 64), Cells(8, 256)], ids=str)
def test_the_estimate_is_what_is_measured(cells):
    """Costs say the peak to within a third, for all ways of cutting."""
    known = costs(512, rows=2)
    said = known.none() if cells is None else known.peak(cells.layers, cells.steps)
    assert 0.75 < said / peak(512, cells, rows=2)[1] < 1.4


def test_a_state_holds_no_more_than_itself():
    """What a pass without gradient leaves behind is the state, whatever the length."""
    stack = Stack(WIDE)
    with torch.no_grad(), LiveBytes() as bytes_:
        _, state = stack(torch.randn(1, 2048, WIDE.width), at=slice(0, 1))
        left = bytes_.now
    tensors = (*state.conv, *state.ssm)
    assert left <= 1.2 * sum(t.numel() * t.element_size() for t in tensors)


def test_the_grid_is_the_best_there_is():
    """Against every (l, s): within a fifth of the least memory, none of fewer chunks is; whole chunks of the scan."""
    known = costs(2000)
    best = known.best(WIDE.chunk)
    every = {(layers, steps): known.peak(layers, steps) for layers in range(1, 9) for steps in range(32, 2001, 32)}
    allowed = 1.2 * min(every.values())
    assert known.peak(best.layers, best.steps) <= allowed
    fewer = [cut for cut, peak in every.items() if -(-2000 // cut[1]) < -(-2000 // best.steps)]
    assert fewer and all(every[cut] > allowed for cut in fewer)
    assert best.steps % 32 == 0 and 1 < best.layers < 8


def test_theory():
    """With equal costs the optimum is l = s = (LS)^(1/3): M = LS/l + LS/s + ls, of order (LS)^(2/3)."""
    known = Costs(layers=512, steps=4096, boundary=4096, state=1, inside=4096)
    best = known.best(1)
    expected = (512 * 4096) ** (1 / 3)
    assert 0.5 < best.layers / expected < 2 and 0.5 < best.steps / expected < 2.5
    assert known.peak(best.layers, best.steps) < 1.2 * 3.2 * expected**2


def test_auto_takes_the_cheapest_that_fits(caplog):
    """None, then layers, then the grid of fewest chunks within the budget; least memory and a warning beyond it."""
    stack, x = Stack(WIDE), torch.zeros(1, 2048, WIDE.width)
    known = costs(2048)

    def chosen(budget: float) -> Cells | None:
        return Checkpointing("auto", budget / 2**30).choose(stack.layers, x, WIDE.chunk)

    assert chosen(known.none()) is None
    assert chosen(known.none() - 1) == Cells(1, 2048)
    assert chosen(known.peak(1, 2048)) == Cells(1, 2048)
    budget = known.peak(1, 2048) / 2
    some = chosen(budget)
    assert known.peak(some.layers, some.steps) <= budget
    fewer = -(-2048 // some.steps) - 1
    assert all(known.peak(n, s) > budget for n in range(1, 9) for s in range(32, 2049, 32) if -(-2048 // s) <= fewer)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert chosen(1) == known.best(WIDE.chunk)
    (warned,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "GiB" in warned.getMessage()


def test_auto_looks_at_free_memory_only_for_large_passes(monkeypatch):
    """Small passes keep everything without a look; large ones get a share of what is free, gradients set aside."""
    stack, x = Stack(WIDE), torch.zeros(1, 2048, WIDE.width)
    known, auto = costs(2048), Checkpointing("auto")
    monkeypatch.setattr(checkpointing, "free_bytes", lambda device: pytest.fail("looked"))
    assert auto.choose(stack.layers, x, WIDE.chunk) is None
    monkeypatch.setattr(checkpointing, "SMALL", 0)
    gradients = sum(p.numel() * 4 for p in stack.layers.parameters())
    for free, expected in ((2 * known.none() + gradients, None), (2 * known.none(), Cells(1, 2048))):
        monkeypatch.setattr(checkpointing, "free_bytes", lambda device, free=free: free)
        assert auto.choose(stack.layers, x, WIDE.chunk) == expected


def test_a_prefix_keeps_little_of_frames_and_outputs():
    """In cells, what lives after a prefix is near features, boundaries and keys; without, many times that."""
    left = []
    for setting in (Checkpointing(), Checkpointing("grid")):
        policy = build_policy(dtype=torch.float32)
        policy.backbone.checkpointing = setting
        (features,) = build_features(policy, [300])
        with LiveBytes() as bytes_:
            clips = policy.prefix([features])
            left.append(bytes_.now)
        tokens = 300 * policy.config.tokens_per_frame * policy.config.width * 4
        del clips
    assert left[1] < features.nbytes + 10 * tokens < left[0] / 5


def test_counters_prove_the_token_count():
    """One clip with 5 questions: text and T·f tokens once, each question once, and N·(T' - 1) picks fed back, twice.

    Once step by step while sampling and once in the parallel pass with gradient, whatever is recomputed.
    """
    policy = build_policy()
    t, n, k, f = 9, 4, 3, policy.config.tokens_per_frame
    prompts = [PROMPTS[i % 3] for i in range(5)]
    questions = [len(policy.question_ids(prompt)) + 1 for prompt in prompts]
    policy.backbone.checkpointing = Checkpointing("grid")
    work = policy.backbone
    clips = policy.prefix(build_features(policy, [t]))
    prefix = work.tokens
    assert prefix == len(policy.tokenize(before_frames("paper"))) + t * f
    asked = policy.ask(clips, [0] * 5, prompts)
    assert work.tokens - prefix == 5 * max(questions)
    before = work.tokens
    picks = rollout(policy, clips, asked, n, k, seeds=list(range(5))).picks
    assert work.tokens - before == 5 * n * (k - 1)
    score(policy, clips, asked, picks).logp.sum().backward()
    assert work.tokens - before == 2 * 5 * n * (k - 1)
