"""`python -m benchmarks.bench_discard`: what FFmpeg's discarding decodes beside the least that could be decoded.

The frames of a clip at 4 and at 1 per second, three ways, on one thread, without conversion: selective decoding, the
decoder calls for the dependency closure that libavcodec's own parsers give (chosen outside the clock), and every frame.
CPU seconds include reading the packets; of each way the cheapest round counts. Exit status 1 if frames differ.
"""

import argparse
import datetime
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
from refocus.core.progress import bar
from refocus.video.closure import runs, shown_at
from refocus.video.decode import plan_clip
from refocus.video.decode_report import SLACK_S, DecodeReport
from refocus.video.probe import opened
from refocus.video.selective_decode import selective_decode
from refocus.video.track import Track

from benchmarks.clips import DISCARD_RECIPES, rendered
from benchmarks.decode_ways import SETTINGS, versions
from benchmarks.report import processor, table, write
from tests.support.oracle import closure, packets_of
from tests.support.videos import played_at

ROOT = Path(__file__).resolve().parents[1]
RATES = (4.0, 1.0)  # frames per second
HEAD = ("clip", "frames", "decoded", "closure", "every frame", "CPU s", "closure CPU s", "every frame CPU s")
Way = Callable[[Path, Sequence[float]], int]  # how many frames came out of the decoder


def main(argv: list[str] | None = None) -> int:
    """Runs the benchmark; 0 if selective decoding shows what a decode of the whole file shows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_discard", description=__doc__)
    real = os.environ.get("REFOCUS_TEST_DATA")
    parser.add_argument("--clips", type=Path, default=ROOT / "results" / "bench", help="where rendered clips are kept")
    parser.add_argument("--real", type=Path, default=Path(real) / "videos" if real else None, help="real videos")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    parser.add_argument("--only", default="", help="clips whose name has this in it")
    parser.add_argument("--out", type=Path, help="a Markdown file whose part on discarding is replaced")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    clips = {name: rendered(name, args.clips) for name in DISCARD_RECIPES if args.only in name}
    if args.real:
        clips |= {
            f"real: {path.name}": path for path in sorted(args.real.glob("*.m[pk][4v]")) if args.only in path.name
        }
    rows, same = [], True
    for name, path in bar(list(clips.items()), desc="bench", unit="clip"):
        for rate in RATES:
            row, equal = measured(path, rate, args.rounds)
            rows.append((f"{name}, {rate:g} fps", *row, "same" if equal else "**differ**"))
            same = same and equal
    text = (
        f"{datetime.date.today()}, {os.cpu_count()} cores of {processor()}, load {os.getloadavg()[0]:.1f} at the end; "
        f"{versions()}; `python -m benchmarks.bench_discard --rounds {args.rounds}`.\n\n"
        + table((*HEAD, "CPU / closure", "CPU / every", "frames"), rows)
    )
    sys.stdout.write(text)
    if args.out:
        write(args.out, "bench-discard", text)
    return 0 if same else 1


def measured(path: Path, rate: float, rounds: int) -> tuple[list[int | str], bool]:
    """One row of the table but its name and last cell, and whether the frames are those of a whole decode."""
    times = plan_clip(path, rate, SETTINGS.max_frames, None, None).times_s
    ways: list[Way] = [selective, closure_alone(path, times), every_frame]
    best, decoded = [float("inf")] * len(ways), [0] * len(ways)
    for _ in range(rounds):
        for place, way in enumerate(ways):
            begin = time.process_time()
            decoded[place] = way(path, times)
            best[place] = min(best[place], time.process_time() - begin)
    shown = {index: digest for indices, digest in digests(path, times) for index in indices}
    costs = [f"{cpu_s:.3f}" for cpu_s in (*best, best[0] / best[1], best[0] / best[2])]
    return [len(set(shown.values())), *decoded, *costs], shown == dict(enumerate(whole(path, times)))


def selective(path: Path, times_s: Sequence[float]) -> int:
    """As a shard is decoded."""
    report = DecodeReport()
    with opened(path) as (container, stream):
        for _ in selective_decode(Track(path, container, stream), times_s, report, None):
            pass
    return report.decoded


def every_frame(path: Path, times_s: Sequence[float]) -> int:
    """The whole file, one frame after the other."""
    with opened(path) as (container, stream):
        return sum(1 for _ in container.decode(stream))


def closure_alone(path: Path, times_s: Sequence[float]) -> Way:
    """A way that reads all packets and decodes those of the closure, which is chosen here."""
    with opened(path) as (container, stream):
        packets = Track(path, container, stream).read(times_s[-1] + 1)
        wanted = shown_at(packets, times_s, SLACK_S) or []
        spans = runs(packets.starts, packets.pts, {one.packet for one in wanted})
        needed = closure(packets_of(path), {packets.pts[one.packet] for one in wanted}, stream.codec_context.name)
    chosen = [[number for number in span if packets.pts[number] in needed] for span in spans]

    def way(path: Path, times_s: Sequence[float]) -> int:
        count = 0
        with opened(path) as (container, stream):
            read = [packet for packet in container.demux(stream) if packet.size]
            for numbers in chosen:
                for number in numbers:
                    count += len(stream.decode(read[number]))
                count += len(stream.decode(None))
                stream.codec_context.flush_buffers()
        return count

    return way


def digests(path: Path, times_s: Sequence[float]) -> list[tuple[tuple[int, ...], str]]:
    """Indices of times and the content of the frame that selective decoding shows then."""
    with opened(path) as (container, stream):
        found = selective_decode(Track(path, container, stream), times_s, DecodeReport(), None)
        return [(wanted.times, digest(frame)) for frame, wanted in found]


def whole(path: Path, times_s: Sequence[float]) -> list[str]:
    """The content of the frame at each time, of all frames in presentation order."""
    with opened(path) as (container, stream):
        found = sorted((frame.pts * stream.time_base, digest(frame)) for frame in container.decode(stream))
    starts = [float(time_s - found[0][0]) for time_s, _ in found]
    return [found[played_at(starts, time_s)][1] for time_s in times_s]


def digest(frame: av.VideoFrame) -> str:
    """Of a frame's pixels as they are stored."""
    return hashlib.md5(frame.to_ndarray().tobytes()).hexdigest()


if __name__ == "__main__":
    av.logging.set_level(None)
    sys.exit(main())
