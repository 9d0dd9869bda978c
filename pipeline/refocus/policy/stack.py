"""The Mamba-2 backbone with states in and out: `(x, state) -> (y, state)`, differentiable through both.

b sequences · s steps · d width · e inner width · h heads of width p · g groups · n state size · k convolution width

Parameters have the names, order and initialisation of mamba_ssm's `Mamba2` inside its pre-norm blocks, so its public
checkpoints load as they are.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.policy import kernels
from refocus.policy.checkpointing import Checkpointing, run_cells
from refocus.policy.config import PolicyConfig
from refocus.policy.conv import CausalConv, causal_conv, causal_conv_step
from refocus.policy.module_list import ModulesOf
from refocus.policy.ssd import ssd, ssd_step

DT_RANGE = (1e-3, 1e-1)
DT_FLOOR = 1e-4
A_RANGE = (1.0, 16.0)
EVERY = slice(None)


@dataclasses.dataclass(frozen=True)
class StackState:
    """What a stack remembers of everything before: per layer the convolution's last inputs and the scan's state."""

    conv: tuple[Tensor, ...]  # (b, e + 2 g n, k - 1) each
    ssm: tuple[Tensor, ...]  # (b, h, p, n) each

    @property
    def rows(self) -> int:
        """Sequences it is the state of."""
        return self.ssm[0].shape[0]

    def expand(self, index: int | Tensor) -> "StackState":
        """Copies rows: an int repeats each row that often in place, a long tensor names the rows to take."""
        if isinstance(index, int):
            return self._map(lambda t: t.repeat_interleave(index, 0))
        return self._map(lambda t: t.index_select(0, index))

    def detach(self) -> "StackState":
        """The same values, without gradient."""
        return self._map(Tensor.detach)

    def _map(self, change: Callable[[Tensor], Tensor]) -> "StackState":
        return StackState(tuple(change(t) for t in self.conv), tuple(change(t) for t in self.ssm))


class RMSNorm(nn.Module):
    """x / rms(x) · weight over groups of the last dimension; with a gate, of x · silu(gate) as in Mamba-2."""

    def __init__(self, width: int, eps: float, groups: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps
        self.groups = groups

    def forward(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        wide = _wide(x.dtype)
        y = x.to(wide)
        if gate is not None:
            y = y * F.silu(gate.to(wide))
        if self.groups == 1:
            return F.rms_norm(y, y.shape[-1:], self.weight.to(wide), self.eps).to(x.dtype)
        parts = y.unflatten(-1, (self.groups, -1))
        return (F.rms_norm(parts, parts.shape[-1:], None, self.eps).flatten(-2) * self.weight).to(x.dtype)


class Mixer(nn.Module):
    """Mamba-2's sequence mixer. `in_proj` gives [z, x, B, C, dt]; x, B, C pass the convolution, z gates the output."""

    def __init__(self, config: PolicyConfig):
        super().__init__()
        self.inner, self.heads, self.head_dim = config.inner, config.heads, config.head_dim
        self.groups, self.state, self.chunk = config.groups, config.state, config.chunk
        channels = config.conv_channels
        self.in_proj = nn.Linear(config.width, config.inner + channels + config.heads, bias=False)
        self.conv1d = CausalConv(channels, channels, config.conv, groups=channels)
        self.dt_bias = nn.Parameter(torch.empty(config.heads))
        self.A_log = nn.Parameter(torch.empty(config.heads))
        self.D = nn.Parameter(torch.empty(config.heads))
        self.norm = RMSNorm(config.inner, config.norm_eps, config.groups)
        self.out_proj = nn.Linear(config.inner, config.width, bias=False)
        self.splits = [config.inner, channels, config.heads]
        self.backend = "auto"
        self.reset_parameters(config.layers)

    @torch.no_grad()
    def reset_parameters(self, layers: int) -> None:
        """The reference initialisation; `out_proj` is divided by sqrt(layers), the depth of the residual path."""
        self.in_proj.reset_parameters()
        self.conv1d.reset_parameters()
        self.out_proj.reset_parameters()
        self.out_proj.weight /= math.sqrt(layers)
        low, high = (math.log(v) for v in DT_RANGE)
        dt = torch.exp(torch.rand(self.heads) * (high - low) + low).clamp(min=DT_FLOOR)
        self.dt_bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # softplus(dt_bias) = dt
        self.A_log.copy_(torch.empty(self.heads).uniform_(*A_RANGE).log())
        self.D.fill_(1.0)
        self.norm.weight.fill_(1.0)

    def forward(
        self, u: Tensor, conv: Tensor | None, ssm: Tensor | None, lengths: Tensor | None, want_state: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """u (b, s, d) and the states before it -> (b, s, d) and the states after it (None unless wanted)."""
        b, s, _ = u.shape
        z, xbc, dt = self.in_proj(u).split(self.splits, -1)
        if conv is not None and conv.shape[0] != b:
            conv = conv.repeat_interleave(b // conv.shape[0], 0)
        xbc, conv = causal_conv(
            xbc,
            self.conv1d.weight,
            self.conv1d.bias,
            initial=conv,
            lengths=lengths,
            want_final=want_state,
            backend=self.backend,
        )
        x, B, C = xbc.split([self.inner, self.groups * self.state, self.groups * self.state], -1)
        dt = F.softplus(dt.to(_wide(dt.dtype)) + self.dt_bias)
        if lengths is not None:
            valid = torch.arange(s, device=u.device) < lengths[:, None]
            dt = dt * valid.unsqueeze(-1)
        y, ssm = ssd(
            x.reshape(b, s, self.heads, self.head_dim),
            dt,
            -self.A_log.to(dt.dtype).exp(),
            B.reshape(b, s, self.groups, self.state),
            C.reshape(b, s, self.groups, self.state),
            self.D.to(dt.dtype),
            chunk=self.chunk,
            initial=ssm,
            want_final=want_state,
            backend=self.backend,
        )
        y = self.norm(y.flatten(-2), z)
        return self.out_proj(y.to(u.dtype)), conv, ssm

    def step(
        self, u: Tensor, conv: Tensor, ssm: Tensor, want_state: bool, reuse: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """One step: u (b, d) -> (b, d), with the states before and after it."""
        b = u.shape[0]
        if conv.shape[0] != b:
            conv = conv.repeat_interleave(b // conv.shape[0], 0)
        z, xbc, dt = self.in_proj(u).split(self.splits, -1)
        xbc, conv = causal_conv_step(xbc, self.conv1d.weight, self.conv1d.bias, conv, reuse=reuse, backend=self.backend)
        x, B, C = xbc.split([self.inner, self.groups * self.state, self.groups * self.state], -1)
        dt = F.softplus(dt.to(_wide(dt.dtype)) + self.dt_bias)
        y, after = ssd_step(
            x.reshape(b, self.heads, self.head_dim),
            dt,
            -self.A_log.to(dt.dtype).exp(),
            B.reshape(b, self.groups, self.state),
            C.reshape(b, self.groups, self.state),
            self.D.to(dt.dtype),
            ssm,
            want_state=want_state,
            reuse=reuse,
            backend=self.backend,
        )
        y = self.norm(y.flatten(-2), z)
        return self.out_proj(y.to(u.dtype)), conv, after


class Block(nn.Module):
    """x + mixer(norm(x))."""

    def __init__(self, config: PolicyConfig):
        super().__init__()
        self.norm = RMSNorm(config.width, config.norm_eps)
        self.mixer = Mixer(config)

    @property
    def backend(self) -> str:
        """What runs the scan and the convolution, see `Stack.use`."""
        return self.mixer.backend

    def forward(
        self, x: Tensor, conv: Tensor | None, ssm: Tensor | None, lengths: Tensor | None, want_state: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        y, conv, ssm = self.mixer(self.norm(x), conv, ssm, lengths, want_state)
        return x + y, conv, ssm

    def step(
        self, x: Tensor, conv: Tensor, ssm: Tensor, want_state: bool, reuse: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        y, conv, after = self.mixer.step(self.norm(x), conv, ssm, want_state, reuse)
        return x + y, conv, after


class Stack(nn.Module):
    """The blocks, the final norm and the token embedding: mamba_ssm's `backbone`.

    Attributes:
        checkpointing: what passes with gradient keep for the backward pass; everything, unless it is replaced.
        tokens: row-steps through the layers so far, padding included, what the backward pass computes again left out.
    """

    def __init__(self, config: PolicyConfig):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab, config.width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers: ModulesOf[Block] = ModulesOf(Block(config) for _ in range(config.layers))
        self.norm_f = RMSNorm(config.width, config.norm_eps)
        self.chunk = config.chunk
        self.checkpointing = Checkpointing()
        self.tokens = 0

    def use(self, backend: str) -> None:
        """Sets the back end of the scan and the convolution: auto, torch or kernels, see `refocus.policy.kernels`.

        Raises:
            ResourceMissing: "kernels" on a GPU where the packages do not load.
        """
        kernels.chosen(backend, self.embedding.weight)
        for layer in self.layers:
            layer.mixer.backend = backend

    def forward(
        self,
        x: Tensor,
        state: StackState | None = None,
        *,
        lengths: Tensor | None = None,
        want_state: bool = True,
        at: slice = EVERY,
    ) -> tuple[Tensor, StackState | None]:
        """Runs embeddings through the backbone.

        Args:
            x: (b, s, d), right-padded where rows differ.
            state: what came before, or None for nothing. It may have fewer rows than x: each then serves the same
                number of consecutive rows of x, without being copied for the scan.
            lengths: (b,) valid steps; padding changes neither the valid outputs nor the final state.
            want_state: False saves computing the final state.
            at: the steps whose outputs are wanted, a slice of positive stride; the others are not kept.
        Returns:
            Normed outputs (b, s at `at`, d) and the state after the last valid step.
        """
        if x.shape[1] == 1 and state is not None and lengths is None and at == EVERY:
            y, after = self.step(x.squeeze(1), state, want_state=want_state)
            return y.unsqueeze(1), after
        self.tokens += x.shape[0] * x.shape[1]
        nothing = (None,) * len(self.layers)
        conv, ssm = (nothing, nothing) if state is None else (state.conv, state.ssm)
        cells = self.checkpointing.choose(list(self.layers), x, self.chunk) if torch.is_grad_enabled() else None
        if cells is None:
            y, conv_after, ssm_after = self._cell(slice(0, len(self.layers)), x, conv, ssm, lengths, want_state, at)
        else:
            y, conv_after, ssm_after = run_cells(self._cell, cells, x, conv, ssm, lengths, want_state, at)
        return y, StackState(conv_after, ssm_after) if want_state else None

    def _cell(
        self,
        group: slice,
        x: Tensor,
        conv: tuple[Tensor | None, ...],
        ssm: tuple[Tensor | None, ...],
        lengths: Tensor | None,
        want_state: bool,
        at: slice,
    ) -> tuple[Tensor, tuple[Any, ...], tuple[Any, ...]]:
        """Some layers over some steps from these layers' states; after the last layer, normed and `at` only."""
        conv_after, ssm_after = [], []
        for layer, conv_before, ssm_before in zip(self.layers[group], conv, ssm, strict=True):
            x, conv_state, ssm_state = layer(x, conv_before, ssm_before, lengths, want_state)
            conv_after.append(conv_state)
            ssm_after.append(ssm_state)
        if group.stop == len(self.layers):
            x = self.norm_f(x[:, at].contiguous())
        return x, tuple(conv_after), tuple(ssm_after)

    def step(
        self, x: Tensor, state: StackState, *, want_state: bool = True, reuse: bool = False
    ) -> tuple[Tensor, StackState | None]:
        """One step for every row, as `forward` on (b, 1, d).

        Args:
            x: (b, d).
            state: with as many rows, or fewer that are shared as in `forward`.
            want_state: False saves computing the next state.
            reuse: write the next state over `state`, which must not be used again; for use without gradient.
        Returns:
            Normed outputs (b, d) and the next state.
        """
        self.tokens += len(x)
        convs, ssms = [], []
        for layer, conv, ssm in zip(self.layers, state.conv, state.ssm, strict=True):
            x, conv, after = layer.step(x, conv, ssm, want_state, reuse)
            if after is not None:
                convs.append(conv)
                ssms.append(after)
        return self.norm_f(x), StackState(tuple(convs), tuple(ssms)) if want_state else None


def _wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype norms and scans compute in: never narrower than float32."""
    return torch.promote_types(dtype, torch.float32)
