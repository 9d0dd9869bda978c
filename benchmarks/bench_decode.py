"""`make bench-decode`: what decoding costs, in CPU seconds, beside the least it could cost and beside other libraries.

Every way is measured in its own worker process, one after the other, in rounds; of each the cheapest round counts.
The gate: no more frames decoded than the dependency closure has, counted by libavcodec's own parsers, and no more CPU
time than 1.05 x the decoder calls for that closure + 2 ms per stored frame. Exit status 1 if a clip misses it.
"""

import argparse
import datetime
import json
import logging
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import av
from refocus.core.progress import bar
from refocus.video.closure import shown_at
from refocus.video.decode import plan_clip
from refocus.video.decode_report import SLACK_S
from refocus.video.probe import opened
from refocus.video.track import Track
from refocus.video.workers import LostJob, run_jobs

from benchmarks.clips import RECIPES, long_video, rendered
from benchmarks.decode_ways import SETTINGS, WAYS, Cost, measure, versions
from tests.support.oracle import closure, packets_of

ROOT = Path(__file__).resolve().parents[1]
SHARE, PER_FRAME_S = 1.05, 0.002
TIMEOUT_S = 600.0
MARKS = ("<!-- bench-decode -->\n", "<!-- /bench-decode -->\n")
logger = logging.getLogger("bench")


def main(argv: list[str] | None = None) -> int:
    """Runs the benchmark; 0 if every clip passes the gate."""
    args = arguments().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    clips = {name: rendered(name, args.clips) for name in RECIPES if not args.only or args.only in name}
    if args.real and args.real.is_dir():
        real = {f"real: {path.name}": path for path in sorted(args.real.iterdir()) if path.suffix != ".mov"}
        clips |= {name: path for name, path in real.items() if not args.only or args.only in name}
    peers = [] if args.peers is None else ["torchcodec", "torchcodec approximate", "opencv"]
    peers += [f"ffmpeg:{args.ffmpeg}"] if args.ffmpeg else []
    costs: dict[str, dict[str, list[Cost]]] = {name: {} for name in clips}
    released: dict[str, str] = {}
    work = [(name, way) for _ in range(args.rounds) for name in clips for way in [*WAYS, *peers]]
    for name, way in bar(work, desc="bench", unit="run"):
        cost = run(way, clips[name], args.peers, released)
        if isinstance(cost, str):
            logger.warning("%s, %s: %s", name, way, cost)
        else:
            costs[name].setdefault(way, []).append(cost)
    lines, passed = gate(clips, costs)
    lines += ["", *ratios(costs, peers)]
    lines += ["", *memory(clips, costs)]
    lines += ["", *two_workers(clips, args.rounds)]
    if args.long:
        lines += ["", *long(args.clips)]
    report = "\n".join([heading(args, released), "", *lines, ""])
    sys.stdout.write(report)
    if args.out:
        write(args.out, report)
    return 0 if passed else 1


def arguments() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_decode", description=__doc__)
    real = os.environ.get("REFOCUS_TEST_DATA")
    parser.add_argument("--clips", type=Path, default=ROOT / "results" / "bench", help="where rendered clips are kept")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    parser.add_argument("--only", help="clips whose name has this in it")
    parser.add_argument("--real", type=Path, default=Path(real) / "videos" if real else None, help="real videos")
    parser.add_argument("--peers", help="a Python that has torchcodec, OpenCV and simplejpeg")
    parser.add_argument("--ffmpeg", help="an ffmpeg program")
    parser.add_argument("--long", action="store_true", help="also a video of three hours (3 GB on disk)")
    parser.add_argument("--out", type=Path, help="a Markdown file whose part on decoding is replaced")
    return parser


def run(way: str, path: Path, peers: str | None, released: dict[str, str]) -> Cost | str:
    """One measurement in a process of its own, or why there is none."""
    if way in WAYS:
        ((_, cost),) = run_jobs(measure, [(way, path)], 1, TIMEOUT_S)
        return cost.reason if isinstance(cost, LostJob) else cost
    times = json.dumps(plan_clip(path, SETTINGS.fps, SETTINGS.max_frames, None, None).times_s)
    command = [peers or sys.executable, str(ROOT / "benchmarks" / "peer.py"), way, str(path), times]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return "does not end"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1][:200]
    found = json.loads(done.stdout)
    released[way.partition(":")[0].partition(" ")[0]] = found["version"]
    return Cost(found["cpu_s"], found["frames"]) if found["frames"] else "no frames, no error"


def least(costs: list[Cost] | None) -> Cost | None:
    """The cheapest round."""
    return min(costs, key=lambda cost: cost.cpu_s) if costs else None


