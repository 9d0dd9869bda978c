"""The short causal depthwise convolution of Mamba-2, followed by SiLU, with the last inputs as its state.

b sequences · s steps · c channels · k kernel width
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.policy import kernels


class CausalConv(nn.Conv1d):
    """The parameters of the convolution, (c, 1, k) and (c,), named and initialised as `nn.Conv1d` does."""

    bias: nn.Parameter


def causal_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    initial: Tensor | None = None,
    lengths: Tensor | None = None,
    want_final: bool = True,
    backend: str = "auto",
) -> tuple[Tensor, Tensor | None]:
    """silu(sum_j weight_j x_{t-k+1+j} + bias), differentiable through x, the weights and both states.

    Every back end of the convolution is chosen here and nowhere else.

    Args:
        x: (b, s, c); weight: (c, 1, k) as `nn.Conv1d` stores it; bias: (c,).
        initial: (b, c, k-1), the inputs before x, oldest first; None for zeros.
        lengths: (b,) valid steps of each row; the final state ends there. None: all of them.
        want_final: whether to return the state after the last valid step.
        backend: auto, torch or kernels, see `refocus.policy.kernels`.
    Returns:
        (b, s, c) and the state (b, c, k-1), or None.
    """
    b, s, c = x.shape
    k = weight.shape[-1]
    if kernels.chosen(backend, x, weight):
        y, final = kernels.conv(x, weight, bias, initial=initial, want_final=want_final and lengths is None)
        if lengths is None or not want_final:
            return y, final
        return y, _ends(x, initial, lengths, k)
    before = x.new_zeros(b, k - 1, c) if initial is None else initial.transpose(1, 2).to(x.dtype)
    padded = torch.cat([before, x], 1)  # (b, s + k - 1, c)
    y = _ShiftedSum.apply(padded, weight, bias)
    if not want_final:
        return y, None
    if lengths is None:
        return y, padded[:, s:].clone().transpose(1, 2)  # a view would keep all of x as long as the state lives
    last = lengths[:, None] + torch.arange(k - 1, device=x.device)  # (b, k-1)
    return y, padded.gather(1, last.unsqueeze(-1).expand(b, k - 1, c)).transpose(1, 2)


def causal_conv_step(
    x: Tensor, weight: Tensor, bias: Tensor, state: Tensor, *, reuse: bool = False, backend: str = "auto"
) -> tuple[Tensor, Tensor]:
    """One step: x (b, c), state (b, c, k-1) -> y (b, c), new state.

    Args:
        reuse: the old state must not be used again and may be written over; for use without gradient.
        backend: as in `causal_conv`; the kernel has no gradient and is asked only where none is wanted.
    """
    if not torch.is_grad_enabled() and kernels.chosen(backend, x, weight):
        return kernels.conv_step(x, weight, bias, state, reuse=reuse)
    window = torch.cat([state, x.unsqueeze(-1)], -1)  # (b, c, k)
    return F.silu((window * weight.squeeze(1)).sum(-1) + bias), window[..., 1:]


def _ends(x: Tensor, initial: Tensor | None, lengths: Tensor, k: int) -> Tensor:
    """The last k-1 valid inputs of each row, (b, c, k-1), without the copy of x that puts `initial` before it."""
    b, _, c = x.shape
    at = (lengths[:, None] + torch.arange(1 - k, 0, device=x.device)).unsqueeze(-1).expand(b, k - 1, c)
    ends = x.gather(1, at.clamp(min=0))
    if initial is None:
        before = torch.zeros_like(ends)
    else:
        before = initial.transpose(1, 2).to(x.dtype).gather(1, (at + k - 1).clamp(max=k - 2))
    return torch.where(at < 0, before, ends).transpose(1, 2)


class _ShiftedSum(torch.autograd.Function):
    """The convolution as k shifted multiply-adds: on a CPU half the time of `conv1d`, whose layout it also avoids."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        taps = weight.squeeze(1).t().contiguous()  # (k, c)
        s = padded.shape[1] - len(taps) + 1
        y = torch.addcmul(bias, padded[:, :s], taps[0])
        for j in range(1, len(taps)):
            y.addcmul_(padded[:, j : j + s], taps[j])
        ctx.save_for_backward(padded, taps, y)
        return F.silu(y)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        padded, taps, y = ctx.saved_tensors
        s = y.shape[1]
        grad = torch.ops.aten.silu_backward(grad, y)
        d_padded = torch.zeros_like(padded)
        d_taps = torch.empty_like(taps)
        for j in range(len(taps)):
            d_padded[:, j : j + s].addcmul_(grad, taps[j])
            d_taps[j] = (grad * padded[:, j : j + s]).sum((0, 1))
        return d_padded, d_taps.t().unsqueeze(1), grad.sum((0, 1))
