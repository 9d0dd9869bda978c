"""One clip on its way into a shard: decoded and encoded in a worker, or copied from an earlier shard."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from refocus.config.decode import DecodeSettings
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.encoding import checksums, frame_encoder
from refocus.qa.clips import ClipRow
from refocus.video.decode import DecodeReport, frames_shown, plan_clip
from refocus.video.probe import VideoError
from refocus.video.source_digest import source_digest
from refocus.video.tars import locate
from refocus.video.track import opened_track


@dataclass(frozen=True)
class DecodeJob:
    """What a worker needs to decode one clip."""

    row: ClipRow
    video: Path
    settings: DecodeSettings


@dataclass(frozen=True)
class StoredClip:
    """A clip as a shard holds it: its metadata and the contents of the members with its frames."""

    metadata: ClipMetadata
    files: list[bytes]

    @property
    def nbytes(self) -> int:
        """Bytes of its frames, by which the workers' results that wait are bounded."""
        return sum(map(len, self.files))

    def members(self) -> list[tuple[str, bytes]]:
        """Names and contents, the metadata first."""
        named = zip(self.metadata.member_names, self.files, strict=True)
        return [(f"{self.metadata.clip_id}.json", self.metadata.to_json()), *named]


@dataclass(frozen=True)
class FailedClip:
    """A clip without a single frame."""

    error: str


def decode_clip(job: DecodeJob, heartbeat: Callable[[], None]) -> StoredClip | FailedClip:
    """Decodes a clip at its grid and encodes every kept frame (stage 2 of the design)."""
    settings, row = job.settings, job.row
    report = DecodeReport()
    timestamps_s: list[float] = []
    source_frames: list[int] = []
    encoder = frame_encoder(settings)
    try:
        with opened_track(job.video) as video:
            plan = plan_clip(
                video, settings.fps, settings.max_frames, row.start_s, row.end_s, heartbeat, settings.last_frame
            )
            heartbeat()
            for shown in frames_shown(
                video,
                plan.times_s,
                settings.size,
                report,
                heartbeat,
                fit=settings.resize,
                backend=settings.runtime.backend,
                yuv=True,
            ):
                encoder.add(shown.image)
                timestamps_s.append(shown.timestamp_s)
                source_frames.append(shown.source_frame)
    except MemoryError:
        return FailedClip(f"{row.video_path}: out of memory")
    except VideoError as failure:  # reasons must read the same wherever the data root is
        return FailedClip(str(failure).replace(str(job.video), row.video_path))
    error = report.problem()
    if not timestamps_s:
        return FailedClip(f"{row.video_path}: no frames ({error})")
    files, form = encoder.finish()
    source = locate(job.video)
    metadata = ClipMetadata(
        clip_id=row.clip_id,
        video_path=row.video_path,
        start_s=row.start_s,
        end_s=row.end_s,
        fps=round(plan.fps, 6),
        duration_s=round(plan.duration_s, 6),
        size=settings.size,
        timestamps_s=tuple(timestamps_s),
        source_frames=tuple(source_frames),
        error=error,
        source_bytes=source.size,
        source_sha256=source_digest(source, heartbeat),
        decode=settings.fingerprint(),
        form=form,
    )
    return StoredClip(replace(metadata, checksums=tuple(checksums(metadata, files))), files)
