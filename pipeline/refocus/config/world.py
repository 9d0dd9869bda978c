"""Settings of the synthetic world: how many videos and questions, and from which seed."""

from pydantic import Field

from refocus.config.base import Runtime, Section


class WorldRuntime(Runtime):
    """How the world is rendered."""

    workers: int = Field(2, ge=1, description="processes that render videos; the job's threads cap it")


class WorldSettings(Section):
    """The videos and question files that `refocus world` writes; equal settings give equal bytes."""

    version: int = Field(2, ge=1, description="raised when the same settings would draw something else")
    seed: int = Field(0, ge=0, description="everything is drawn from it; another seed is another world")
    training_videos: int = Field(120, ge=2, description="training videos, half as nextqa and half as llava_video")
    benchmark_videos: int = Field(60, ge=4, description="held-out videos, half as videomme and half as mlvu")
    moments: int = Field(5, ge=1, description="questions about a moment per training video")
    statics: int = Field(1, ge=0, le=2, description="questions that any frame answers, per training video")
    runtime: WorldRuntime = Field(WorldRuntime(), description="how it runs; never part of the result")
