"""Settings of the synthetic world: how many videos and questions, and from which seed."""

from pydantic import Field

from refocus.config.base import Runtime, Section


class WorldRuntime(Runtime):
    """How the world is rendered."""

    workers: int = Field(2, ge=1, description="processes that render videos, no more than the job's threads")


class WorldSettings(Section):
    """The videos and question files that `refocus world` writes; equal settings give equal bytes."""

    version: int = Field(3, ge=1, description="raised when the same settings draw another world")
    seed: int = Field(0, ge=0, description="seed of everything that is drawn")
    training_videos: int = Field(
        120, ge=2, description="training videos, half in nextqa's format and half in llava_video's"
    )
    benchmark_videos: int = Field(60, ge=4, description="held-out videos, half in videomme's format and half in mlvu's")
    moments: int = Field(3, ge=1, description="questions per training video that depend on one moment")
    sequences: int = Field(4, ge=0, description="questions per training video that need two moments together")
    statics: int = Field(1, ge=0, le=2, description="questions per training video that any frame answers")
    runtime: WorldRuntime = Field(WorldRuntime(), description="changes no video")
