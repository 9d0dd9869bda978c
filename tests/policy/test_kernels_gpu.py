"""Both back ends on a GPU: `pytest -m gpu tests/policy`.

Errors are relative to the largest entry of what is compared. float32: 5e-3, since Triton multiplies float32 matrices
in TF32. bfloat16 against plain torch on the same rounded inputs, whose sums are float32: 2e-2, the rounding of outputs
and of the states between chunks. A whole policy in bfloat16 rounds in every layer on either back end, so there the
kernels must be no further from float32 than twice what plain torch in bfloat16 is.
"""

import pytest
import torch
from refocus.core.errors import ResourceMissing
from refocus.policy import kernels
from refocus.policy.conv import causal_conv, causal_conv_step
from refocus.policy.rollout import rollout, score
from refocus.policy.ssd import ssd, ssd_step

from tests.support.tiny_policy import PROMPTS, build_features, build_policy

pytestmark = pytest.mark.gpu
WITHIN = {torch.float32: 5e-3, torch.bfloat16: 2e-2}
DTYPES = pytest.mark.parametrize("dtype", WITHIN, ids=["float32", "bfloat16"])


@pytest.fixture
def device():
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    try:
        kernels.load()
    except ResourceMissing as missing:
        pytest.skip(str(missing))
    torch.manual_seed(0)
    return "cuda"


def error(found, expected):
    return ((found.float() - expected.float()).abs().max() / expected.float().abs().max().clamp(min=1e-12)).item()


def assert_same(run, leaves, dtype):
    """run(backend) -> tensors: these and the gradients of all leaves."""
    results = []
    for backend in ("torch", "kernels"):
        made = [tensor for tensor in run(backend) if tensor is not None]
        noise = torch.Generator().manual_seed(1)
        loss = sum((tensor * torch.randn(tensor.shape, generator=noise).to(tensor)).sum() for tensor in made)
        results.append([*made, *torch.autograd.grad(loss, leaves)])
    errors = [error(found, expected) for expected, found in zip(*results, strict=True)]
    assert max(errors) <= WITHIN[dtype], errors


def leaf(device, *shape, dtype=torch.float32):
    return torch.randn(*shape, device=device, dtype=dtype).requires_grad_()


@DTYPES
@pytest.mark.parametrize(
    ("b", "s", "h", "p", "g", "n", "b0", "chunk"),
    [(2, 1000, 8, 64, 1, 128, 2, 256), (4, 333, 4, 32, 2, 16, 2, 64), (3, 31, 4, 64, 1, 64, 1, 256)],
)
def test_scan(device, dtype, b, s, h, p, g, n, b0, chunk):
    x, B, C = (leaf(device, *shape, dtype=dtype) for shape in [(b, s, h, p), (b, s, g, n), (b, s, g, n)])
    dt, decay = ((torch.rand(*shape, device=device) * 0.1).requires_grad_() for shape in [(b, s, h), (h,)])
    D, initial = leaf(device, h), leaf(device, b0, h, p, n)
    assert_same(
        lambda backend: ssd(x, dt, -decay, B, C, D, chunk=chunk, initial=initial, backend=backend),
        [x, dt, decay, B, C, D, initial],
        dtype,
    )


@DTYPES
@pytest.mark.parametrize("lengths", [None, [130, 2, 57]], ids=["whole", "ragged"])
@pytest.mark.parametrize("s", [2, 130])
@pytest.mark.parametrize("k", [2, 4])
def test_convolution(device, dtype, s, lengths, k):
    wide = leaf(device, 3, s, 96 + 7, dtype=dtype)
    weight, bias, initial = leaf(device, 64, 1, k), leaf(device, 64), leaf(device, 3, 64, k - 1, dtype=dtype)
    lengths = None if lengths is None else torch.tensor(lengths, device=device).clamp(max=s)
    assert_same(
        lambda backend: causal_conv(wide[..., 5:69], weight, bias, initial=initial, lengths=lengths, backend=backend),
        [wide, weight, bias, initial],
        dtype,
    )


