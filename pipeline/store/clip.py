"""One clip on its way into a shard: decoded and encoded in a worker, or copied from an earlier shard."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from pipeline.config.decode import DecodeSettings
from pipeline.files import canonical
from pipeline.qa.records import ClipRow
from pipeline.store.tar import END, members
from pipeline.video.decode import Health, frames_shown, plan_clip
from pipeline.video.probe import VideoError


@dataclass(frozen=True)
class Job:
    """What a worker needs to decode one clip."""

    row: ClipRow
    video: Path
    settings: DecodeSettings


@dataclass(frozen=True)
class StoredClip:
    """A clip as a shard holds it: its notes (the `.json` member) and its frames as JPEG."""

    notes: dict[str, Any]
    jpegs: list[bytes]

    @property
    def json(self) -> bytes:
        """The notes as the bytes that are stored."""
        return canonical(self.notes).encode()


@dataclass(frozen=True)
class FailedClip:
    """A clip without a single frame."""

    error: str


def decode_clip(job: Job, beat: Callable[[], None]) -> StoredClip | FailedClip:
    """Decodes a clip at its grid and encodes every kept frame (stage 2 of the design)."""
    settings, row = job.settings, job.row
    health = Health()
    stamps: list[float] = []
    sources: list[int] = []
    jpegs: list[bytes] = []
    try:
        plan = plan_clip(job.video, settings.fps, settings.max_frames, row.start_s, row.end_s)
        beat()
        how = (settings.resize, settings.runtime.backend)
        for shown in frames_shown(job.video, plan.times_s, settings.size, health, beat, *how):
            jpegs.append(encode(shown.image, settings.quality))
            stamps.append(shown.timestamp_s)
            sources.append(shown.source_frame)
    except MemoryError:
        return FailedClip(f"{row.video_path}: out of memory")
    except VideoError as error:  # reasons must read the same wherever the data root is
        return FailedClip(str(error).replace(str(job.video), row.video_path))
    error = health.problem()
    if not jpegs:
        return FailedClip(f"{row.video_path}: no frames ({error})")
    notes = {
        "clip_id": row.clip_id,
        "video_path": row.video_path,
        "start_s": row.start_s,
        "end_s": row.end_s,
        "fps": round(plan.fps, 6),
        "duration": round(plan.duration_s, 6),
        "size": settings.size,
        "n_frames": len(jpegs),
        "timestamps": stamps,
        "source_frames": sources,
        "status": "partial" if error else "ok",
        "error": error,
        "source_bytes": job.video.stat().st_size,
        "decode": settings.fingerprint(),
    }
    return StoredClip(notes, jpegs)


def encode(image: np.ndarray, quality: int) -> bytes:
    """A JPEG of an (H, W, 3) uint8 RGB image, 4:2:0."""
    return simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling="420")


def frame_name(clip_id: str, index: int) -> str:
    """The member that holds a clip's frame."""
    return f"{clip_id}.{index:04d}.jpg"


class Shelf:
    """The complete clips of an existing shard, however it ended. Reading is lazy; only offsets are held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = False  # the archive ends as it should, with nothing missing and nothing behind it
        self._clips: dict[str, tuple[dict[str, Any], list[tuple[int, int]]]] = {}
        if path.is_file():
            self._scan()

    def _scan(self) -> None:
        found: dict[str, tuple[dict[str, Any], list[tuple[int, int]]]] = {}
        position = 0
        with self.path.open("rb") as handle:
            for member in members(self.path):
                position = member.end
                clip, _, kind = member.name.partition(".")
                if kind == "json":
                    handle.seek(member.offset)
                    try:
                        found[clip] = (json.loads(handle.read(member.size)), [])
                    except ValueError:
                        continue
                elif clip in found and member.name == frame_name(clip, len(found[clip][1])):
                    found[clip][1].append((member.offset, member.size))
            handle.seek(position)
            self.whole = handle.read(len(END) + 1) == END
        self._clips = {clip: entry for clip, entry in found.items() if entry[0].get("n_frames") == len(entry[1])}

    def __len__(self) -> int:
        return len(self._clips)

    def order(self) -> list[str]:
        """Clip ids in the order of the file."""
        return list(self._clips)

    def notes(self, clip_id: str) -> dict[str, Any] | None:
        """The notes of a clip, None if it is not here."""
        entry = self._clips.get(clip_id)
        return entry[0] if entry else None

    def places(self, clip_id: str) -> list[tuple[int, int]]:
        """(offset, size) of a clip's frames."""
        return self._clips[clip_id][1]

    def read(self, clip_id: str) -> StoredClip:
        """The clip itself."""
        notes, places = self._clips[clip_id]
        jpegs = []
        with self.path.open("rb") as handle:
            for offset, size in places:
                handle.seek(offset)
                jpegs.append(handle.read(size))
        return StoredClip(notes, jpegs)
