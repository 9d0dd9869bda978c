"""Stage 2: the clips of one shard become a tar and its index; what an earlier run decoded is copied.

The tar is written clip by clip beside its final name, as `.{name}.part`. A killed run leaves that file behind, and the
next run takes every complete clip from it, as it does from a finished tar. The result depends only on the clips and
the settings: made again, it is the same bytes.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.decode import DecodeSettings
from pipeline.errors import RefocusError
from pipeline.progress import bar
from pipeline.qa.records import ClipRow
from pipeline.qa.tars import locate
from pipeline.qa.videos import checked
from pipeline.store.clip import FailedClip, Job, Shelf, StoredClip, decode_clip, frame_name
from pipeline.store.index import FAILED, PARTIAL, IndexRow, write_index
from pipeline.store.tar import TarWriter
from pipeline.video.workers import Lost, run_jobs

logger = logging.getLogger(__name__)
SHOWN = 20  # failures that an error message lists


@dataclass(frozen=True)
class ShardReport:
    """What a run did."""

    clips: int
    decoded: int  # clips that went through a decoder, successfully or not
    copied: int
    partial: list[str]  # "clip: reason"
    failed: list[str]
    frames: int


def build_shard(
    clips: Sequence[ClipRow], videos: Path, tar: Path, index: Path, settings: DecodeSettings
) -> ShardReport:
    """Writes `tar` and `index` for the clips, in their order.

    A clip that fails gets a row with its reason. A clip whose file changed its size since it was stored is decoded
    again.

    Raises:
        RefocusError: more clips failed than the settings tolerate; names them. What was decoded is kept for the next
            run, and no index is written.
    """
    clips = list(dict.fromkeys(clips))
    tar.parent.mkdir(parents=True, exist_ok=True)
    sources = [Shelf(tar), *_salvage(tar)]
    stored = _reusable(clips, videos, sources, settings)
    failures: dict[str, str] = {}
    jobs = []
    for row in clips:
        if row.clip_id in stored:
            continue
        try:
            video = videos / checked(row.video_path)
            locate(video)
        except (ValueError, FileNotFoundError) as error:
            failures[row.clip_id] = str(error).removeprefix(f"{videos}/")
        else:
            jobs.append(Job(row, video, settings))
    if not jobs and sources[0].whole and sources[0].order() == [row.clip_id for row in clips if row.clip_id in stored]:
        rows = {clip: _index_row(sources[0].notes(clip) or {}, sources[0].places(clip)) for clip in sources[0].order()}
    else:
        with contextlib.closing(_decoded(jobs, settings)) as decoding:
            rows = _write(clips, stored, decoding, tar, failures, settings)
            next(decoding, None)  # lets the progress bar and the workers end
    for leftover in (_part(tar), _salvaged(tar)):
        leftover.unlink(missing_ok=True)
    relative = Path(os.path.relpath(tar.resolve(), index.parent.resolve())).as_posix()
    ordered = [
        IndexRow(**{**vars(rows[row.clip_id]), "tar": relative})
        if row.clip_id in rows
        else IndexRow(row.clip_id, FAILED, failures[row.clip_id], 0, [], [], relative, [], [])
        for row in clips
    ]
    write_index(index, ordered, settings.identity())
    partial = [f"{row.clip_id}: {row.error}" for row in ordered if row.status == PARTIAL]
    failed = [f"{row.clip_id}: {row.error}" for row in ordered if row.status == FAILED]
    for line in (*partial, *failed):
        logger.warning("%s", line)
    return ShardReport(len(clips), len(jobs), len(stored), partial, failed, sum(row.n_frames for row in ordered))


def _write(
    clips: Sequence[ClipRow],
    stored: Mapping[str, Shelf],
    decoding: Iterator[tuple[str, StoredClip | FailedClip]],
    tar: Path,
    failures: dict[str, str],
    settings: DecodeSettings,
) -> dict[str, IndexRow]:
    """Writes the tar and gives the rows of its clips; failures are added to `failures`."""
    rows: dict[str, IndexRow] = {}
    draft = _part(tar)
    with draft.open("wb") as handle:
        writer = TarWriter(handle)
        for row in clips:
            if row.clip_id in failures:
                continue
            clip: StoredClip | FailedClip
            if row.clip_id in stored:
                clip = stored[row.clip_id].read(row.clip_id)
            else:
                name, clip = next(decoding)
                assert name == row.clip_id
            if isinstance(clip, FailedClip):
                failures[row.clip_id] = clip.error
                continue
            writer.add(f"{row.clip_id}.json", clip.json)
            places = [writer.add(frame_name(row.clip_id, k), jpeg) for k, jpeg in enumerate(clip.jpegs)]
            rows[row.clip_id] = _index_row(clip.notes, [(place.offset, place.size) for place in places])
            handle.flush()
        _refuse_many(
            [f"{row.clip_id}: {failures[row.clip_id]}" for row in clips if row.clip_id in failures],
            len(clips),
            settings,
        )
        writer.close()
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(draft, tar)
    return rows


def _decoded(jobs: Sequence[Job], settings: DecodeSettings) -> Iterator[tuple[str, StoredClip | FailedClip]]:
    """Clips in the order of the jobs, decoded by worker processes."""
    runtime = settings.runtime
    workers = min(runtime.workers or len(os.sched_getaffinity(0)), max(1, len(jobs)))
    results = run_jobs(decode_clip, jobs, workers, runtime.timeout_s, runtime.memory_mb)
    for place, result in bar(results, total=len(jobs), desc="decode", unit="clip"):
        row = jobs[place].row
        yield row.clip_id, FailedClip(f"{row.video_path}: {result.reason}") if isinstance(result, Lost) else result


def _reusable(
    clips: Sequence[ClipRow], videos: Path, sources: Sequence[Shelf], settings: DecodeSettings
) -> dict[str, Shelf]:
    """Where each clip can be copied from: stored by the same settings, from the file as it is now."""
    key = settings.fingerprint()
    found = {}
    for row in clips:
        for shelf in sources:
            notes = shelf.notes(row.clip_id)
            if notes is not None and notes.get("decode") == key and _same_file(videos / row.video_path, notes):
                found[row.clip_id] = shelf
                break
    return found


def _same_file(video: Path, notes: Mapping[str, object]) -> bool:
    """A file that is gone is not held against what was decoded from it."""
    try:
        return locate(video).size == notes.get("source_bytes")
    except OSError:
        return True


def _refuse_many(failures: Sequence[str], clips: int, settings: DecodeSettings) -> None:
    allowed = max(settings.tolerated_failures, int(settings.max_failure_rate * clips))
    if len(failures) <= allowed:
        return
    shown = "\n  ".join(failures[:SHOWN])
    more = f"\n  … and {len(failures) - SHOWN} more" if len(failures) > SHOWN else ""
    raise RefocusError(
        f"{len(failures)} of {clips} clips failed; decode.max_failure_rate ({settings.max_failure_rate:g}) and "
        f"decode.tolerated_failures ({settings.tolerated_failures}) allow {allowed}:\n  {shown}{more}"
    )


def _index_row(notes: Mapping[str, object], places: Sequence[tuple[int, int]]) -> IndexRow:
    return IndexRow(
        clip_id=notes["clip_id"],
        status=notes["status"],
        error=notes["error"],
        n_frames=notes["n_frames"],
        timestamps=notes["timestamps"],
        source_frames=notes["source_frames"],
        tar="",
        offsets=[offset for offset, _ in places],
        sizes=[size for _, size in places],
    )


def _part(tar: Path) -> Path:
    return tar.with_name(f".{tar.name}.part")


def _salvaged(tar: Path) -> Path:
    return tar.with_name(f".{tar.name}.salvaged")


def _salvage(tar: Path) -> list[Shelf]:
    """What runs that were killed left behind; the fuller file is moved out of the new draft's way."""
    part, salvaged = Shelf(_part(tar)), Shelf(_salvaged(tar))
    if len(part) > len(salvaged):
        os.replace(part.path, salvaged.path)
        return [Shelf(salvaged.path)]
    return [salvaged] if len(salvaged) else []
