"""Stage 2: the clips of one shard become a tar and its index; what an earlier run decoded is copied.

The tar is written clip by clip beside its final name. A killed run leaves that partial shard behind, and the next run
goes on from its last complete clip. The result depends only on the clips and the settings: made again, it is the same
bytes.
"""

import contextlib
import logging
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from refocus.config.decode import DecodeSettings
from refocus.core.counted import counted
from refocus.core.errors import RefocusError
from refocus.core.progress import bar
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.decode_clip import DecodeJob, FailedClip, StoredClip, decode_clip
from refocus.frames.index import FAILED, PARTIAL, IndexRow, write_index
from refocus.frames.partial_shard import PartialShard, clear, partial_shards
from refocus.frames.reuse import Reuse
from refocus.frames.shard_reader import ShardReader, index_row
from refocus.frames.shared_clips import shared_clips, write_sources
from refocus.qa.clips import ClipRow
from refocus.qa.video_root import VideoRoot
from refocus.video.probe import VideoError
from refocus.video.tars import locate
from refocus.video.workers import LostJob, run_jobs

logger = logging.getLogger(__name__)
SHOWN = 20  # failures that an error message lists


@dataclass(frozen=True)
class ShardReport:
    """What a run did."""

    clips: int
    decoded: int  # clips that went through a decoder, successfully or not
    copied: int
    partial: list[str]  # "clip: file: reason"
    failed: list[str]
    frames: int


def build_shard(
    clips: Sequence[ClipRow],
    videos: Path,
    tar: Path,
    index: Path,
    settings: DecodeSettings,
    shared: Path | None = None,
    listed_in: Path | None = None,
) -> ShardReport:
    """Writes `tar` and `index` for the clips, in their order.

    A clip that fails gets a row with its reason. A clip whose file has other bytes than when it was stored, or whose
    stored frames are damaged, is decoded again. An index that would no longer fit the tar is removed before the tar is
    replaced.

    Args:
        clips: the clips of the shard.
        videos: data root of their paths.
        tar, index: what is written.
        settings: which frames, and in which form.
        listed_in: the clips' table, which says where links below `videos` may lead; None: nowhere else.
        shared: a folder with a folder of shards per data set; videos that those hold already are copied from there.
    Raises:
        RefocusError: more clips failed than the settings tolerate (names them), or the disk is full. What was decoded
            is kept for the next run, and no index is written.
    """
    clips = list(dict.fromkeys(clips))
    tar.parent.mkdir(parents=True, exist_ok=True)
    finished, begun = ShardReader(tar), partial_shards(tar)
    reuse = Reuse(videos, settings.fingerprint())
    stored = reuse.found(clips, [finished, *begun])
    root = VideoRoot(videos, listed_in)
    jobs, failures = _jobs([row for row in clips if row.clip_id not in stored], root, settings)
    elsewhere = shared_clips(jobs, shared, tar) if shared else {}
    jobs = [job for job in jobs if job.row.clip_id not in elsewhere]
    ready = [row for row in clips if row.clip_id not in failures]
    name = Path(os.path.relpath(tar.resolve(), index.parent.resolve())).as_posix()
    if _is_done(finished, ready, stored):
        rows = {row.clip_id: finished.row(row.clip_id, name) for row in ready}
    else:
        partial, held = _partial_shard(tar, ready, begun, reuse)
        rows = {row.clip_id: held.row(row.clip_id, name) for row in ready[: len(held)]} if held else {}
        with partial, contextlib.closing(_decoded(jobs, settings)) as decoding:
            for row in ready[len(rows) :]:
                clip: StoredClip | FailedClip
                if row.clip_id in stored:
                    clip = stored[row.clip_id].read(row.clip_id)
                else:
                    clip = elsewhere[row.clip_id].read() if row.clip_id in elsewhere else next(decoding)
                if isinstance(clip, FailedClip):
                    failures[row.clip_id] = clip.error
                else:
                    rows[row.clip_id] = index_row(clip.metadata, partial.add(clip), name)
            next(decoding, None)  # lets the progress bar and the workers end
            _refuse_many(clips, failures, settings)
            partial.complete()
            index.unlink(missing_ok=True)  # it fits the tar that is about to be replaced
            partial.publish()
    clear(tar)
    made = finished if _is_done(finished, ready, stored) else ShardReader(tar)
    if shared:
        write_sources(made)
    ordered = [
        rows.get(row.clip_id) or IndexRow(row.clip_id, FAILED, failures[row.clip_id], 0, [], [], name, [], [])
        for row in clips
    ]
    try:
        write_index(index, ordered, settings.identity())
    except OSError as error:
        raise RefocusError(
            f"{index}: cannot be written ({error.strerror or error}); {tar.name} is finished: make room and run again"
        ) from None
    file = {row.clip_id: row.video_path for row in clips}
    incomplete = [f"{row.clip_id}: {file[row.clip_id]}: {row.error}" for row in ordered if row.status == PARTIAL]
    failed = [f"{row.clip_id}: {row.error}" for row in ordered if row.status == FAILED]
    for line in (*incomplete, *failed):
        logger.warning("%s", line)
    if short := [clip.video_path for clip in ready if _ends_early(made.metadata(clip.clip_id))]:
        shown = ", ".join(short[:SHOWN]) + (" …" if len(short) > SHOWN else "")
        told = "the video ends before the end that is asked about"
        logger.warning("%s: in %s (%s)", told, counted(len(short), "clip"), shown)
    return ShardReport(
        len(clips), len(jobs), len(stored) + len(elsewhere), incomplete, failed, sum(row.n_frames for row in ordered)
    )


