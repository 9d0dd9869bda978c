"""What may be handed over as a video: a path, bytes, an open file, or frames that were decoded elsewhere."""

import hashlib
import math
import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from refocus.config.decode import DecodeSettings
from refocus.core.addresses import ADVICE, is_address
from refocus.core.errors import RefocusError, UsageError
from refocus.select.picks import VideoFile
from refocus.video.decode import DecodedFrames, decode_frames, plan_clip
from refocus.video.frame_plan import EPSILON_S, grid
from refocus.video.frame_times import frame_times
from refocus.video.packets import Heartbeat
from refocus.video.pictures import pictures_at
from refocus.video.probe import VideoError
from refocus.video.resize import resize
from refocus.video.source_digest import source_digest
from refocus.video.tars import locate
from refocus.video.track import opened_track

CHUNK = 1 << 20
LONG_S = 120.0  # from here on a bar shows how far decoding is


@dataclass(frozen=True)
class Frames:
    """A video that is decoded already.

    Attributes:
        images: (T, h, w, 3) uint8 RGB, a torch tensor also (T, 3, h, w); or as many pictures (PIL images or arrays) of
            one size.
        fps: how many of them are shown in a second; None: `timestamps_s` says when.
        timestamps_s: when each begins, increasing seconds, where there is no `fps`.
    """

    images: Any
    fps: float | None = None
    timestamps_s: Sequence[float] | None = None


Video = str | os.PathLike[str] | bytes | BinaryIO | Frames


class VideoSource(ABC):
    """One video: the candidates that are picked from, and its frames as a player shows them.

    Attributes:
        name: for people. key: equal keys mean the same content.
    """

    name: str
    key: Hashable

    @abstractmethod
    def candidates(self, settings: DecodeSettings, heartbeat: Heartbeat | None = None) -> DecodedFrames:
        """The frames that are picked from: min(fps, max_frames) of the whole video, size x size.

        Args:
            heartbeat: called now and then while a file is read; what it raises ends the reading.
        Raises:
            RefocusError: no frame can be decoded.
        """

    @abstractmethod
    def file(self) -> VideoFile:
        """What other programs ask beside the picks."""

    @abstractmethod
    def pictures(self, numbers: Sequence[int], timestamps_s: Sequence[float]) -> list[np.ndarray]:
        """(h, w, 3) uint8 RGB each, at native size and aspect, of frames by number and time, both ascending."""


class FileSource(VideoSource):
    """A file on a disk."""

    def __init__(self, path: Path, name: str | None = None, owner: object = None):
        """owner: what keeps the file alive, where it is a temporary one."""
        self.path, self.name, self._owner = path, name or str(path), owner
        stat = path.stat()
        self.key = (str(path.resolve()), stat.st_mtime_ns, stat.st_size)

    def candidates(self, settings: DecodeSettings, heartbeat: Heartbeat | None = None) -> DecodedFrames:
        """See `VideoSource.candidates`."""
        try:
            with opened_track(self.path) as track:
                plan = plan_clip(track, settings.fps, settings.max_frames, None, None, heartbeat)
                long = plan.duration_s > LONG_S
                decoded = decode_frames(track, plan.times_s, settings.size, progress=long, heartbeat=heartbeat)
        except VideoError as error:  # of a temporary copy nobody knows the path
            raise VideoError(str(error).replace(str(self.path), self.name)) from None
        if not len(decoded.images):
            raise RefocusError(f"{self.name}: no frame could be decoded: {decoded.error}")
        return decoded

    def file(self) -> VideoFile:
        """Reads the file once more, for its digest and the times of its packets."""
        with opened_track(self.path) as track:
            plan = plan_clip(track, 1.0, 1, None, None)
        fps, duration_s = round(plan.fps, 6) or None, round(plan.duration_s, 6) or None  # as shards have them
        digest = source_digest(locate(self.path))
        return VideoFile(self.name, digest, len(frame_times(self.path)), fps, duration_s)

    def pictures(self, numbers: Sequence[int], timestamps_s: Sequence[float]) -> list[np.ndarray]:
        """See `VideoSource.pictures`."""
        return pictures_at(self.path, timestamps_s)