def gate(clips: dict[str, Path], costs: dict[str, dict[str, list[Cost]]]) -> tuple[list[str], bool]:
    """The table of what is asked, and whether all of it is kept."""
    lines = [
        "| clip | packets | decoded | closure | stored | closure CPU s | whole stage CPU s | allowed | |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    passed = True
    for name, path in clips.items():
        ours, alone = least(costs[name].get("ours")), least(costs[name].get("closure"))
        if ours is None or alone is None:
            passed = False
            continue
        packets, needed = needed_packets(path)
        allowed = SHARE * alone.cpu_s + PER_FRAME_S * ours.frames
        kept = ours.decoded <= needed and ours.cpu_s <= allowed
        passed = passed and kept
        lines.append(
            f"| {name} | {packets} | {ours.decoded} | {needed} | {ours.frames} | {alone.cpu_s:.3f} | "
            f"{ours.cpu_s:.3f} | {allowed:.3f} | {'kept' if kept else 'missed'} |"
        )
    return lines, passed


def needed_packets(path: Path) -> tuple[int, int]:
    """How many packets a file has and how many its 4 fps grid needs, by `tests/support/oracle.py`."""
    times = plan_clip(path, SETTINGS.fps, SETTINGS.max_frames, None, None).times_s
    with opened(path) as (container, stream):
        table = Track(path, container, stream).read(times[-1] + 1)
        codec = stream.codec_context.name
    wanted = {table.pts[one.packet] for one in shown_at(table, times, SLACK_S) or []}
    packets = packets_of(path)
    return len(packets.order), len(closure(packets, wanted, codec))


def ratios(costs: dict[str, dict[str, list[Cost]]], peers: list[str]) -> list[str]:
    """What the whole stage costs of a plain decode, and how many times as much others cost."""
    shown = ["decord", *peers]
    lines = [
        "| clip | every frame CPU s | ours / every frame | "
        + " | ".join(f"{way.partition(':')[0]} / ours" for way in shown)
        + " |",
        "|---|--:|--:|" + "--:|" * len(shown),
    ]
    for name, found in costs.items():
        ours, every = least(found.get("ours")), least(found.get("every frame"))
        if ours is None or every is None:
            continue
        cells = [least(found.get(way)) for way in shown]
        others = [f"{cost.cpu_s / ours.cpu_s:.2f}{short(cost, ours)}" if cost else "–" for cost in cells]
        lines.append(f"| {name} | {every.cpu_s:.2f} | **{ours.cpu_s / every.cpu_s:.2f}** | {' | '.join(others)} |")
    return lines


def short(cost: Cost, ours: Cost) -> str:
    """A remark where another way gave clearly fewer or more frames."""
    return f" ({cost.frames} frames)" if abs(cost.frames - ours.frames) > 1 else ""


def memory(clips: dict[str, Path], costs: dict[str, dict[str, list[Cost]]]) -> list[str]:
    """The worker's peak beside what it may be."""
    lines = ["| clip | file MB | worker peak MB | allowed |", "|---|--:|--:|--:|"]
    for name, path in clips.items():
        ours = costs[name].get("ours")
        if ours:
            size = path.stat().st_size / 2**20
            peak = max(cost.memory_mb for cost in ours)
            lines.append(f"| {name} | {size:.1f} | {peak:.0f} | {150 + min(256.0, size):.0f} |")
    return lines


def two_workers(clips: dict[str, Path], rounds: int) -> list[str]:
    """CPU seconds of a clip by one worker and by two at a time."""
    lines = ["| clip | one worker, CPU s a clip | two workers | ratio |", "|---|--:|--:|--:|"]
    for name in list(clips)[:3]:
        totals: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for workers in totals:
                jobs = [("ours", clips[name])] * 4
                found = [cost for _, cost in run_jobs(measure, jobs, workers, TIMEOUT_S)]
                totals[workers].append(sum(cost.cpu_s for cost in found if isinstance(cost, Cost)) / len(jobs))
        one, two = min(totals[1]), min(totals[2])
        lines.append(f"| {name} | {one:.3f} | {two:.3f} | {two / one:.2f} |")
    return lines


def long(folder: Path) -> list[str]:
    """Three hours in the memory of a worker."""
    path = long_video(rendered("H.264 720p, GOP 30", folder), folder, 3 * 3600)
    ((_, cost),) = run_jobs(measure, [("ours", path)], 1, TIMEOUT_S)
    if isinstance(cost, LostJob):
        return [f"Three hours of 720p: {cost.reason}"]
    size = path.stat().st_size / 2**20
    return [
        f"Three hours of 720p, {size:.0f} MB, {cost.frames} frames: {cost.cpu_s:.1f} CPU s, {cost.decoded} frames "
        f"decoded, worker peak {cost.memory_mb:.0f} MB (allowed {150 + min(256.0, size):.0f})."
    ]


def heading(args: argparse.Namespace, released: dict[str, str]) -> str:
    """When, where, with what and by which command."""
    import decord

    given = {"torchcodec": "torchcodec", "opencv": "OpenCV", "ffmpeg": "ffmpeg"}
    others = [f"decord {decord.__version__}"] + [f"{given[name]} {version}" for name, version in released.items()]
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    command = ["python", "-m", "benchmarks.bench_decode", "--rounds", str(args.rounds)]
    command += ["--long"] if args.long else []
    command += ["--peers", "PYTHON"] if args.peers else []
    command += ["--ffmpeg", "FFMPEG"] if args.ffmpeg else []
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores of {cpu}, load {os.getloadavg()[0]:.1f} at the end; "
        f"{versions()}, {', '.join(others)}; `{shlex.join(command)}`."
    )


def write(path: Path, report: str) -> None:
    """Replaces what stands between the marks of a document."""
    before, _, rest = path.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    path.write_text(f"{before}{MARKS[0]}{report}{MARKS[1]}{after}")


if __name__ == "__main__":
    av.logging.set_level(None)
    sys.exit(main())
