"""The reward LMM's multiple-choice prompt (paper B.6.1): a prefix of frames and a suffix of question and options.

The prefix is the same for all questions on the same frames: an opening, then frame by frame. InternVL's ends after the
newline that follows the last `</img>`, the others' after the last frame. LLaVA-OneVision and the Qwen-VL models are
asked the same, the video in the place and between the marks that their own chat templates give it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from refocus.core.errors import RefocusError

if TYPE_CHECKING:
    from refocus.qa.records import Question

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONTEXT = "<IMG_CONTEXT>"
VIDEO = "<video>"
END_OF_TURN = "<|im_end|>"
VISION_START, VIDEO_PAD, VISION_END = "<|vision_start|>", "<|video_pad|>", "<|vision_end|>"
SYSTEM = (
    "You are a helpful assistant. Please choose the correct answer to the multiple-choice question regarding a video. "
    "The answer must be a single uppercase letter."
)
OPEN_ENDED = "This question has no options: answer with a number, a word or a short phrase instead of a letter."


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


def chat_opening() -> str:
    """The system message and the beginning of the user's."""
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"


def internvl_frame(place: int, tokens_per_frame: int) -> str:
    """The frame at a place of the prompt; places count from 0, their names from 1."""
    return f"Frame{place + 1}: <img>{CONTEXT * tokens_per_frame}</img>\n"


def internvl_prefix(n_frames: int, tokens_per_frame: int) -> str:
    """System message and frames, in the order given, numbered from 1."""
    return chat_opening() + "".join(internvl_frame(place, tokens_per_frame) for place in range(n_frames))


def internvl_suffix(prompt: Prompt) -> str:
    """What follows the last frame."""
    return asked(prompt)


def onevision_frame(tokens_per_frame: int) -> str:
    """One frame of the video."""
    return VIDEO * tokens_per_frame


def onevision_suffix(prompt: Prompt) -> str:
    """The newline that ends a video, then question, options and the opened answer."""
    return f"{VIDEO}\n{asked(prompt)}"


def qwen2_5_opening() -> str:
    """The opening up to where the video begins."""
    return chat_opening() + VISION_START


def qwen_frame(tokens_per_frame: int) -> str:
    """The tokens of one frame."""
    return VIDEO_PAD * tokens_per_frame


def qwen2_5_suffix(prompt: Prompt) -> str:
    """The end of the video, then question, options and the opened answer."""
    return VISION_END + asked(prompt)


def qwen3_frame(time_s: float, tokens_per_frame: int) -> str:
    """A frame behind its second, to a tenth."""
    return f"<{time_s:.1f} seconds>{VISION_START}{qwen_frame(tokens_per_frame)}{VISION_END}"


def asked(prompt: Prompt) -> str:
    """Question, options and the opened answer, whose next token is the option's letter.

    A question without options asks for a short answer, against the system message, which all questions share.
    """
    choice = ["Options:", *option_lines(prompt.options)] if prompt.options else [OPEN_ENDED]
    lines = [prompt.question.strip(), *choice]
    return "\n".join(lines) + "<|im_end|>\n<|im_start|>assistant\nAnswer:"
