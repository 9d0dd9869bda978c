"""Both back ends are one function: who is asked when, what is said, and what the kernels are handed."""

import logging
import sys
import types

import pytest
import torch
from refocus.config.policy import PolicySettings
from refocus.config.train import TrainRuntime, TrainSettings
from refocus.core.errors import ResourceMissing, UsageError
from refocus.policy import kernels
from refocus.policy.conv import causal_conv, causal_conv_step
from refocus.policy.rollout import rollout, score
from refocus.policy.ssd import ssd, ssd_step
from refocus.select.policy_selector import load_policy
from refocus.train.run import _policy

from tests.support.kernel_stand_ins import STAND_INS, serve
from tests.support.tiny_policy import PROMPTS, build_features, build_policy

PACKAGES = ("mamba_ssm", "causal_conv1d")
TIGHT = {"rtol": 1e-10, "atol": 1e-11}


class OnGpu(types.SimpleNamespace):
    """As much of a CUDA tensor as the choice looks at."""

    def __init__(self, dtype=torch.bfloat16):
        super().__init__(is_cuda=True, dtype=dtype)


class Imports:
    """A finder that only notes who is looked for."""

    def __init__(self):
        self.seen = []

    def find_spec(self, name, path=None, target=None):
        self.seen.append(name.split(".")[0])


@pytest.fixture(autouse=True)
def nothing_loaded():
    """Each test decides anew what can be imported."""
    for cached in (kernels.load, kernels._loadable):
        cached.cache_clear()
    yield
    for cached in (kernels.load, kernels._loadable):
        cached.cache_clear()


