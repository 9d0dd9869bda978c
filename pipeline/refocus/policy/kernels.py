"""The CUDA kernels behind `ssd` and `causal_conv`: mamba_ssm's Triton scan and causal-conv1d, loaded on first use.

b sequences · s steps · g groups · h heads · p head width · n state size · c channels · k convolution width

Their ops are used, not their modules: those take no states. Inputs stay in the dtype they come in (bfloat16 in
training), sums are float32. Both packages compute offsets in 32 bits and go wrong in silence beyond
(state-spaces/mamba#1015), so larger inputs are run in pieces that share their states.
"""

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from refocus.core.errors import ResourceMissing, UsageError

log = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "kernels")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
MOST_ELEMENTS = 2**31 - 1
INSTALL = "mamba-ssm and causal-conv1d must be built for this torch and CUDA: pip install --no-build-isolation '.[gpu]'"

Piece = Callable[[Sequence[Tensor], Tensor | None, bool], tuple[Tensor, Tensor | None]]


@dataclasses.dataclass(frozen=True)
class Kernels:
    """The four functions taken from the packages."""

    scan: Callable  # mamba_ssm: mamba_chunk_scan_combined
    scan_step: Callable  # mamba_ssm: selective_state_update
    conv: Callable  # causal_conv1d: causal_conv1d_fn
    conv_step: Callable  # causal_conv1d: causal_conv1d_update


def chosen(backend: str, x: Tensor, weight: Tensor | None = None) -> bool:
    """Whether the kernels serve x. CPU tensors are always plain torch's, and never make the packages load.

    Args:
        backend: "auto" (the kernels where they load and fit, else plain torch), "torch" or "kernels".
        weight: (c, 1, k) of a convolution, whose shape its kernel may not take; None for the scan.
    Raises:
        UsageError: backend is "kernels" and they do not take such inputs, or there is no such backend.
        ResourceMissing: backend is "kernels" and the packages do not load.
    """
    if backend not in BACKENDS:
        raise UsageError(f"kernels must be one of {', '.join(BACKENDS)}, not {backend!r}")
    if backend == "torch" or not x.is_cuda:
        return False
    unsupported = _unsupported(x, weight)
    if backend == "auto":
        return not unsupported and _loadable()
    if unsupported:
        raise UsageError(f"kernels=kernels: the CUDA kernels do not take {unsupported}; kernels=auto uses torch for it")
    load()
    return True


@functools.cache
def load() -> Kernels:
    """Imports both packages.

    Raises:
        ResourceMissing: one of them is not there or does not load.
    """
    try:
        from causal_conv1d import causal_conv1d_fn, causal_conv1d_update
        from mamba_ssm.ops.triton.selective_state_update import selective_state_update
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except Exception as error:  # a build for another torch or CUDA fails in its own ways, not only with ImportError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ResourceMissing(f"the CUDA kernels of the policy do not load ({reason}): {INSTALL}") from error
    return Kernels(mamba_chunk_scan_combined, selective_state_update, causal_conv1d_fn, causal_conv1d_update)


@functools.cache
def _loadable() -> bool:
    try:
        load()
    except ResourceMissing as missing:
        log.warning("%s. The policy runs on plain torch: same results, slower and with more memory", missing)
        return False
    return True


def _unsupported(x: Tensor, weight: Tensor | None) -> str:
    """What the kernels do not take, empty if nothing."""
    if x.dtype not in DTYPES:
        return f"{x.dtype}".removeprefix("torch.")
    if weight is None:
        return ""
    channels, _, k = weight.shape
    if channels % 8:
        return f"a convolution of {channels} channels (no multiple of 8)"
    return "" if 2 <= k <= 4 else f"a convolution of width {k} (not 2 to 4)"


# ---- the scan


def scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    *,
    chunk: int,
    initial: Tensor | None,
    want_final: bool,
) -> tuple[Tensor, Tensor | None]:
    """`refocus.policy.ssd.ssd` on mamba_ssm's kernels; y has the dtype of x, the state is float32."""
    kernel = load().scan
    b, _, h, p = x.shape
    n = B.shape[-1]
    if initial is not None:
        initial = _rows(initial, b)

    def run(parts: Sequence[Tensor], initial: Tensor | None, want_final: bool) -> tuple[Tensor, Tensor | None]:
        x, dt, B, C = parts
        made = kernel(x, dt, A, B, C, chunk, D=D, initial_states=initial, return_final_states=want_final)
        return made if want_final else (made, None)

    parts = x, dt, B.to(x.dtype), C.to(x.dtype)
    return _in_pieces(run, parts, initial, want_final, chunk, states=h * p * n)