class MemorySource(VideoSource):
    """Frames in memory; each is shown until the next begins."""

    def __init__(self, frames: Frames):
        self.name = "frames in memory"
        self.images = _stacked(frames.images)
        count = len(self.images)
        if (frames.fps is None) == (frames.timestamps_s is None):
            raise UsageError("Frames needs either fps, frames per second, or timestamps_s, when each frame begins")
        if frames.timestamps_s is None:
            self.fps = _number(frames.fps)
            if not 0 < self.fps < math.inf or not count / self.fps < math.inf:
                raise UsageError(f"Frames: fps must be a positive number, not {frames.fps}")
            self.times_s = [number / self.fps for number in range(count)]
            self.duration_s: float | None = count / self.fps
        else:
            self.fps, self.duration_s = 0.0, None
            times = frames.timestamps_s if isinstance(frames.timestamps_s, Iterable) else ()
            self.times_s = [_number(time_s) for time_s in times]
            following = zip(self.times_s, self.times_s[1:], strict=False)
            increase = all(abs(time_s) < math.inf for time_s in self.times_s) and all(a < b for a, b in following)
            if len(self.times_s) != count or not increase:
                raise UsageError(f"Frames: timestamps_s must be {count} increasing seconds, one for each image")
        digest = hashlib.sha256(np.ascontiguousarray(self.images).data)
        digest.update(repr(self.times_s).encode())
        self.digest = digest.hexdigest()[:32]
        self.key = (self.digest, self.fps)

    def candidates(self, settings: DecodeSettings, heartbeat: Heartbeat | None = None) -> DecodedFrames:
        """See `VideoSource.candidates`; the frame being shown at each time of the grid, each once."""
        first, last = self.times_s[0], self.times_s[-1]
        shown_last_s = last - self.times_s[-2] if len(self.times_s) > 1 else 0.0  # as long as the one before it
        wanted = np.array(grid(last - first + shown_last_s, settings.fps, settings.max_frames, first))
        shown = np.searchsorted(self.times_s, wanted + EPSILON_S, side="right") - 1
        numbers = sorted({int(number) for number in shown})
        images = resize(self.images[numbers], settings.size)
        return DecodedFrames(images, [self.times_s[number] for number in numbers], numbers, "ok", None)

    def file(self) -> VideoFile:
        """What is known of frames without a file."""
        return VideoFile(self.name, self.digest, len(self.images), self.fps or None, self.duration_s)

    def pictures(self, numbers: Sequence[int], timestamps_s: Sequence[float]) -> list[np.ndarray]:
        """See `VideoSource.pictures`."""
        return [self.images[number] for number in numbers]


def open_video(video: Video | VideoSource) -> VideoSource:
    """The video that something names or holds.

    Raises:
        UsageError: there is no such file, or it is none: a folder, an address, an empty list.
    """
    if isinstance(video, VideoSource):
        return video
    if isinstance(video, Frames):
        return MemorySource(video)
    if isinstance(video, bytes | bytearray | memoryview):
        return _temporary(memoryview(video), "video in memory")
    if isinstance(video, str | os.PathLike):
        return FileSource(existing_file(os.fspath(video)))
    if hasattr(video, "read"):
        return _temporary(video, str(getattr(video, "name", "open file")))
    raise UsageError(
        f"a video is a path, bytes, a file opened in binary mode, or refocus.Frames(images, fps=…), "
        f"not {type(video).__name__}"
    )


def existing_file(text: str) -> Path:
    """A path that names a file.

    Raises:
        UsageError: it does not: it is an address, a folder, or nothing.
    """
    if is_address(text):
        raise UsageError(f"{text} {ADVICE}")
    path = Path(text)
    if os.path.isdir(path):  # unlike Path.is_dir, False also for names that are too long
        raise UsageError(f"{path} is a folder; name a video file, or '{path}/*.mp4' in quotes for all of them")
    if not os.path.isfile(path):
        raise UsageError(f"there is no file {path}")
    return path


def _temporary(content: Any, name: str) -> FileSource:
    """A copy on the disk, deleted with the source: decoding goes back and forth in a file."""
    with tempfile.NamedTemporaryFile(prefix="refocus-", suffix=".video", delete=False) as file:
        path = Path(file.name)
        try:
            if isinstance(content, memoryview):
                file.write(content)
            else:
                while chunk := content.read(CHUNK):
                    if isinstance(chunk, str):
                        raise UsageError(f"{name} is open as text; open it in binary mode, 'rb'")
                    file.write(chunk)
        except BaseException:
            path.unlink()
            raise
    source = FileSource(path, name)
    weakref.finalize(source, path.unlink, missing_ok=True)
    return source


def _number(value: Any) -> float:
    """A float; NaN for whatever is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _stacked(images: Any) -> np.ndarray:
    """(T, h, w, 3) uint8 RGB of what `Frames` takes."""
    if hasattr(images, "detach"):  # a torch tensor, which is not imported for this
        images = images.detach().cpu().numpy()
        if images.ndim == 4 and images.shape[1] == 3 != images.shape[3]:  # as torchvision and `tensor()` have them
            images = images.transpose(0, 2, 3, 1)
    if not isinstance(images, np.ndarray):
        if isinstance(images, str | bytes) or not isinstance(images, Iterable):
            raise UsageError(f"Frames: images must be an array or a list of pictures, not {type(images).__name__}")
        try:
            parts = [np.asarray(image.convert("RGB") if hasattr(image, "convert") else image) for image in images]
        except (TypeError, ValueError) as error:
            raise UsageError(f"Frames: an image is no picture: {error}") from None
        if len({part.shape for part in parts}) > 1:
            raise UsageError("Frames: the images are of several sizes, and a video has one")
        images = np.stack(parts) if parts else np.zeros((0, 0, 0, 3), np.uint8)
    if images.ndim and not len(images):
        raise UsageError("Frames: there are no images")
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or not images.size:
        raise UsageError(
            f"Frames: images must be (T, height, width, 3) in uint8, RGB, not {tuple(images.shape)} in {images.dtype}"
        )
    return images
