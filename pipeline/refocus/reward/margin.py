"""The confidence margin (paper Eq. 1 and 5): r = tanh((z_right − max z_other) / 2), in [−1, 1].

r rows · o options · v letter variants
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from refocus.lmm.option_scorer import option_logits


def margin(logits: Sequence[float] | Tensor, answer_index: int) -> float:
    """Eq. 5 for one question.

    Args:
        logits: (o,) option logits, two or more.
        answer_index: the right option.
    Returns:
        Positive if the right option wins, in [−1, 1]; NaN if a logit is NaN or infinite.
    Raises:
        ValueError: fewer than two options, or the answer is not one of them.
    """
    values = [float(value) for value in logits]
    if len(values) < 2 or not 0 <= answer_index < len(values):
        raise ValueError(f"no margin for answer {answer_index} of {len(values)} options")
    if not all(math.isfinite(value) for value in values):
        return math.nan
    other = max(value for index, value in enumerate(values) if index != answer_index)
    return math.tanh((values[answer_index] - other) / 2)


def margins(logits: Tensor, answers: Tensor) -> Tensor:
    """Eq. 5 for many rows at once.

    Args:
        logits: (…, o) option logits, −inf where a row has no such option.
        answers: (…) long, the right options.
    Returns:
        (…) in the type of `logits`.
    """
    right = logits.gather(-1, answers.unsqueeze(-1)).squeeze(-1)
    other = logits.scatter(-1, answers.unsqueeze(-1), -torch.inf).amax(-1)
    return torch.tanh((right - other) / 2)


def row_margins(raw: Sequence[Tensor], answers: Sequence[int]) -> Tensor:
    """The margins (r,) of what `Lmm.score` returned: raw letter logits (o, v) per row, right options per row."""
    padded = torch.nn.utils.rnn.pad_sequence(
        [option_logits(row) for row in raw], batch_first=True, padding_value=-torch.inf
    )
    return margins(padded, torch.as_tensor(answers, dtype=torch.long))
