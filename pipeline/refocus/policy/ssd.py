"""The state-space scan of Mamba-2 (Dao & Gu 2024, "SSD") with states in and out.

b sequences · s steps · c chunks of m steps · g groups of r heads · h = g·r heads · p head width · n state size

    H_t = exp(dt_t A) H_{t-1} + dt_t x_t B_t^T        y_t = H_t C_t + D x_t
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from refocus.policy import kernels


def ssd(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    *,
    chunk: int,
    initial: Tensor | None = None,
    want_final: bool = True,
    backend: str = "auto",
) -> tuple[Tensor, Tensor | None]:
    """The scan over whole sequences, differentiable through every tensor including both states.

    Within a chunk the recurrence is a masked matrix product; between chunks one loop carries the state, so time and
    memory are linear in s. Every back end of the scan is chosen here and nowhere else.

    Args:
        x: (b, s, h, p) inputs, B: (b, s, g, n), C: (b, s, g, n), in the dtype the model computes in.
        dt: (b, s, h) step sizes, already positive; 0 leaves the state as it is (padding).
        A: (h,) negative decay rates, D: (h,); both and dt in the wide dtype the scan sums in, never below float32.
        chunk: steps per chunk; the result does not depend on it.
        initial: (b0, h, p, n) or None for zeros. b0 divides b; row i of x starts from row i // (b / b0), so candidates
            that share a prefix share its state without copies.
        want_final: whether to compute the state after the last step.
        backend: auto, torch or kernels, see `refocus.policy.kernels`.
    Returns:
        y (b, s, h, p), wide or as x (the kernels), and the final state (b, h, p, n), wide, or None.
    """
    if kernels.chosen(backend, x):
        return kernels.scan(x, dt, A, B, C, D, chunk=chunk, initial=initial, want_final=want_final)
    x, B, C = (t.to(dt.dtype) for t in (x, B, C))
    b, s, h, p = x.shape
    g, n = B.shape[2:]
    r = h // g
    m = min(chunk, s)
    short = -s % m
    if short:
        x, dt, B, C = (F.pad(t, (0, 0) * (t.dim() - 2) + (0, short)) for t in (x, dt, B, C))
    c = (s + short) // m

    log_decay = (dt * A).view(b, c, m, h).transpose(2, 3).contiguous().cumsum(-1)  # (b, c, h, m)
    xdt = (x * dt.unsqueeze(-1)).view(b, c, m, h, p)
    B = B.view(b, c, m, g, n).transpose(2, 3)  # (b, c, g, m, n)
    C = C.view(b, c, m, g, n).transpose(2, 3)

    # inside a chunk: y_i = sum_{j<=i} (C_i . B_j) exp(sum of dt A over (j, i]) dt_j x_j
    weights = (C @ B.transpose(-1, -2)).unsqueeze(3) * _decays(log_decay).view(b, c, g, r, m, m)
    y = (weights.reshape(b, c, h, m, m) @ xdt.transpose(2, 3)).transpose(2, 3)  # (b, c, m, h, p)

    # across chunks
    final = None
    if c > 1 or want_final:
        left = (log_decay[..., -1:] - log_decay).exp().transpose(2, 3).unsqueeze(-1)  # (b, c, m, h, 1)
        added = (xdt * left).view(b, c, m, g, r * p).permute(0, 1, 3, 4, 2) @ B  # (b, c, g, r p, n)
        added = added.view(b, c, h, p, n)
    if initial is not None and c == 1:
        y = y + _from_state(initial, C, log_decay, b).view(b, c, m, h, p)
    if c > 1 or want_final:
        through = log_decay[..., -1].exp()[..., None, None]  # (b, c, h, 1, 1)
        state = x.new_zeros(b, h, p, n) if initial is None else _rows(initial, b)
        before = []
        for kept, fresh in zip(through.unbind(1), added.unbind(1), strict=True):
            before.append(state)
            state = torch.addcmul(fresh, state, kept)
        final = state if want_final else None
        if c > 1:
            starts = torch.stack(before, 1).view(b * c, h, p, n)
            y = y + _from_state(starts, C, log_decay, b * c).view(b, c, m, h, p)
    y = y.reshape(b, c * m, h, p) + D.unsqueeze(-1) * x
    return (y[:, :s] if short else y), final


def ssd_step(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    state: Tensor,
    *,
    want_state: bool = True,
    reuse: bool = False,
    backend: str = "auto",
) -> tuple[Tensor, Tensor | None]:
    """One step of the scan, for every row.

    Args:
        x: (b, h, p), dt: (b, h), A and D: (h,), B and C: (b, g, n); dtypes as in `ssd`.
        state: (b0, h, p, n) with b0 dividing b, shared as in `ssd`.
        want_state: False saves writing the new state.
        reuse: write the new state over the old one, which must not be used again; for use without gradient.
        backend: as in `ssd`; the kernel has no gradient and always writes a state, so it is asked only where that fits.
    Returns:
        y (b, h, p) and the new state (b, h, p, n), or None.
    """
    if want_state and not torch.is_grad_enabled() and kernels.chosen(backend, x):
        return kernels.scan_step(x, dt, A, B, C, D, state, reuse=reuse)
    x, B, C = (t.to(dt.dtype) for t in (x, B, C))
    b, h, p = x.shape
    g, n = B.shape[1:]
    b0, r = state.shape[0], h // g
    k = b // b0
    decay = (dt * A).exp()  # (b, h)
    xdt = x * dt.unsqueeze(-1)

    # y = C . (decay H + x dt B) without forming the new state
    read = state.view(b0, g, r * p, n) @ C.view(b0, k, g, n).permute(0, 2, 3, 1)  # (b0, g, r p, k)
    read = read.permute(0, 3, 1, 2).reshape(b, h, p) * decay.unsqueeze(-1)
    match = (B * C).sum(-1).repeat_interleave(r, 1)  # (b, h)
    y = read + xdt * match.unsqueeze(-1) + D.unsqueeze(-1) * x
    if not want_state:
        return y, None

    kept = decay.view(b0, k, h, 1, 1)
    fresh = state.mul_(kept.squeeze(1)) if reuse and k == 1 else (state.unsqueeze(1) * kept).view(b, h, p, n)
    added = xdt.view(b, g, r * p, 1), B.unsqueeze(2)
    if torch.is_grad_enabled():
        return y, torch.addcmul(fresh.view(b, g, r * p, n), *added).view(b, h, p, n)
    fresh.view(b, g, r * p, n).addcmul_(*added)
    return y, fresh


def _decays(log_decay: Tensor) -> Tensor:
    """exp(a_i - a_j) for j <= i and 0 above the diagonal: (…, m) -> (…, m, m)."""
    m = log_decay.shape[-1]
    above = torch.full((m, m), -torch.inf, dtype=log_decay.dtype, device=log_decay.device).triu(1)
    return ((log_decay.unsqueeze(-1) - log_decay.unsqueeze(-2)) + above).exp()


def _from_state(state: Tensor, C: Tensor, log_decay: Tensor, rows: int) -> Tensor:
    """What the state before a chunk adds to each step's output: (rows, m, h, p).

    Args:
        state: (b0, h, p, n) with b0 dividing rows; C: (b, c, g, m, n) and log_decay: (b, c, h, m) with b·c = rows.
    """
    b0, h, p, n = state.shape
    g, m = C.shape[2:4]
    k = rows // b0
    C = C.reshape(b0, k, g, m, n).transpose(1, 2).reshape(b0, g, k * m, n)
    read = C @ state.view(b0, g, h // g * p, n).transpose(-1, -2)  # (b0, g, k m, r p)
    read = read.view(b0, g, k, m, h // g, p).permute(0, 2, 3, 1, 4, 5).reshape(rows, m, h, p)
    return read * log_decay.exp().reshape(rows, h, m).transpose(1, 2).unsqueeze(-1)


def _rows(state: Tensor, rows: int) -> Tensor:
    return state if state.shape[0] == rows else state.repeat_interleave(rows // state.shape[0], 0)
