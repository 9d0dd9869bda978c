"""Ways to get a clip's frames, each measured in CPU seconds inside a worker: ours, parts of it, and decord."""

import io
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av import library_versions
from refocus.config.decode import DecodeSettings
from refocus.frames.encoding import jpeg
from refocus.frames.tar_writer import TarWriter
from refocus.video.closure import runs, shown_at
from refocus.video.decode import DecodeReport, frames_shown, plan_clip
from refocus.video.decode_report import SLACK_S
from refocus.video.probe import opened
from refocus.video.track import Track, opened_track, read_again
from refocus.video.yuv import YuvFrame

from tests.support.oracle import closure, packets_of

SETTINGS = DecodeSettings()


@dataclass(frozen=True)
class Cost:
    """What one way took, and what it did."""

    cpu_s: float
    frames: int = 0  # that came out of it
    decoded: int = 0  # frames that came out of the decoder
    memory_mb: float = 0.0  # the worker's peak so far


def measure(job: tuple[str, Path], beat: Callable[[], None]) -> Cost:
    """One way on one file; the work of a worker process."""
    way, path = job
    imports = {"decord": _import_decord}.get(way)
    if imports:
        imports()
    begin = time.process_time()
    frames, decoded, begin = WAYS[way](path, begin)
    return Cost(time.process_time() - begin, frames, decoded, memory_mb())


def _whole_stage(path: Path, begin: float) -> tuple[int, int, float]:
    """Plan, decode, convert, scale, JPEG, tar: what a shard costs per clip."""
    report = DecodeReport()
    with opened_track(path) as video:
        plan = plan_clip(video, SETTINGS.fps, SETTINGS.max_frames, None, None)
        frames = stored(shown.image for shown in frames_shown(video, plan.times_s, SETTINGS.size, report, yuv=True))
    assert report.problem() is None, report.problem()
    return frames, report.decoded, begin


def _closure_alone(path: Path, begin: float) -> tuple[int, int, float]:
    """The decoder calls for the packets of the dependency closure, chosen beforehand, and nothing else."""
    plan = plan_clip(path, SETTINGS.fps, SETTINGS.max_frames, None, None)
    with opened(path) as (container, stream):
        table = Track(path, container, stream).read(plan.times_s[-1] + 1)
        wanted = shown_at(table, plan.times_s, SLACK_S) or []
        times = {table.pts[one.packet] for one in wanted}
        needed = closure(packets_of(path), times, stream.codec_context.name)
        chosen = [
            [
                packet
                for number, packet in read_again(path, table, None)
                if number in run and table.pts[number] in needed
            ]
            for run in runs(table.starts, table.pts, {one.packet for one in wanted})
        ]
        begin = time.process_time()
        for packets in chosen:
            for packet in packets:
                stream.decode(packet)
            stream.decode(None)
            stream.codec_context.flush_buffers()
        return len(wanted), len(needed), begin


def _every_frame(path: Path, begin: float) -> tuple[int, int, float]:
    """A sequential decode on one thread: no conversion, no output."""
    frames = 0
    with opened(path) as (container, stream):
        for _ in container.decode(stream):
            frames += 1
    return frames, frames, begin


def _decord(path: Path, begin: float) -> tuple[int, int, float]:
    """decord's own scaling and random access, then JPEG and tar as ours."""
    import decord

    video = decord.VideoReader(str(path), ctx=decord.cpu(0), width=SETTINGS.size, height=SETTINGS.size, num_threads=1)
    starts = np.asarray(video.get_frame_timestamp(range(len(video))))[:, 0]
    times = plan_clip(path, SETTINGS.fps, SETTINGS.max_frames, None, None).times_s
    indices = np.unique(np.searchsorted(starts - starts[0], np.asarray(times) + 1e-6, side="right") - 1)
    frames = 0
    for batch in np.array_split(indices, max(1, len(indices) // 32)):
        frames += stored(video.get_batch(batch.tolist()).asnumpy())
    return frames, frames, begin


WAYS: dict[str, Callable[[Path, float], tuple[int, int, float]]] = {
    "ours": _whole_stage,
    "closure": _closure_alone,
    "every frame": _every_frame,
    "decord": _decord,
}


def stored(images: Iterable[np.ndarray | YuvFrame]) -> int:
    """Encodes images as the shards do and writes them into a tar in memory; how many."""
    writer, count = TarWriter(io.BytesIO()), 0
    for image in images:
        writer.add(f"clip.{count:04d}.jpg", jpeg(image, SETTINGS.quality))
        count += 1
    writer.close()
    return count


def _import_decord() -> None:
    import decord

    decord.logging.set_level(decord.logging.QUIET)


def memory_mb(field: str = "VmHWM") -> float:
    """Of this process, in MiB, as the kernel counts: its peak so far, or VmRSS for now; 0 where it does not say."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def versions() -> str:
    """Of what was measured."""
    codec = ".".join(str(number) for number in library_versions["libavcodec"])
    return f"PyAV {av.__version__} (FFmpeg {av.ffmpeg_version_info}, libavcodec {codec})"
