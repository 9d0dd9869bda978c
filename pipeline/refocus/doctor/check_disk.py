"""Whether the results will fit where they are to go."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refocus.config.root import Root
from refocus.doctor.findings import Finding, Report
from refocus.plan.source_lengths import frames_of


def examine_disk(root: Root, reports: Sequence[Report]) -> list[Finding]:
    """Free space beside what the frames of all sources will take, as far as durations are known."""
    place = Path(root.results).absolute()
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    if not os.access(there, os.W_OK):
        return [Finding("error", "disk", f"{there}: may not be written to", "set `results` to another folder")]
    free = shutil.disk_usage(there).free
    frames = {report.name: _frames_bytes(root, report) for report in reports}
    known = {name: size for name, size in frames.items() if size is not None}
    needed = sum(known.values())
    text = f"{_size(free)} are free at {there}"
    if not known:
        return [Finding("note", "disk", text)]
    names = ", ".join(known)
    text += f"; frames of {names} will take about {_size(needed)} as JPEG, less what the store has already"
    if needed > free:
        return [Finding("warning", "disk", text, "set `results` to a larger disk, or lower decode.max_frames")]
    return [Finding("note", "disk", text)]


def _frames_bytes(root: Root, report: Report) -> int | None:
    """Of the lengths that its headers say, else of those that `plan.sources` assumes; None if neither says any."""
    if report.frames_bytes is not None or not report.clips:
        return report.frames_bytes
    assumed = root.plan.sources.get(report.name)
    if assumed is None or not assumed.seconds:
        return None
    kept = frames_of(np.array(assumed.seconds, float), root.decode).mean()
    return round(report.clips * float(kept) * 1e3 * root.plan.jpeg_frame_kb * (root.decode.size / 384) ** 2)


def _size(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.1f} MB"
