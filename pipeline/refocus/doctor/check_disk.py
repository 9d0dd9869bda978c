"""Whether the results will fit where they are to go."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from refocus.config.root import Root
from refocus.doctor.findings import Finding, Report


def examine_disk(root: Root, reports: Sequence[Report]) -> list[Finding]:
    """Free space beside what the frames of all sources will take, as far as durations are known."""
    place = Path(root.results).absolute()
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    if not os.access(there, os.W_OK):
        return [Finding("error", "disk", f"{there}: may not be written to", "set `results` to another folder")]
    free = shutil.disk_usage(there).free
    known = [report for report in reports if report.frames_bytes is not None]
    needed = sum(report.frames_bytes or 0 for report in known)
    text = f"{_gigabytes(free)} are free at {there}"
    if not known:
        return [Finding("note", "disk", text)]
    names = ", ".join(report.name for report in known)
    text += f"; frames of {names} will take about {_gigabytes(needed)} as JPEG, less what the store has already"
    if needed > free:
        return [Finding("warning", "disk", text, "set `results` to a larger disk, or lower decode.max_frames")]
    return [Finding("note", "disk", text)]


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB"
