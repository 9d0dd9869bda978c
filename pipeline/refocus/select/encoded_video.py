"""A video as a selector has read it: what every question about it starts from, in memory or in a file."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.core.errors import UsageError
from refocus.core.files import atomic
from refocus.core.json_text import loads
from refocus.select.picks import VideoFile
from refocus.select.video_source import FileSource, VideoSource, open_video

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "refocus.encoded_video.1"


@dataclass(frozen=True)
class EncodedVideo:
    """Made by `FrameSelector.encode`, taken by `FrameSelector.select` in place of a video.

    Attributes:
        video: what it was made of.
        timestamps_s: (T,) when each candidate is shown, in seconds from the video's first frame.
        source_frames: (T,) the number of each in the video, as in `VideoSelection`.
        problem: why some of the video could not be decoded; None where all of it was.
        state: what the selector keeps of the candidates; only that selector reads it.
        reader: digest of what read it, `FrameSelector.reader`; another one refuses the state.
    """

    video: VideoSource
    timestamps_s: tuple[float, ...]
    source_frames: tuple[int, ...]
    problem: str | None
    state: Any
    reader: str

    @property
    def n_candidates(self) -> int:
        """T."""
        return len(self.timestamps_s)


def write_encoded(path: Path, encoded: EncodedVideo, tensors: Mapping[str, "Tensor"]) -> None:
    """Writes a .safetensors file: the state's tensors, and in its metadata what is needed beside them.

    Raises:
        UsageError: the video has no path that a later reader could open.
    """
    from safetensors.torch import save_file

    if not isinstance(encoded.video, FileSource):
        raise UsageError(
            "frames in memory cannot be saved with what was read of them: write them to a video file first"
        )
    about = {
        "format": FORMAT,
        "reader": encoded.reader,
        "file": asdict(encoded.video.file()),
        "timestamps_s": encoded.timestamps_s,
        "source_frames": encoded.source_frames,
        "problem": encoded.problem,
    }
    with atomic(path) as draft:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft, {"about": json.dumps(about)})


def read_encoded(path: Path, reader: str) -> tuple[EncodedVideo, dict[str, "Tensor"]]:
    """What `write_encoded` wrote, still without its state, and the state's tensors.

    Raises:
        UsageError: it is no such file, another selector's, or its video is gone or another one now.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about = loads((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise UsageError(f"{path} is not a video that `encode` read: {error}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UsageError(f"{path} is not a video that `encode` read, or of another version of refocus: encode it again")
    if about.get("reader") != reader:
        raise UsageError(f"{path} was read by another selector or at another rate: encode it again")
    try:
        then, problem = VideoFile(**about["file"]), about["problem"]
        times, numbers = tuple(map(float, about["timestamps_s"])), tuple(map(int, about["source_frames"]))
        os.fspath(then.video)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{path} is not a video that `encode` read: {error!r:.200}") from None
    video = open_video(then.video)
    if video.file().video_digest != then.video_digest:
        raise UsageError(f"{then.video} is another file than {path} was made of: encode it again")
    return EncodedVideo(video, times, numbers, problem, None, reader), tensors
