"""Settings of `answer`: which pixels the answering LMM sees, and for how many frames."""

from typing import Any, Literal

from pydantic import Field

from refocus.config.base import LmmRuntime, Section


class AnswerSettings(Section):
    """How picked frames become answers."""

    version: int = Field(1, description="raised when the same settings give other answers")
    pixels: Literal["native", "shard"] = Field(
        "native",
        description="native: picked frames are decoded from the video at the LMM's own size; shard: the stored frames "
        "are resized to it",
    )
    n_frames: tuple[int, ...] = Field(
        (4, 8, 32), min_length=1, description="numbers of frames per question to pick and to answer with (Table 4)"
    )
    runtime: LmmRuntime = Field(LmmRuntime(), description="changes no answer")

    def identity(self) -> dict[str, Any]:
        """What decides one answer: not how many other numbers of frames are asked for beside it."""
        return self.model_dump(mode="json", exclude={"runtime", "n_frames"})
