"""What selections say of video files: most of it as the shards noted it, the number of frames by the file itself."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.core.progress import bar
from refocus.frames.clip_metadata import ClipMetadata
from refocus.qa.records import Question, by_clip
from refocus.select.picks import VideoFile
from refocus.video.frame_times import frame_times
from refocus.video.probe import VideoError
from refocus.video.tars import locate

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore

log = logging.getLogger(__name__)


def video_files(questions: Iterable[Question], store: "FrameStore", videos: Path | None) -> dict[str, VideoFile]:
    """The video file of every clip that is asked about, by clip_id.

    A shard knows a file's digest, rate and duration, but not how many frames lie behind the last one it keeps. Those
    are counted in the file, once, if it is there and still the one that was decoded; else `total_num_frames` is None.
    Of a clip without frames only the path is known.

    Args:
        videos: the folder that the questions' paths are relative to; None counts no frames.
    """
    counts: dict[str, int | None] = {}
    found = {}
    for clip_id, asked in bar(by_clip(questions).items(), desc="video files", unit="clip"):
        path = asked[0].video_path
        known = store.metadata(clip_id) if clip_id in store else None
        if known is None:
            found[clip_id] = VideoFile(path)
            continue
        if path not in counts:
            counts[path] = _count(videos / path, known) if videos is not None else None
        found[clip_id] = known_file(path, known, counts[path])
    return found


def known_file(path: str, known: ClipMetadata, total_num_frames: int | None) -> VideoFile:
    """The video file that a clip was decoded from, as its shard noted it; a rate or duration of 0 was not known."""
    return VideoFile(path, known.source_sha256, total_num_frames, known.fps or None, known.duration_s or None)


def times_of(path: Path, known: ClipMetadata) -> list[float]:
    """When every frame of the file that a clip was decoded from is shown, seconds.

    Raises:
        VideoError: the file is not there, cannot be read, or is another one now.
    """
    try:
        size = locate(path).size
    except FileNotFoundError as error:
        raise VideoError(str(error)) from None
    if size != known.source_bytes:
        raise VideoError(f"{path}: has {size} bytes, but {known.source_bytes} when its frames were stored")
    return frame_times(path)


def _count(path: Path, known: ClipMetadata) -> int | None:
    try:
        return len(times_of(path, known))
    except VideoError as error:
        log.warning("%s; how many frames it has is not known", error)
        return None
