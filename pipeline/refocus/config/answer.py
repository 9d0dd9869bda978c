"""Settings of `answer`: which pixels the answering LMM sees, and for how many frames."""

from typing import Any, Literal

from pydantic import Field

from refocus.config.base import LmmRuntime, Section

Extractor = Literal["lmms_eval", "authors"]  # whose way of finding a letter in a reply
REPLIES = 2  # raised when the same settings give other generated replies or read them otherwise; not with likelihoods


class AnswerRuntime(LmmRuntime):
    """How answers are made, and when there are too few of them to count."""

    max_failure_rate: float = Field(
        0.05,
        ge=0,
        le=1,
        description="share of the videos with picked frames that may be missing or unreadable before the job fails",
    )


class AnswerSettings(Section):
    """How picked frames become answers."""

    version: int = Field(1, description="raised when the same settings give other answers")
    pixels: Literal["native", "shard"] = Field(
        "native",
        description="native: picked frames are decoded from the video at the LMM's own size; shard: the stored frames "
        "are resized to it",
    )
    method: Literal["likelihood", "generation"] = Field(
        "likelihood",
        description="likelihood: the option whose letter is likeliest after `Answer:`; generation: a greedy reply, in "
        "which a letter is looked for, or the answer to a question without options, which is asked in no other way",
    )
    extractor: Extractor = Field(
        "lmms_eval",
        description="whose way of finding the letter in a generated reply: lmms_eval (0.7.2) or authors (the "
        "benchmark's own); the replies are stored, so `tables.extractor` counts them by the other one without asking "
        "again",
    )
    max_new_tokens: int = Field(
        16, ge=1, description="tokens of a generated reply; lmms-eval: 16 for Video-MME, 1024 for Video-MMMU"
    )
    n_frames: tuple[int, ...] = Field(
        (4, 8, 32), min_length=1, description="numbers of frames per question to pick and to answer with (Table 4)"
    )
    runtime: AnswerRuntime = Field(AnswerRuntime(), description="changes no answer")

    def identity(self) -> dict[str, Any]:
        """What decides one answer: not how many other numbers of frames are asked for beside it.

        What decides generated replies is left out where none are made.
        """
        generated = {"method", "extractor", "max_new_tokens"}
        if self.method == "likelihood":
            return self.model_dump(mode="json", exclude={"runtime", "n_frames", *generated})
        return {**self.model_dump(mode="json", exclude={"runtime", "n_frames"}), "replies": REPLIES}
