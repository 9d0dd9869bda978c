"""Stored frames against a plain decode of their videos: the right ones, at the right times, looking as they should.

The plain decode (`refocus.video.every_frame`) shares no step with the decoder that made the frames but the opening of
the file and how a picture is turned, so a misread rotation is not found. Its frames are stored again in memory, so that
what storing costs is known of each, and a stored frame may differ from its source by little more. It must also look
more like its own source than like the frames beside that.
"""

import bisect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refocus.config.decode import DecodeSettings
from refocus.core.errors import RefocusError
from refocus.core.files import settings_of
from refocus.core.fixed_sample import fixed_sample
from refocus.core.progress import bar
from refocus.frames.clip_metadata import ClipMetadata, StoredForm
from refocus.frames.encoding import frame_encoder, pictures, spans
from refocus.frames.frame_store import FrameStore
from refocus.frames.index import OK, index_table
from refocus.video.decode_report import SLACK_S
from refocus.video.every_frame import every_frame, every_time
from refocus.video.frame_plan import ROUNDING_S, bounds, grid, with_last_moment
from refocus.video.probe import VideoError
from refocus.video.rgb import RgbConverter
from refocus.video.tars import locate

LOSS = 2.0  # a stored frame may differ from its source by so many times what storing it again costs,
LEVELS = 2.0  # and by so many levels of 255 (mean of a frame): another way to scale and to spread chroma takes them
NEARER = 0.9  # by this factor, and
NEARER_LEVELS = 0.2  # this many levels, a frame beside must be nearer to be what was stored
TIME_S = 0.0015  # a millisecond of the container's clock, and rounding
FILE = "file"  # the kind of mismatch that is the video's and not the shard's
STORED = "stored"  # the kind that is the shard's: its bytes are not those that were written
AHEAD = 64  # frames that are decoded behind the last stored one, which may be stored before it


@dataclass(frozen=True)
class Mismatch:
    """One way in which a stored clip is not what a plain decode gives.

    kind: file (the video has changed or cannot be read), stored (the frames cannot be), times, frames (others than
    those on screen), pixels, end (frames are missing behind the last). frame: which of the clip's kept frames, None if
    it is about the clip.
    """

    clip_id: str
    video_path: str
    kind: str
    frame: int | None
    text: str

    def __str__(self) -> str:
        place = "" if self.frame is None else f" frame {self.frame}"
        return f"{self.clip_id}{place} ({self.video_path}): {self.kind}: {self.text}"


Wrong = Callable[[str, int | None, str], Mismatch]  # kind, frame, text


@dataclass(frozen=True)
class Verdict:
    """What was compared, and what could not be.

    skipped: all clips that are partial or failed by their own account, and why, also where a sample is compared.
    unreadable: clips with a mismatch instead, because their video has changed, or video or frames cannot be read.
    """

    clips: int
    frames: int
    skipped: dict[str, str]
    mismatches: list[Mismatch]
    unreadable: int = 0


def verify_frames(index: Path, videos: Path, sample: int | None = None) -> Verdict:
    """Compares the clips of an index, or a fixed sample of those that are ok, with a plain decode of their videos.

    Args:
        index: of the shard.
        videos: data root of the clips' paths.
    Raises:
        RefocusError: the index or its shard is missing or damaged.
    """
    settings = DecodeSettings.model_validate(settings_of(index_table(index).schema))
    store = FrameStore.open([index])
    records = {clip: store.record(clip) for clip in store.clips()}
    skipped = {clip: record.error or record.status for clip, record in records.items() if record.status != OK}
    chosen = _sample([clip for clip in records if clip not in skipped], sample)
    mismatches, clips, frames, unreadable = [], 0, 0, 0
    for clip in bar(chosen, total=len(chosen), desc="verify", unit="clip"):
        metadata = store.metadata(clip)
        if metadata is None:
            skipped[clip] = "it is ok and has no frames"
            continue
        try:
            found = _compare(metadata, store.images(clip), videos / metadata.video_path, settings)
        except RefocusError as error:
            found = [Mismatch(clip, metadata.video_path, STORED, None, str(error))]
        mismatches += found
        if any(mismatch.kind in (FILE, STORED) for mismatch in found):
            unreadable += 1
        else:
            clips, frames = clips + 1, frames + len(metadata.source_frames)
    return Verdict(clips, frames, skipped, mismatches, unreadable)


def _sample(clips: Sequence[str], number: int | None) -> list[str]:
    """A fixed sample, in the order of the index."""
    if number is None or number >= len(clips):
        return list(clips)
    kept = set(fixed_sample(clips, number))
    return [clip for clip in clips if clip in kept]