@pytest.fixture
def imports(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        monkeypatch.delitem(sys.modules, name)
    imports = Imports()
    monkeypatch.setattr(sys, "meta_path", [imports, *sys.meta_path])
    return imports


@pytest.fixture
def installed(monkeypatch):
    """Both packages, made of stand-ins, as imports find them."""
    tree = {
        "mamba_ssm": {},
        "mamba_ssm.ops": {},
        "mamba_ssm.ops.triton": {},
        "mamba_ssm.ops.triton.selective_state_update": {"selective_state_update": STAND_INS.scan_step},
        "mamba_ssm.ops.triton.ssd_combined": {"mamba_chunk_scan_combined": STAND_INS.scan},
        "causal_conv1d": {"causal_conv1d_fn": STAND_INS.conv, "causal_conv1d_update": STAND_INS.conv_step},
    }
    for name, content in tree.items():
        module = types.ModuleType(name)
        vars(module).update(content, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)


def absent(monkeypatch, name="mamba_ssm"):
    monkeypatch.setitem(sys.modules, name, None)  # import then raises ModuleNotFoundError


# ---- the choice


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_cpu_tensors_never_look_for_the_packages(imports, backend):
    policy = build_policy()
    policy.backbone.use(backend)
    clips = policy.prefix(build_features(policy, [4, 6]))
    asked = policy.ask(clips, [0, 1, 1], PROMPTS)
    picks = rollout(policy, clips, asked, 2, 3, [1, 2, 3]).picks
    score(policy, clips, asked, picks).logp.sum().backward()
    assert not set(imports.seen) & set(PACKAGES)


def test_gpu_tensors_get_the_kernels_where_they_load(installed):
    assert kernels.load() == STAND_INS
    for backend, served in (("auto", True), ("kernels", True), ("torch", False)):
        assert kernels.chosen(backend, OnGpu()) is served


def test_auto_says_once_what_to_install(monkeypatch, caplog):
    absent(monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert not any(kernels.chosen("auto", OnGpu()) for _ in range(3))
    assert len(caplog.messages) == 1
    assert all(word in caplog.text for word in ("mamba-ssm", "causal-conv1d", ".[gpu]", "plain torch"))


@pytest.mark.parametrize("name", ["mamba_ssm.ops.triton.ssd_combined", "causal_conv1d"])
def test_asking_for_absent_kernels_is_a_missing_resource(monkeypatch, installed, name):
    absent(monkeypatch, name)
    with pytest.raises(ResourceMissing, match=r"mamba-ssm and causal-conv1d"):
        kernels.chosen("kernels", OnGpu())


def test_a_build_for_another_torch_counts_as_absent(monkeypatch, installed, caplog):
    class Broken(types.ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("undefined symbol: _ZN3c104cuda\nmore")

    monkeypatch.setitem(sys.modules, "causal_conv1d", Broken("causal_conv1d"))
    with pytest.raises(ResourceMissing, match=r"undefined symbol: _ZN3c104cuda\)"):
        kernels.chosen("kernels", OnGpu())
    assert not kernels.chosen("auto", OnGpu())


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((12, 1, 4), torch.bfloat16, "12 channels"),
        ((16, 1, 5), torch.bfloat16, "width 5"),
        ((16, 1, 4), torch.float64, "float64"),
    ],
)
def test_what_the_kernels_do_not_take_goes_to_torch(imports, shape, dtype, said):
    weight = torch.empty(shape)
    assert not kernels.chosen("auto", OnGpu(dtype), weight)
    with pytest.raises(UsageError, match=said):
        kernels.chosen("kernels", OnGpu(dtype), weight)
    assert not imports.seen


def test_an_unknown_back_end_is_refused():
    with pytest.raises(UsageError, match="auto, torch, kernels"):
        build_policy().backbone.use("cuda")


def test_the_setting_reaches_every_layer(tmp_path):
    """`select.runtime.kernels` and `train.runtime.kernels`, after loading."""
    build_policy(dtype=torch.float32).save_pretrained(tmp_path)
    loaded = load_policy(tmp_path, "cpu", 1, "torch")
    job = types.SimpleNamespace(
        start=tmp_path, policy=PolicySettings(), settings=TrainSettings(runtime=TrainRuntime(kernels="kernels"))
    )
    trained = _policy(job, types.SimpleNamespace(device="cpu"))
    assert {layer.mixer.backend for layer in loaded.backbone.layers} == {"torch"}
    assert {layer.mixer.backend for layer in trained.backbone.layers} == {"kernels"}


# ---- what the kernels are handed, and that nothing gets lost on the way


def both(monkeypatch, run, leaves):
    """run(backend) -> tensors: these and the gradients of all leaves, by either back end."""
    results = []
    serve(monkeypatch)
    for backend in ("torch", "kernels"):
        made = [tensor for tensor in run(backend) if tensor is not None]
        loss = sum((weight * tensor.sin()).sum() for weight, tensor in enumerate(made, 1))
        results.append([*made, *torch.autograd.grad(loss, leaves)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(theirs, ours, **TIGHT)


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def scan_leaves(b, s, h=4, p=3, g=2, n=5):
    torch.manual_seed(0)
    dt, decay = (torch.rand(shape, dtype=torch.float64).requires_grad_() for shape in ((b, s, h), (h,)))
    return leaf(b, s, h, p), dt, decay, leaf(b, s, g, n), leaf(b, s, g, n), leaf(h)


@pytest.mark.parametrize("most", [2**31 - 1, 1500, 300, 1])
@pytest.mark.parametrize("shared", [None, 1, 2, 6])
def test_scan_on_kernels(monkeypatch, shared, most):
    """Any split of the rows, whole or in pieces of rows and steps, equals plain torch."""
    monkeypatch.setattr(kernels, "MOST_ELEMENTS", most)
    leaves = scan_leaves(6, 21)
    initial = [] if shared is None else [leaf(shared, 4, 3, 5)]

    def run(backend):
        x, dt, decay, *rest = leaves
        return ssd(x, dt, -decay, *rest, chunk=4, initial=initial[0] if initial else None, backend=backend)

    both(monkeypatch, run, [*leaves, *initial])


@pytest.mark.parametrize(("most", "spread"), [(300, 1), (5500, 20)], ids=["states", "rows far apart"])
def test_pieces_stay_below_the_limit(monkeypatch, most, spread):
    """No piece reaches further than 32 bits would, neither in its inputs nor in the states of its chunks."""
    sizes = []

    def watched(x, *args, **kwargs):
        reach = sum((size - 1) * step for size, step in zip(x.shape, x.stride(), strict=True))
        sizes.append(max(reach, x.shape[0] * -(-x.shape[1] // 4) * 4 * 3 * 5))
        return STAND_INS.scan(x, *args, **kwargs)

    serve(monkeypatch, kernels.Kernels(watched, None, None, None))
    monkeypatch.setattr(kernels, "MOST_ELEMENTS", most)
    _, dt, decay, *rest = scan_leaves(6, 21)
    ssd(leaf(6, 21, 4, 3 * spread)[..., :3], dt, -decay, *rest, chunk=4, backend="kernels")
    assert len(sizes) > 1 and max(sizes) <= most


@pytest.mark.parametrize("want", [True, False])
@pytest.mark.parametrize("lengths", [None, [9, 2, 1, 5]])
@pytest.mark.parametrize("shared", [None, 1, 4])
@pytest.mark.parametrize("s", [2, 9])
def test_convolution_on_kernels(monkeypatch, s, shared, lengths, want):
    """States before and after, rows of different lengths, inputs that are slices of a wider tensor."""
    if lengths is not None:
        lengths = torch.tensor(lengths).clamp(max=s)
    torch.manual_seed(0)
    wide, weight, bias = leaf(4, s, 40), leaf(16, 1, 4), leaf(16)
    initial = [] if shared is None else [leaf(shared, 16, 3)]

    def run(backend):
        start = initial[0].repeat_interleave(4 // shared, 0) if initial else None
        x = wide[..., 5:21]
        return causal_conv(x, weight, bias, initial=start, lengths=lengths, want_final=want, backend=backend)

    both(monkeypatch, run, [wide, weight, bias, *initial])


@pytest.mark.parametrize("most", [100, 1])
def test_long_convolutions_go_in_pieces(monkeypatch, most):
    monkeypatch.setattr(kernels, "MOST_ELEMENTS", most)
    torch.manual_seed(0)
    x, weight, bias, initial = leaf(3, 11, 8), leaf(8, 1, 4), leaf(8), leaf(3, 8, 3)
    both(
        monkeypatch,
        lambda backend: causal_conv(x, weight, bias, initial=initial, backend=backend),
        [x, weight, bias, initial],
    )


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("rows", [2, 6])
def test_steps_on_kernels(monkeypatch, rows, reuse):
    """One step equals plain torch's; the old state is written over only where that was allowed."""
    serve(monkeypatch)
    made = []
    for backend in ("torch", "kernels"):
        x, dt, decay, B, C, D = (t.detach()[:, 0] if t.dim() > 1 else t.detach() for t in scan_leaves(6, 1))
        state = torch.randn(rows, 4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        before = state.clone()
        with torch.no_grad():
            made.append(ssd_step(x, dt, -decay, B, C, D, state, reuse=reuse, backend=backend))
        assert torch.equal(state, before) is not (reuse and rows == 6)
    for ours, theirs in zip(*made, strict=True):
        torch.testing.assert_close(theirs, ours, **TIGHT)


def test_steps_with_gradient_are_torchs(monkeypatch):
    """The step kernels have no gradient; asked for one, plain torch steps in."""
    x, dt, decay, B, C, D = scan_leaves(6, 1)
    u, weight, bias, window, state = leaf(6, 16), leaf(16, 1, 4), leaf(16), leaf(6, 16, 3), leaf(2, 4, 3, 5)

    def run(backend):
        scanned = ssd_step(x[:, 0], dt[:, 0], -decay, B[:, 0], C[:, 0], D, state, backend=backend)
        return *scanned, *causal_conv_step(u, weight, bias, window, backend=backend)

    both(monkeypatch, run, [x, dt, decay, B, C, D, state, u, weight, bias, window])


def test_convolution_steps_on_kernels(monkeypatch):
    serve(monkeypatch)
    torch.manual_seed(0)
    x, weight, bias, state = (leaf(*shape).detach() for shape in [(3, 16), (16, 1, 4), (16,), (3, 16, 3)])
    before = state.clone()
    with torch.no_grad():
        expected = causal_conv_step(x, weight, bias, state, backend="torch")
        made = causal_conv_step(x, weight, bias, state, backend="kernels")
        assert torch.equal(state, before)
        over = causal_conv_step(x, weight, bias, state, backend="kernels", reuse=True)
    assert over[1] is state
    for found in (made, over):
        for ours, theirs in zip(expected, found, strict=True):
            torch.testing.assert_close(theirs, ours, **TIGHT)


def test_kernels_get_the_dtype_the_model_computes_in(monkeypatch):
    """bfloat16 inputs reach the scan as they are, steps, decay and states in float32."""
    seen = {}

    def watched(x, dt, A, B, C, chunk_size, **kwargs):
        tensors = {"x": x, "B": B, "C": C, "dt": dt, "A": A, "D": kwargs["D"], "initial": kwargs["initial_states"]}
        seen.update({name: tensor.dtype for name, tensor in tensors.items() if tensor is not None})
        return STAND_INS.scan(x, dt, A, B, C, chunk_size, **kwargs)

    serve(monkeypatch, kernels.Kernels(watched, STAND_INS.scan_step, STAND_INS.conv, STAND_INS.conv_step))
    stack = build_policy().backbone.to(torch.bfloat16)
    x = torch.randn(2, 9, 16, dtype=torch.bfloat16)
    _, state = stack(x)
    y, _ = stack(x, state)
    assert y.dtype == torch.bfloat16
    assert {name for name, dtype in seen.items() if dtype == torch.bfloat16} == {"x", "B", "C"}
    assert {name for name, dtype in seen.items() if dtype == torch.float32} == {"dt", "A", "D", "initial"}


def test_a_whole_policy_on_kernels(monkeypatch):
    """Ragged clips, several questions, the rollout and its teacher-forced score with all gradients."""
    from tests.support.policy_twins import assert_twins

    serve(monkeypatch)
    assert_twins(build_policy(), **TIGHT)
