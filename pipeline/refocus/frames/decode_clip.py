"""One clip on its way into a shard: decoded and encoded in a worker, or copied from an earlier shard."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refocus.config.decode import DecodeSettings
from refocus.core.files import canonical
from refocus.frames.encoding import frame_encoder, member_names
from refocus.qa.clips import ClipRow
from refocus.video.decode import DecodeReport, frames_shown, plan_clip
from refocus.video.probe import VideoError
from refocus.video.tars import ByteSpan, locate

CHUNK = 1 << 20


@dataclass(frozen=True)
class DecodeJob:
    """What a worker needs to decode one clip."""

    row: ClipRow
    video: Path
    settings: DecodeSettings


@dataclass(frozen=True)
class StoredClip:
    """A clip as a shard holds it: its notes (the `.json` member) and the contents of the members with its frames."""

    notes: dict[str, Any]
    files: list[bytes]

    @property
    def nbytes(self) -> int:
        """Bytes of its frames, by which the workers' results that wait are bounded."""
        return sum(map(len, self.files))

    def members(self) -> list[tuple[str, bytes]]:
        """Names and contents, the notes first."""
        named = zip(member_names(self.notes), self.files, strict=True)
        return [(f"{self.notes['clip_id']}.json", canonical(self.notes).encode()), *named]


@dataclass(frozen=True)
class FailedClip:
    """A clip without a single frame."""

    error: str


def decode_clip(job: DecodeJob, beat: Callable[[], None]) -> StoredClip | FailedClip:
    """Decodes a clip at its grid and encodes every kept frame (stage 2 of the design)."""
    settings, row = job.settings, job.row
    health = DecodeReport()
    stamps: list[float] = []
    sources: list[int] = []
    media = frame_encoder(settings)
    try:
        plan = plan_clip(job.video, settings.fps, settings.max_frames, row.start_s, row.end_s)
        beat()
        how = (settings.resize, settings.runtime.backend)
        for shown in frames_shown(job.video, plan.times_s, settings.size, health, beat, *how, planes=True):
            media.add(shown.image)
            stamps.append(shown.timestamp_s)
            sources.append(shown.source_frame)
    except MemoryError:
        return FailedClip(f"{row.video_path}: out of memory")
    except VideoError as error:  # reasons must read the same wherever the data root is
        return FailedClip(str(error).replace(str(job.video), row.video_path))
    error = health.problem()
    if not stamps:
        return FailedClip(f"{row.video_path}: no frames ({error})")
    files, places = media.finish()
    span = locate(job.video)
    notes = {
        "clip_id": row.clip_id,
        "video_path": row.video_path,
        "start_s": row.start_s,
        "end_s": row.end_s,
        "fps": round(plan.fps, 6),
        "duration": round(plan.duration_s, 6),
        "size": settings.size,
        "n_frames": len(stamps),
        "timestamps": stamps,
        "source_frames": sources,
        "status": "partial" if error else "ok",
        "error": error,
        "source_bytes": span.size,
        "source": content(span, beat),
        "decode": settings.fingerprint(),
        **places,
    }
    return StoredClip(notes, files)


def content(span: ByteSpan, beat: Callable[[], None] = lambda: None) -> str:
    """32 hex digits of SHA-256 over the bytes of a video, about a millisecond per megabyte."""
    digest = hashlib.sha256()
    left = span.size
    with span.file.open("rb") as handle:
        handle.seek(span.offset)
        while left and (chunk := handle.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
            beat()
    return digest.hexdigest()[:32]
