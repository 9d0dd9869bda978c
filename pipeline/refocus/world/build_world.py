"""Writes a whole world: the videos, the question files in four real formats, and when each answer can be seen."""

import dataclasses
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pyarrow as pa

from refocus.config.code_digest import sources
from refocus.config.world import WorldSettings
from refocus.core.files import digest, write_json, write_table
from refocus.core.progress import bar
from refocus.world.formats import FORMATS
from refocus.world.render_video import Encoding, write_video
from refocus.world.scene import Scene
from refocus.world.world_plan import BENCHMARKS, Video, plan


def build(settings: WorldSettings, out: Path) -> None:
    """Writes the world below `out`; a video that an earlier run finished from the same plan is kept.

    Writes `<format>/…` with the annotation files and videos, `truth/<benchmark>.parquet` (`source_id, dataset,
    start_s, end_s, kind`), and last `world.json` with the plan's fingerprint and counts.
    """
    jobs: dict[Path, Video] = {}
    parts: dict[str, dict[str, int]] = {}
    for part, (write, file) in FORMATS.items():
        videos = plan(settings, part)
        ids = write(out / part, videos)
        jobs.update({out / part / file(video): video for video in videos})
        parts[part] = {"videos": len(videos), "questions": sum(map(len, ids))}
        if part in BENCHMARKS:
            write_table(out / "truth" / f"{part}.parquet", _truth(part, videos, ids), "world", settings.identity())
    _render(jobs, settings.runtime.workers)
    summary = {"settings": settings.identity(), "fingerprint": fingerprint(settings), "parts": parts}
    write_json(out / "world.json", summary)


def fingerprint(settings: WorldSettings) -> str:
    """Digest of everything that is drawn and asked, and of the code that draws it."""
    plans = [dataclasses.asdict(video) for part in FORMATS for video in plan(settings, part)]
    return digest([plans, sources("refocus.world.draw", "refocus.world.render_video")])


def _truth(part: str, videos: list[Video], ids: list[list[str]]) -> pa.Table:
    rows = [
        {"source_id": source_id, "dataset": part, "start_s": start_s, "end_s": end_s, "kind": q.kind}
        for video, named in zip(videos, ids, strict=True)
        for source_id, q in zip(named, video.questions, strict=True)
        for start_s, end_s in q.spans
    ]
    return pa.Table.from_pylist(rows)


def _render(jobs: dict[Path, Video], workers: int) -> None:
    """Renders what is missing; a sidecar file names the plan each video was made from."""
    missing = {path: video for path, video in jobs.items() if not _finished(path, video)}
    progress = bar(total=len(jobs), desc="render videos", unit="video")
    progress.update(len(jobs) - len(missing))
    with ProcessPoolExecutor(workers) as pool:
        futures = [
            pool.submit(_encode, path, video.scene, video.encoding, _plan_digest(video))
            for path, video in missing.items()
        ]
        for future in as_completed(futures):
            future.result()
            progress.update()
    progress.close()


def _encode(path: Path, scene: Scene, encoding: Encoding, plan_digest: str) -> None:
    write_video(path, scene, encoding)
    path.with_suffix(".plan").write_text(plan_digest)


def _finished(path: Path, video: Video) -> bool:
    sidecar = path.with_suffix(".plan")
    return path.is_file() and sidecar.is_file() and sidecar.read_text() == _plan_digest(video)


def _plan_digest(video: Video) -> str:
    return digest([dataclasses.asdict(video.scene), dataclasses.asdict(video.encoding)])
