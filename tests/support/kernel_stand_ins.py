"""Stand-ins for mamba_ssm's and causal-conv1d's functions, in plain torch, that insist on what the real ones demand.

`Kernels` made of them run anywhere; the demands are those of mamba-ssm 2.3.2 and causal-conv1d 1.7.0.
"""

import contextlib
import importlib
import sys
import types

import torch
import torch.nn.functional as F
from refocus.policy import kernels


def scan(x, dt, A, B, C, chunk_size, D=None, *, initial_states=None, return_final_states=False, dt_softplus=False):
    """mamba_chunk_scan_combined: the recurrence, step by step."""
    b, s, h, p = x.shape
    g, n = B.shape[2:]
    assert dt.shape == (b, s, h) and A.shape == D.shape == (h,) and C.shape == B.shape == (b, s, g, n)
    assert x.dtype == B.dtype == C.dtype and dt.dtype == A.dtype == D.dtype and not dt_softplus
    state = initial_states
    assert state is None or (state.shape == (b, h, p, n) and state.dtype == dt.dtype)
    state = dt.new_zeros(b, h, p, n) if state is None else state
    ys = []
    for t in range(s):
        b_t, c_t = (z[:, t].to(dt.dtype).repeat_interleave(h // g, 1) for z in (B, C))
        state = state * (dt[:, t] * A).exp()[..., None, None]
        state = state + (dt[:, t, :, None] * x[:, t])[..., None] * b_t[:, :, None]
        ys.append((state * c_t[:, :, None]).sum(-1) + D[:, None] * x[:, t])
    y = torch.stack(ys, 1).to(x.dtype)
    return (y, state) if return_final_states else y


@torch.no_grad()
def scan_step(state, x, dt, A, B, C, D=None, z=None, dt_bias=None, dt_softplus=False):
    """selective_state_update: writes `state`; `dt_bias` must be there, tensors of heads are expanded with stride 0."""
    b, h, p = x.shape
    g, n = B.shape[1:]
    assert state.shape == (b, h, p, n) and dt.shape == x.shape and A.shape == (h, p, n) and D.shape == (h, p)
    assert dt_bias.shape == (h, p) and dt_bias.abs().max() == 0 and not dt_softplus
    assert A.stride()[1:] == (0, 0) and dt.stride(-1) == 0 and dt_bias.stride(-1) == 0
    assert all(t.stride(0) for t in (state, x) if b > 1), "rows of the state must not share memory"
    b_t, c_t = (t.to(dt.dtype).repeat_interleave(h // g, 1) for t in (B, C))
    new = state * (dt.unsqueeze(-1) * A).exp() + (dt * x).unsqueeze(-1) * b_t[:, :, None]
    state.copy_(new)
    return ((new * c_t[:, :, None]).sum(-1) + D * x).to(x.dtype)


def conv(x, weight, bias, *, initial_states=None, return_final_states=False, activation=None):
    """causal_conv1d_fn for channels last."""
    b, c, s = x.shape
    k = weight.shape[1]
    assert 2 <= k <= 4 and c % 8 == 0 and weight.shape == (c, k) and bias.shape == (c,) and activation == "silu"
    assert x.stride(1) == 1 and x.stride(0) % 8 == 0 and x.stride(2) % 8 == 0 and x.storage_offset() % 8 == 0
    if initial_states is not None:
        assert initial_states.shape == (b, c, k - 1) and initial_states.dtype == x.dtype
        assert initial_states.stride(1) == 1
    before = x.new_zeros(b, c, k - 1) if initial_states is None else initial_states
    padded = torch.cat([before, x], 2)
    y = F.silu(F.conv1d(padded.to(weight.dtype), weight.unsqueeze(1), bias, groups=c))
    y = y.to(x.dtype).transpose(1, 2).contiguous().transpose(1, 2)
    return (y, padded[..., s:]) if return_final_states else y


@torch.no_grad()
def conv_step(x, conv_state, weight, bias, activation=None):
    """causal_conv1d_update: writes `conv_state`."""
    b, c = x.shape
    k = weight.shape[1]
    assert 2 <= k <= 4 and c % 8 == 0 and conv_state.shape == (b, c, k - 1) and activation == "silu"
    assert conv_state.dtype == x.dtype and weight.dtype == bias.dtype
    window = torch.cat([conv_state, x.unsqueeze(-1)], -1)
    conv_state.copy_(window[..., 1:])
    return F.silu((window * weight).sum(-1) + bias).to(x.dtype)


STAND_INS = kernels.Kernels(scan, scan_step, conv, conv_step)


def serve(monkeypatch, served=STAND_INS):
    """Lets `served` run on CPU tensors too: what `kernels.chosen` says on a GPU where the packages load."""
    monkeypatch.setattr(kernels, "load", lambda: served)
    monkeypatch.setattr(kernels, "chosen", lambda backend, x, weight=None: backend != "torch")


def interpreted(monkeypatch) -> kernels.Kernels:
    """mamba_ssm's own Triton kernels under Triton's interpreter, on CPU tensors; causal-conv1d's stay stand-ins.

    TRITON_INTERPRET=1 must be in the environment. What asks for a CUDA device around the kernels is replaced.
    """
    import triton.runtime.autotuner

    device = types.SimpleNamespace(multi_processor_count=1)
    monkeypatch.setitem(sys.modules, "selective_scan_cuda", types.ModuleType("selective_scan_cuda"))
    monkeypatch.setattr(torch.cuda, "device", lambda index: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: device)
    monkeypatch.setattr(triton.runtime.autotuner.Autotuner, "_bench", lambda self, *args, **kwargs: [0.0, 0.0, 0.0])
    combined = importlib.import_module("mamba_ssm.ops.triton.ssd_combined")
    update = importlib.import_module("mamba_ssm.ops.triton.selective_state_update")
    return kernels.Kernels(combined.mamba_chunk_scan_combined, update.selective_state_update, conv, conv_step)
