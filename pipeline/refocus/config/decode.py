"""Settings of `refocus decode` (stage 2; paper 4.1 and Table 5: min(4 fps, 512) frames at 384x384)."""

from typing import Literal

from pydantic import Field, model_validator

from refocus.config.base import Runtime, Section
from refocus.core.files import digest

_TOLERANCE = {"max_failure_rate", "tolerated_failures"}
_COMPRESSION = {"jpeg": {"quality"}, "video": {"crf", "gop"}}


class DecodeRuntime(Runtime):
    """How frames are decoded; never what they are, but for the last bits that another backend gives them."""

    backend: Literal["pyav", "decord"] = Field(
        "pyav", description="decoder: pyav, or decord for comparison: its frames differ a little and are stored apart"
    )
    workers: int | None = Field(None, ge=1, description="decoding processes, one core each; null = every core there is")
    timeout_s: float = Field(60.0, gt=0, description="seconds without a packet read or decoded that end a clip")
    memory_mb: int | None = Field(4096, ge=256, description="address space of a decoding process, MB; null = no limit")


class DecodeSettings(Section):
    """Which frames of a clip are stored, and how."""

    version: int = Field(3, ge=1, description="raised when the code's results change; part of the store's key")
    fps: float = Field(4.0, gt=0, description="frames per second of a clip, at most")
    max_frames: int = Field(512, ge=1, description="frames of a clip, at most: longer clips are sampled more thinly")
    size: int = Field(384, ge=16, le=4096, description="stored frames are size x size pixels")
    storage: Literal["jpeg", "video"] = Field(
        "jpeg", description="jpeg: one file per frame, cheapest to read; video: one H.264 video per clip, far smaller"
    )
    quality: int = Field(90, ge=1, le=100, description="JPEG quality (4:2:0); frames: jpeg")
    crf: int = Field(26, ge=0, le=51, description="H.264 rate factor, lower is better and larger; frames: video")
    gop: int = Field(16, ge=1, le=250, description="frames from key frame to key frame; frames: video")
    resize: Literal["squash", "pad", "crop"] = Field(
        "squash",
        description="how a frame becomes square (bicubic, antialiased): squash stretches it, pad keeps all of it on "
        "black, crop fills the square with its middle",
    )
    max_failure_rate: float = Field(
        0.05, ge=0, le=1, description="share of a shard's clips that may fail before the job fails"
    )
    tolerated_failures: int = Field(
        3, ge=0, description="failed clips of a shard that never fail the job, whatever their share"
    )
    runtime: DecodeRuntime = Field(DecodeRuntime(), description="how frames are decoded")

    @model_validator(mode="after")
    def _even(self) -> "DecodeSettings":
        if self.storage == "video" and self.size % 2:
            raise ValueError(f"size: storage: video needs an even size, not {self.size}")
        return self

    def fingerprint(self) -> str:
        """12 hex digits that change when the stored frames would.

        How many failures are tolerated does not count, nor does the compression of the storage that is not used.
        """
        aside = _TOLERANCE | _COMPRESSION["jpeg" if self.storage == "video" else "video"]
        deciding = {key: value for key, value in self.identity().items() if key not in aside}
        if self.runtime.backend != "pyav":  # another decoder's pixels must not mix with these
            deciding["backend"] = self.runtime.backend
        return digest(deciding)
