"""Tokens of the frames of a prompt, which follow its opening one by one.

n tokens of one frame · p of them its features
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from refocus.core.errors import RefocusError
from refocus.lmm.family import Family

KNOWN = 4096  # frames whose tokens are kept


@dataclass(frozen=True)
class FrameTokens:
    """One frame: its token ids (n,), and at which of them its features stand (p,)."""

    ids: Tensor
    slots: Tensor

    @property
    def lead(self) -> int:
        """Text tokens before the features."""
        return int(self.slots[0])

    @property
    def tail(self) -> int:
        """Text tokens after the features."""
        return len(self.ids) - 1 - int(self.slots[-1])


class FrameText:
    """Frames as a family's prompt has them.

    Args:
        tokens: text to token ids. context: id of the token that features replace. device: where ids are put.
    """

    def __init__(
        self, family: Family, tokens: Callable[[str], list[int]], per_frame: int, context: int, device: torch.device
    ) -> None:
        self._family, self._tokens, self._per_frame = family, tokens, per_frame
        self._context, self._device = context, device
        self._of = lru_cache(KNOWN)(self._tokenise)
        self._checked = 0
        self.opening = tokens(family.opening())  # the system message opens every prompt

    def frame(self, place: int, time_s: float) -> FrameTokens:
        """The frame at a place of the prompt, shown at a second of the video."""
        return self._of(self._family.frame(place, time_s, self._per_frame))

    def lengths(self, times_s: Sequence[float]) -> tuple[int, ...]:
        """Tokens of every frame of a prompt.

        Raises:
            RefocusError: the tokenizer does not belong to the model, or its tokens reach over the ends of frames.
        """
        found = tuple(len(self.frame(place, second).ids) for place, second in enumerate(times_s))
        if len(found) > self._checked:
            self._checked = len(found)
            whole = self._tokens(self._family.prefix(len(found), self._per_frame, times_s))
            if len(whole) != len(self.opening) + sum(found):  # or sharing them would change the result
                raise RefocusError("the tokenizer merges frames with their neighbours: their prefixes cannot be shared")
        return found

    def _tokenise(self, text: str) -> FrameTokens:
        ids = torch.tensor(self._tokens(text))
        slots = (ids == self._context).nonzero().flatten()
        if len(slots) != self._per_frame:
            raise RefocusError(
                f"the tokenizer gives {len(slots)} frame tokens for a frame of {self._per_frame}:"
                " it does not belong to this model"
            )
        return FrameTokens(ids.to(self._device), slots)