def _is_done(finished: ShardReader, ready: Sequence[ClipRow], stored: Mapping[str, ShardReader]) -> bool:
    """Whether the tar that is there is the one to be made."""
    wanted = [row.clip_id for row in ready]
    return finished.whole and finished.order() == wanted and all(stored.get(clip) is finished for clip in wanted)


def _partial_shard(
    tar: Path, ready: Sequence[ClipRow], begun: Sequence[ShardReader], reuse: Reuse
) -> tuple[PartialShard, ShardReader | None]:
    """A partial shard that goes on where a killed run stopped, with what it holds already; or an empty one."""
    for reader in begun:
        first = ready[: len(reader)]
        position = reader.beginning([row.clip_id for row in first])
        if position and all(reuse.fits(reader, row) for row in first):
            return PartialShard(tar, reader.path, position), reader
    return PartialShard(tar), None


def _jobs(
    clips: Sequence[ClipRow], root: VideoRoot, settings: DecodeSettings
) -> tuple[list[DecodeJob], dict[str, str]]:
    """What is to be decoded, and why the rest cannot be."""
    jobs, failures = [], {}
    for row in clips:
        try:
            video = root.file(row.video_path)
            locate(video)
        except (VideoError, OSError) as error:
            failures[row.clip_id] = str(error).removeprefix(f"{root.folder}/")
        else:
            jobs.append(DecodeJob(row, video, settings))
    return jobs, failures


def _decoded(jobs: Sequence[DecodeJob], settings: DecodeSettings) -> Generator[StoredClip | FailedClip, None, None]:
    """Clips in the order of the jobs, decoded by worker processes."""
    runtime = settings.runtime
    workers = min(runtime.workers or len(os.sched_getaffinity(0)), max(1, len(jobs)))
    results = run_jobs(decode_clip, jobs, workers, runtime.timeout_s, runtime.memory_mb)
    for place, result in bar(results, total=len(jobs), desc="decode", unit="clip"):
        yield FailedClip(f"{jobs[place].row.video_path}: {result.reason}") if isinstance(result, LostJob) else result


def _ends_early(clip: ClipMetadata | None) -> bool:
    """Whether the video of a sound clip ends more than a second before the clip's annotated end."""
    if clip is None or clip.error is not None or clip.end_s is None:
        return False
    return clip.end_s - clip.duration_s > 1


def _refuse_many(clips: Sequence[ClipRow], failures: Mapping[str, str], settings: DecodeSettings) -> None:
    allowed = max(settings.tolerated_failures, int(settings.max_failure_rate * len(clips)))
    if len(failures) <= allowed:
        return
    listed = [f"{row.clip_id}: {failures[row.clip_id]}" for row in clips if row.clip_id in failures]
    more = [f"… and {len(listed) - SHOWN} more"] if len(listed) > SHOWN else []
    raise RefocusError(
        f"{len(listed)} of {len(clips)} clips failed; {allowed} may, by max_failure_rate of the set's entry or of "
        f"decode ({settings.max_failure_rate:g}) and decode.tolerated_failures ({settings.tolerated_failures}):",
        *listed[:SHOWN],
        *more,
    )
