"""The reward LMM's multiple-choice prompt (paper B.6.1): a prefix of frames and a suffix of question and options.

The prefix is the same for all questions on the same frames; InternVL's ends after the newline that follows the last
`</img>`, LLaVA-OneVision's after the tokens of the last frame. LLaVA-OneVision is asked the same in the words of its
own chat template.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from refocus.core.errors import RefocusError

if TYPE_CHECKING:
    from refocus.qa.records import Question

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONTEXT = "<IMG_CONTEXT>"
VIDEO = "<video>"
SYSTEM = (
    "You are a helpful assistant. Please choose the correct answer to the multiple-choice question regarding a video. "
    "The answer must be a single uppercase letter."
)


@dataclass(frozen=True)
class Prompt:
    """A question and its options without letters; open questions have none."""

    question: str
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, question: "Question") -> "Prompt":
        """What a model is asked of a question."""
        return cls(question.question, tuple(question.options))


def option_lines(options: tuple[str, ...]) -> list[str]:
    """`A. first`, `B. second`, …

    Raises:
        RefocusError: more options than letters.
    """
    if len(options) > len(LETTERS):
        raise RefocusError(f"a question has {len(options)} options; letters reach {len(LETTERS)}")
    return [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]


def internvl_prefix(n_frames: int, tokens_per_frame: int) -> str:
    """System message and frames, in the order given, numbered from 1."""
    frames = "".join(f"Frame{i}: <img>{CONTEXT * tokens_per_frame}</img>\n" for i in range(1, n_frames + 1))
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{frames}"


def internvl_suffix(prompt: Prompt) -> str:
    """Question, options and the opened answer, whose next token is the option's letter."""
    return _asked(prompt)


def internvl_prompt(prompt: Prompt, n_frames: int, tokens_per_frame: int) -> str:
    """The whole prompt: `internvl_prefix` followed by `internvl_suffix`."""
    return internvl_prefix(n_frames, tokens_per_frame) + internvl_suffix(prompt)


def onevision_prefix(n_frames: int, tokens_per_frame: int) -> str:
    """System message and frames, in the order given, as one video."""
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{VIDEO * (n_frames * tokens_per_frame)}"


def onevision_suffix(prompt: Prompt) -> str:
    """The newline that ends a video, then question, options and the opened answer."""
    return f"{VIDEO}\n{_asked(prompt)}"


def onevision_prompt(prompt: Prompt, n_frames: int, tokens_per_frame: int) -> str:
    """The whole prompt: `onevision_prefix` followed by `onevision_suffix`."""
    return onevision_prefix(n_frames, tokens_per_frame) + onevision_suffix(prompt)


def _asked(prompt: Prompt) -> str:
    lines = [prompt.question.strip(), "Options:", *option_lines(prompt.options)]
    return "\n".join(lines) + "<|im_end|>\n<|im_start|>assistant\nAnswer:"
