"""Settings of `niah`: visual needles in haystacks (V-NIAH) rendered by the synthetic world."""

from typing import Annotated

from pydantic import Field

from refocus.config.base import Section
from refocus.config.world import WorldRuntime


class NiahSettings(Section):
    """The videos that `refocus niah` writes, and the map that is drawn of them; equal settings give equal bytes."""

    version: int = Field(1, ge=1, description="raised when the same settings draw other videos")
    seed: int = Field(0, ge=0, description="seed of everything that is drawn")
    lengths: tuple[Annotated[int, Field(ge=64, le=512)], ...] = Field(
        (64, 128, 256, 512), min_length=1, description="kept frames of a video, needle included (at 4 fps)"
    )
    depths: int = Field(8, ge=1, description="parts that the needle's place in the video is told apart by")
    videos: int = Field(4, ge=1, description="videos per length and part, each with a haystack and a needle of its own")
    needle_frames: int = Field(8, ge=1, le=32, description="kept frames that show the needle")
    runtime: WorldRuntime = Field(WorldRuntime(), description="changes no video")
