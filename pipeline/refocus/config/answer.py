"""Settings of `answer`: which pixels the answering LMM sees, and for how many frames."""

from typing import Any, Literal

from pydantic import Field

from refocus.config.base import Runtime, Section


class AnswerRuntime(Runtime):
    """How answering runs."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the LMM runs: auto, cpu or cuda")
    threads: int = Field(1, ge=1, description="torch threads; more than the free cores makes it much slower")
    batch_tokens: int | None = Field(
        None, ge=1, description="most tokens computed or held at once; null: what free memory allows"
    )


class AnswerSettings(Section):
    """How picked frames become answers."""

    version: int = Field(1, description="raised when the answers of the same settings change")
    frames: Literal["native", "shard"] = Field(
        "native",
        description="native: decode the picked frames from the video at the LMM's size; shard: resize the stored ones",
    )
    frames_list: tuple[int, ...] = Field(
        (4, 8, 32), min_length=1, description="numbers of frames answered with (Table 4)"
    )
    budget: int = Field(32, ge=1, description="the number of frames of Table 1; one of frames_list")
    runtime: AnswerRuntime = Field(
        AnswerRuntime(), description="device, threads, batch size; never changes the answers"
    )

    def identity(self) -> dict[str, Any]:
        """What decides one answer: not how many other numbers of frames are asked for beside it."""
        return self.model_dump(mode="json", exclude={"runtime", "frames_list", "budget"})