def scan_step(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, state: Tensor, *, reuse: bool
) -> tuple[Tensor, Tensor]:
    """`refocus.policy.ssd.ssd_step` on mamba_ssm's kernel, without gradient."""
    b, h, p = x.shape
    n = B.shape[-1]
    if not reuse or state.shape[0] != b:
        state = state.repeat_interleave(b // state.shape[0], 0)  # the kernel writes the new state over the old one
    y = load().scan_step(
        state,
        x,
        dt.unsqueeze(-1).expand(b, h, p),
        A[:, None, None].expand(h, p, n),
        B.to(x.dtype),
        C.to(x.dtype),
        D.unsqueeze(-1).expand(h, p),
        dt_bias=torch.zeros_like(A).unsqueeze(-1).expand(h, p),  # not optional, though its signature says so
    )
    return y, state


# ---- the convolution


def conv(
    x: Tensor, weight: Tensor, bias: Tensor, *, initial: Tensor | None, want_final: bool
) -> tuple[Tensor, Tensor | None]:
    """`refocus.policy.conv.causal_conv` for rows of one length on causal-conv1d's kernels."""
    kernel = load().conv
    if x.stride(-1) != 1 or any(step % 8 for step in (*x.stride()[:-1], x.storage_offset())):
        x = x.contiguous()  # the kernel reads 16 bytes at once
    if initial is not None:
        initial = _rows(initial, x.shape[0]).to(x.dtype)

    def run(parts: Sequence[Tensor], initial: Tensor | None, want_final: bool) -> tuple[Tensor, Tensor | None]:
        made = kernel(
            parts[0].transpose(1, 2),
            weight.squeeze(1),
            bias,
            initial_states=None if initial is None else _channels_last(initial),
            return_final_states=want_final,
            activation="silu",
        )
        y, final = made if want_final else (made, None)
        return y.transpose(1, 2), final

    return _in_pieces(run, (x,), initial, want_final)


def conv_step(x: Tensor, weight: Tensor, bias: Tensor, state: Tensor, *, reuse: bool) -> tuple[Tensor, Tensor]:
    """`refocus.policy.conv.causal_conv_step` on causal-conv1d's kernel, without gradient."""
    state = state.to(x.dtype, copy=not reuse)  # the kernel writes the new state over the old one
    return load().conv_step(x, state, weight.squeeze(1), bias, activation="silu"), state


# ---- shared


def _in_pieces(
    run: Piece, parts: Sequence[Tensor], initial: Tensor | None, want_final: bool, step: int = 1, states: int = 0
) -> tuple[Tensor, Tensor | None]:
    """run(parts, initial, want_final) by halves of the rows, then of the steps, until all offsets fit 32 bits.

    Args:
        parts: sequences (b, s, …). initial: (b, …) or None.
        step: pieces hold a multiple of this many steps. states: elements the kernel stores for every `step` steps.
    """
    b, s = parts[0].shape[:2]
    rows = [(part.stride(0), s * max(part.stride(1), part[0, 0].numel())) for part in parts]
    reach = max((b - 1) * max(stride, row) + row for stride, row in rows)
    if max(reach, b * -(-s // step) * states) <= MOST_ELEMENTS or (b == 1 and s <= step):
        return run(parts, initial, want_final)
    if b > 1:
        halves = zip(*(part.split((b + 1) // 2) for part in parts), strict=True)
        starts = (None, None) if initial is None else initial.split((b + 1) // 2)
        made = [
            _in_pieces(run, half, start, want_final, step, states) for half, start in zip(halves, starts, strict=True)
        ]
        finals = [final for _, final in made if final is not None]
        return torch.cat([y for y, _ in made]), torch.cat(finals) if want_final else None
    half = -(-s // (2 * step)) * step
    first, second = zip(*(part.split([half, s - half], 1) for part in parts), strict=True)
    y, middle = _in_pieces(run, first, initial, True, step, states)
    rest, final = _in_pieces(run, second, middle, want_final, step, states)
    return torch.cat([y, rest], 1), final


def _rows(state: Tensor, rows: int) -> Tensor:
    """(b0, …) -> (rows, …), each row for the same number of consecutive ones; no copy where b0 is 1 or rows."""
    if state.shape[0] == rows:
        return state
    return state.unsqueeze(1).expand(-1, rows // state.shape[0], *state.shape[1:]).flatten(0, 1)


def _channels_last(state: Tensor) -> Tensor:
    """(b, c, k-1) with the channels next to each other in memory."""
    return state.transpose(1, 2).contiguous().transpose(1, 2)
