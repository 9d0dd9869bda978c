"""Frame-selection heads (paper section 3.2, Algorithm 2, B.2, B.5).

q questions · m latents per question · t frames · d model width
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refocus.policy.config import PolicyConfig

SCALES = {"plain": lambda x: x, "softplus": F.softplus, "exp": torch.exp}
INVERSES = {"plain": lambda x: x, "softplus": lambda x: torch.log(torch.expm1(x)), "exp": torch.log}
NORM_EPS = 1e-6  # the released class's


class Head(nn.Linear):
    """A projection of hidden states, normalised over its features in some of the released class's variants.

    `factor` multiplies the features of a normalised value.
    """

    def __init__(self, width: int, bias: bool, norm: str, factor: bool = False):
        super().__init__(width, width, bias=bias)
        self.norm = norm
        self.factor = nn.Parameter(torch.ones(width)) if factor else None

    def forward(self, x: Tensor) -> Tensor:
        """(…, d) -> (…, d)."""
        y = super().forward(x)
        if self.norm == "l2":
            y = F.normalize(y, dim=-1, eps=NORM_EPS)
        elif self.norm == "rms":
            y = F.rms_norm(y, y.shape[-1:], eps=NORM_EPS)
        return y if self.factor is None else y * self.factor


class SelectionHeads(nn.Module):
    """Scores every frame of a clip against the current latent, and feeds the picked frame back.

    Keys and values come from the hidden state at each frame's last token, so all questions of a clip share them.
    """

    def __init__(self, config: PolicyConfig):
        super().__init__()
        d = config.width
        self.key = Head(d, False, config.score_norm)
        self.query = Head(d, False, config.score_norm)
        self.value = Head(d, True, config.value_norm, factor=config.value_norm != "none")
        self.scale = nn.Parameter(torch.empty(d if config.scale_shape == "vector" else ()))
        self.kind = config.scale
        self.set_scale(1.0)
        self.divisor = math.sqrt(d) if config.attention_scaling else 1.0

    @torch.no_grad()
    def set_scale(self, value: float) -> None:
        """Makes `value` the factor of the scores (B.2), whatever function of the parameter the factor is."""
        self.scale.fill_(INVERSES[self.kind](torch.tensor(value, dtype=torch.float64, device="cpu")).item())

    def scores(self, keys: Tensor, latents: Tensor) -> Tensor:
        """Unmasked logits of Algorithm 2.

        Args:
            keys: (q, t, d) key projections of the frames.
            latents: (q, m, d) backbone outputs.
        Returns:
            (q, m, t), at least float32.
        """
        query = self.query(latents) * (SCALES[self.kind](self.scale) / self.divisor)
        logits = query @ keys.transpose(1, 2)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))


def log_policy(logits: Tensor, available: Tensor, temperature: float = 1.0) -> Tensor:
    """Log-probabilities over the frames still available, -inf elsewhere; all -inf where none is left."""
    logits = (logits / temperature).masked_fill(~available, -torch.inf)
    empty = ~available.any(-1, keepdim=True)
    return logits.masked_fill(empty, 0.0).log_softmax(-1).masked_fill(~available, -torch.inf)


def entropy(log_probs: Tensor) -> Tensor:
    """Eq. 6 in nats over the last dimension; frames with probability zero add nothing, to the gradient neither."""
    available = log_probs > -torch.inf
    safe = log_probs.masked_fill(~available, 0.0)
    return -(safe.exp() * safe).masked_fill(~available, 0.0).sum(-1)