def _compare(clip: ClipMetadata, images: np.ndarray, video: Path, settings: DecodeSettings) -> list[Mismatch]:
    """All mismatches of one clip; `images` are its kept frames."""

    def wrong(kind: str, frame: int | None, text: str) -> Mismatch:
        return Mismatch(clip.clip_id, clip.video_path, kind, frame, text)

    try:
        if (size := locate(video).size) != clip.source_bytes:
            return [wrong(FILE, None, f"it has {size} bytes, it had {clip.source_bytes}")]
        bounded = clip.end_s is not None and clip.end_s <= clip.duration_s  # else the video's end is the clip's
        limit = clip.source_frames[-1] + AHEAD if bounded else None
        times = every_time(video, limit)
        found = list(_wrong_times(clip, times, limit is None, settings, wrong))
        return found or list(_wrong_pixels(clip, images, video, settings, wrong))
    except (VideoError, OSError) as error:
        return [wrong(FILE, None, str(error))]


def _wrong_times(
    clip: ClipMetadata, times: Sequence[float], whole: bool, settings: DecodeSettings, wrong: Wrong
) -> Iterator[Mismatch]:
    """Frames that are not those on screen at the clip's grid, or at other times; `times` ends with the video's end."""
    starts = times[:-1]
    start, end = bounds(clip.duration_s, clip.start_s, clip.end_s)
    wanted = grid(end - start, settings.fps, settings.max_frames, start)
    if settings.last_frame:
        wanted = with_last_moment(wanted, end)
    shown = [max(0, bisect.bisect_right(starts, time_s + ROUNDING_S) - 1) for time_s in wanted]
    expected = list(dict.fromkeys(shown))
    pairs = itertools.zip_longest(clip.source_frames, expected, fillvalue="none")
    for index, (kept, right) in enumerate(pairs):
        if kept != right:
            yield wrong("frames", index, f"source frame {kept} is stored, {right} is on screen")
            break  # those behind it are shifted
    for index, (number, time_s) in enumerate(zip(clip.source_frames, clip.timestamps_s, strict=True)):
        if number >= len(starts):
            yield wrong("frames", index, f"source frame {number} is stored, the video has {len(starts)}")
        elif abs(time_s - starts[number]) > TIME_S:
            yield wrong("times", index, f"{time_s:.4f} s is stored, {starts[number]:.4f} s is right")
    if whole and times[-1] > clip.duration_s + SLACK_S:
        yield wrong("end", None, f"the video goes on to {times[-1]:.2f} s, {clip.duration_s:.2f} s is stored")


def _wrong_pixels(
    clip: ClipMetadata, images: np.ndarray, video: Path, settings: DecodeSettings, wrong: Wrong
) -> Iterator[Mismatch]:
    """Frames that do not look like their source, or less than a frame beside it does."""
    wanted = {number: index for index, number in enumerate(clip.source_frames)}
    near = {number + step for number in wanted for step in (-1, 0, 1)}
    convert: RgbConverter | None = None
    nearest: dict[int, dict[int, float]] = {number: {} for number in wanted}  # by stored frame and decoded frame
    encoder, sources = frame_encoder(settings), []
    for decoded in itertools.islice(every_frame(video), clip.source_frames[-1] + 2):
        if decoded.number not in near:
            continue
        convert = convert or RgbConverter(settings.size, settings.resize, decoded.aspect)
        picture = convert(decoded.frame)
        for number in (decoded.number - 1, decoded.number, decoded.number + 1):
            if number in wanted:
                nearest[number][decoded.number] = _difference(images[wanted[number]], picture)
        if decoded.number in wanted:
            encoder.add(picture)
            sources.append(picture)
    files, form = encoder.finish()
    losses = [_difference(one, other) for one, other in zip(_stored(files, form), sources, strict=True)]
    for (number, index), loss in zip(wanted.items(), losses, strict=True):
        found, allowed = nearest[number], LOSS * loss + LEVELS
        closest = min(found, key=found.__getitem__)
        if found[number] > allowed:
            yield wrong("pixels", index, f"differs by {found[number]:.1f} levels of 255, {allowed:.1f} are allowed")
        elif found[closest] < NEARER * found[number] - NEARER_LEVELS:
            yield wrong("pixels", index, f"looks like source frame {closest}, {number} is right")


def _stored(files: list[bytes], form: StoredForm) -> Iterator[np.ndarray]:
    """The frames of an encoded clip."""
    if form.name == "jpeg":
        for data in files:
            yield from pictures(data, [0], [len(data)], [0])
        return
    for (offset, size), frames in spans(form.offsets, form.sizes, range(len(form.sizes))):
        yield from pictures(files[0][offset : offset + size], form.offsets, form.sizes, frames)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference, levels of 255."""
    return float(np.abs(one.astype(np.int16) - other).mean())