@DTYPES
@torch.no_grad()
def test_single_steps(device, dtype):
    """The scan's step from a shared state and from its own, the convolution's step, ten of each in a row."""
    b, h, p, g, n = 6, 4, 64, 1, 128
    decay, D, weight, bias = (leaf(device, *shape) for shape in [(h,), (h,), (64, 1, 4), (64,)])
    shared, window = leaf(device, 2, h, p, n), leaf(device, b, 64, 3, dtype=dtype)
    inputs = [
        [torch.randn(*shape, device=device, dtype=dtype) for shape in [(b, h, p), (b, g, n), (b, g, n), (b, 64)]]
        for _ in range(10)
    ]
    dt = torch.rand(b, h, device=device)
    results = []
    for backend in ("torch", "kernels"):
        state, conv, made = shared.clone(), window.clone(), []
        for t, (x, B, C, u) in enumerate(inputs):
            y, state = ssd_step(x, dt, -decay.exp(), B, C, D, state, reuse=t > 0, backend=backend)
            v, conv = causal_conv_step(u, weight, bias, conv, reuse=t > 0, backend=backend)
            made += [y, v]
        results.append([*made, state, conv])
    errors = [error(found, expected) for expected, found in zip(*results, strict=True)]
    assert max(errors) <= WITHIN[dtype], errors


def run_policy(policy, backend, dtype, device, picks=None):
    """log-probabilities of fixed picks and all parameter gradients."""
    policy = policy.to(device, dtype)
    policy.backbone.use(backend)
    policy.zero_grad(set_to_none=True)
    clips = policy.prefix([clip.to(device, dtype) for clip in build_features(policy, [9, 14])])
    asked = policy.ask(clips, [0, 1, 1], PROMPTS)
    picks = rollout(policy, clips, asked, 4, 5, [1, 2, 3]).picks if picks is None else picks
    logp = score(policy, clips, asked, picks).logp
    logp.float().exp().sum().backward()
    gradients = {name: p.grad.float() for name, p in policy.named_parameters() if p.grad is not None}
    return picks, logp.detach().float(), gradients


@DTYPES
def test_a_whole_policy(device, dtype):
    """Logits and gradients of a tiny policy, and a rollout that samples what it scores."""
    shape = {"width": 64, "head_dim": 32, "state": 64, "layers": 4, "chunk": 64}
    picks, logp, gradients = run_policy(build_policy(dtype=torch.float32, **shape), "torch", torch.float32, device)

    def far(backend):
        policy = build_policy(dtype=torch.float32, **shape)
        _, found, found_gradients = run_policy(policy, backend, dtype, device, picks)
        assert found_gradients.keys() == gradients.keys()
        whole = [torch.cat([tree[name].flatten() for name in gradients]) for tree in (found_gradients, gradients)]
        return error(found, logp), ((whole[0] - whole[1]).norm() / whole[1].norm()).item()

    allowed = (2e-2, 2e-2) if dtype == torch.float32 else tuple(2 * distance for distance in far("torch"))
    found = far("kernels")
    assert all(distance <= most for distance, most in zip(found, allowed, strict=True)), (found, allowed)


@torch.no_grad()
def test_a_rollout_samples_what_it_scores(device):
    """Steps and the parallel pass agree on the kernels as they do on plain torch."""
    policy = build_policy(dtype=torch.float32, width=64, head_dim=32, state=64, chunk=64).to(device)
    policy.backbone.use("kernels")
    clips = policy.prefix([clip.to(device) for clip in build_features(policy, [9, 14])])
    asked = policy.ask(clips, [0, 1, 1], PROMPTS)
    made = rollout(policy, clips, asked, 4, 5, [1, 2, 3])
    assert error(score(policy, clips, asked, made.picks).logp, made.logp) <= 2e-2


def test_more_elements_than_32_bits_reach(device):
    """Rows that lie further apart than 2^31 elements: the kernels' own offsets would wrap around."""
    b, s, h, p, n = 2, 64, 2, 64, 64
    step = 2**31 // s + 8 - 2**31 // s % 8
    if torch.cuda.mem_get_info()[0] < 2.2 * b * s * step:
        pytest.skip("not enough memory")
    buffer = torch.empty(b * s * step, device=device, dtype=torch.bfloat16)
    x = buffer.as_strided((b, s, h, p), (s * step, step, p, 1)).normal_()
    B, C = (torch.randn(b, s, 1, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    dt, decay, D = torch.rand(b, s, h, device=device), torch.rand(h, device=device), torch.rand(h, device=device)
    with torch.no_grad():
        expected = ssd(x.contiguous(), dt, -decay, B, C, D, chunk=64, backend="torch")
        found = ssd(x, dt, -decay, B, C, D, chunk=64, backend="kernels")
    assert max(error(a, b) for a, b in zip(found, expected, strict=True)) <= WITHIN[torch.bfloat16]
