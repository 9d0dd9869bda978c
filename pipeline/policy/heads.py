"""Frame-selection heads (paper section 3.2, Algorithm 2, B.2, B.5).

q questions · m latents per question · t frames · d model width
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.policy.config import PolicyConfig


class SelectionHeads(nn.Module):
    """Scores every frame of a clip against the current latent, and feeds the picked frame back.

    Keys and values come from the hidden state at each frame's last token, so all questions of a clip share them.
    """

    def __init__(self, config: PolicyConfig):
        super().__init__()
        d = config.width
        self.key = nn.Linear(d, d, bias=False)
        self.query = nn.Linear(d, d, bias=False)
        self.value = nn.Linear(d, d)
        self.scale = nn.Parameter(torch.ones(()))
        self.softplus = config.scale == "softplus"
        self.divisor = math.sqrt(d) if config.attention_scaling else 1.0

    def scores(self, keys: Tensor, latents: Tensor) -> Tensor:
        """Unmasked logits of Algorithm 2.

        Args:
            keys: (q, t, d) key projections of the frames.
            latents: (q, m, d) backbone outputs.
        Returns:
            (q, m, t), at least float32.
        """
        scale = F.softplus(self.scale) if self.softplus else self.scale
        query = self.query(latents) * (scale / self.divisor)
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
