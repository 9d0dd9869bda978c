"""What other programs picked, as a selector beside ours."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from refocus.config.base import Strict
from refocus.core.addresses import ADVICE, is_address

ImportFormat = Literal["jsonl", "aks", "frame_idx", "keyframe_indices", "videoitg", "bolt", "vllm"]
COUNTS_ROWS = ("aks", "videoitg")  # formats that say which row of the annotation file a list belongs to
FRAMES = "{frames}"


class ImportSettings(Strict):
    """The files of one program; the selector is called `imported/<name>`. Paths may begin with `<results>/`."""

    format: ImportFormat = Field("jsonl", description="kind of file (docs/exports.md)")
    files: dict[str, str] = Field(
        {}, description="file for each benchmark; {frames} in its path stands for each number of answer.n_frames"
    )
    annotations: dict[str, str] = Field(
        {}, description="for each benchmark the annotation file whose rows aks and videoitg count; none: its only one"
    )
    ranked: bool = Field(
        False,
        description="true: lists are rankings, and their first frames are the picks for every number of frames; "
        "false: a list has exactly as many frames as it is answered with",
    )

    @field_validator("files", "annotations")
    @classmethod
    def _on_disk(cls, value: dict[str, str]) -> dict[str, str]:
        for path in value.values():
            if is_address(path):
                raise ValueError(f"{path!r} {ADVICE}")
        return value

    @model_validator(mode="after")
    def _braces(self) -> "ImportSettings":
        for name, path in self.files.items():
            if set("{}") & set(path.replace(FRAMES, "")):
                raise ValueError(f"files.{name}: {path}: of braces only {FRAMES} has a meaning")
        return self

    def file(self, benchmark: str, n_frames: int) -> str:
        """The file that holds a benchmark's picks of so many frames."""
        return self.files[benchmark].replace(FRAMES, str(n_frames))

    def problem(self, benchmark: str, annotations: int, numbers: int) -> str | None:
        """Why a benchmark's picks cannot be read; None: they can.

        Args:
            annotations: files of the benchmark itself. numbers: of frames that are answered with.
        """
        if benchmark not in self.files:
            return f"files: none for {benchmark}, which use.benchmarks has"
        if numbers > 1 and not self.ranked and FRAMES not in self.files[benchmark]:
            return (
                f"files.{benchmark}: one file for {numbers} numbers of frames (answer.n_frames); write {FRAMES} into "
                "its path, or set ranked: true if its lists are rankings"
            )
        if self.format in COUNTS_ROWS and annotations != 1 and benchmark not in self.annotations:
            have = f"the benchmark has {annotations}"
            return f"annotations.{benchmark}: {self.format} counts rows of one file, and {have}"
        return None
