"""How many tokens prompts have: counted with the LMM's tokenizer where its folder is here, else assumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from refocus.config.plan import PlanSettings
from refocus.core.model_folder import local_folder
from refocus.lmm.prompts import CONTEXT, Prompt, internvl_prefix, internvl_suffix
from refocus.plan.model_shapes import LmmShape

N = TypeVar("N", float, np.ndarray)  # one question, or many at once

OPTION_TOKENS = 3  # a letter, a full stop, a newline


@dataclass(frozen=True)
class PromptTokens:
    """Tokens of the prompts of one LMM.

    starts: tokens before frame i+1 for i = 0 … n. The rest estimates the tokens after the frames.
    """

    starts: tuple[int, ...]
    fixed: float
    per_option: float
    per_character: float
    tokenizer: Any = None  # a tokenizers.Tokenizer, or None

    def suffix(self, characters: N, options: N) -> N:
        """Tokens of a question with so many characters (options included) and options, estimated."""
        return self.fixed + self.per_option * options + self.per_character * characters

    def count(self, prompt: Prompt) -> int | None:
        """Tokens of a question, counted; None without a tokenizer."""
        return None if self.tokenizer is None else _length(self.tokenizer, internvl_suffix(prompt))

    def scale(self, prompts: Sequence[Prompt]) -> float:
        """What the estimates of these prompts are to be multiplied by to fit their counts; 1 without a tokenizer."""
        if self.tokenizer is None or not prompts:
            return 1.0
        estimated = sum(self.suffix(_characters(prompt), len(prompt.options)) for prompt in prompts)
        return sum(_length(self.tokenizer, internvl_suffix(prompt)) for prompt in prompts) / estimated


def prompt_tokens(path: str, shape: LmmShape, n_frames: int, settings: PlanSettings) -> PromptTokens:
    """The prompt tokens of an LMM (a folder or hub id) for up to `n_frames` frames."""
    folder = local_folder(path)
    tokenizer = None
    if folder is not None and (folder / "tokenizer.json").is_file() and shape.frame_text:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        lengths = [_length(tokenizer, internvl_prefix(n, 1)) for n in range(n_frames + 1)]
        starts = tuple(
            length + n * (shape.frame_tokens - _length(tokenizer, CONTEXT)) for n, length in enumerate(lengths)
        )
    else:
        text = settings.frame_text_tokens if shape.frame_text else 0
        starts = tuple(settings.system_tokens + n * (shape.frame_tokens + text) for n in range(n_frames + 1))
    return PromptTokens(
        starts,
        fixed=settings.suffix_text_tokens,
        per_option=OPTION_TOKENS,
        per_character=1 / settings.characters_per_token,
        tokenizer=tokenizer,
    )


def _length(tokenizer: Any, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def _characters(prompt: Prompt) -> int:
    return len(prompt.question) + sum(map(len, prompt.options))
