"""Settings of `refocus decode` (stage 2; paper 4.1 and Table 5: min(4 fps, 512) frames at 384x384)."""

from typing import Any, Literal

from pydantic import Field, model_validator

from refocus.config.base import Runtime, Section
from refocus.core.files import canonical, digest

_TOLERANCE = {"max_failure_rate", "tolerated_failures"}
_COMPRESSION = {"jpeg": {"quality"}, "video": {"crf", "gop"}}


class DecodeRuntime(Runtime):
    """How frames are decoded; never what they are, but for the last bits that another backend gives them."""

    backend: Literal["pyav", "decord"] = Field(
        "pyav", description="decoder; decord is for comparison: its frames differ slightly and are stored apart"
    )
    workers: int | None = Field(
        None, ge=1, description="decoding processes, one core each; null: as many as there are cores"
    )
    timeout_s: float = Field(60.0, gt=0, description="seconds without progress after which a clip is given up")
    memory_mb: int | None = Field(
        4096, ge=256, description="address space of one decoding process, MiB; null: no limit"
    )


class DecodeSettings(Section):
    """Which frames of a clip are stored, and how."""

    version: int = Field(5, ge=1, description="raised when the same settings give other frames")
    fps: float = Field(4.0, gt=0, description="frames per second of a clip, at most")
    max_frames: int = Field(512, ge=1, description="frames per clip, at most; longer clips are sampled at a lower rate")
    last_frame: bool = Field(
        False,
        description="whether the last of them is the clip's very last frame, not the last of the grid; always where a "
        "benchmark keeps its last frame (benchmarks.NAME.keep_last_frame)",
    )
    size: int = Field(384, ge=16, le=4096, description="width and height of a stored frame, pixels")
    storage: Literal["jpeg", "video"] = Field(
        "jpeg", description="jpeg: one JPEG per frame, fastest to read; video: one H.264 video per clip, far smaller"
    )
    quality: int = Field(90, ge=1, le=100, description="JPEG quality, 1 to 100 (chroma 4:2:0); only for storage: jpeg")
    crf: int = Field(
        26,
        ge=0,
        le=51,
        description="x264's constant rate factor, 0 to 51, lower is better and larger; only for storage: video",
    )
    gop: int = Field(16, ge=1, le=250, description="frames from one key frame to the next; only for storage: video")
    resize: Literal["squash", "pad", "crop"] = Field(
        "squash",
        description="how a frame becomes square (bicubic, antialiased): squash stretches it, pad adds black bars, crop "
        "keeps the middle",
    )
    max_failure_rate: float = Field(
        0.05, ge=0, le=1, description="share of a shard's clips that may fail before the job fails"
    )
    tolerated_failures: int = Field(
        3, ge=0, description="failed clips per shard that never fail the job, whatever their share"
    )
    runtime: DecodeRuntime = Field(DecodeRuntime(), description="changes no frame, unless the backend is decord")

    @model_validator(mode="after")
    def _even(self) -> "DecodeSettings":
        if self.storage == "video" and self.size % 2:
            raise ValueError(f"size: storage: video needs an even size, not {self.size}")
        return self

    def identity(self) -> dict[str, Any]:
        """The settings that decide the result; `last_frame` only where it is set, as it is younger than many shards."""
        return {key: value for key, value in super().identity().items() if key != "last_frame" or value}

    def fingerprint(self) -> str:
        """12 hex digits that change when the stored frames would.

        How many failures are tolerated does not count, nor does the compression of the storage that is not used.
        """
        deciding = {key: value for key, value in self.identity().items() if key not in self._aside()}
        if self.runtime.backend != "pyav":  # another decoder's pixels must not mix with these
            deciding["backend"] = self.runtime.backend
        return digest(deciding)

    def compared(self) -> str:
        """The identity as the rule passes it and Snakemake compares it: what decides no frame stands at its default."""
        fields = type(self).model_fields
        identity = self.identity()
        return canonical({**identity, **{key: fields[key].default for key in self._aside() & set(identity)}})

    def tolerance(self, max_failure_rate: float | None) -> dict[str, float]:
        """How many failures are tolerated, as far as it is not the default.

        Args:
            max_failure_rate: of the source's own entry, if it has one.
        """
        asked = {key: getattr(self, key) for key in sorted(_TOLERANCE)}
        if max_failure_rate is not None:
            asked["max_failure_rate"] = max_failure_rate
        return {key: value for key, value in asked.items() if value != type(self).model_fields[key].default}

    def _aside(self) -> set[str]:
        """Settings that decide no frame."""
        return _TOLERANCE | _COMPRESSION["jpeg" if self.storage == "video" else "video"]
