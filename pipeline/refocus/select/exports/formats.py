"""The formats that selections are written in and read from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from refocus.core.errors import UsageError
from refocus.select.exports.bolt import Bolt
from refocus.select.exports.checks import prefix_order
from refocus.select.exports.jsonl import CanonicalJsonl
from refocus.select.exports.lists import AnnotationsWithFrames, SelectedFrames, VideoItg
from refocus.select.exports.picked import Asked, ExportSources, ForeignPicks, PickedTable
from refocus.select.exports.vllm import VllmRequests


class ExportFormat(Protocol):
    """A kind of file that some program reads picks from."""

    name: str

    def write(self, tables: Sequence[PickedTable], sources: ExportSources, path: Path) -> None:
        """Writes the file, or refuses with the reason what its readers would get wrong."""

    def read(self, path: Path, asked: Asked, sources: ExportSources) -> dict[str, ForeignPicks]:
        """The picks in a file of this kind, by qa_id."""


FORMATS: dict[str, ExportFormat] = {
    format.name: format
    for format in (
        CanonicalJsonl(),
        SelectedFrames(),
        AnnotationsWithFrames("frame_idx", prefix_order),
        AnnotationsWithFrames("keyframe_indices", lambda row: row.frames_indices),
        VideoItg(),
        Bolt(),
        VllmRequests(),
    )
}


# Formats in use that are not written, because what they leave out cannot be made up for
REFUSED = {
    "dig": "DIG's file finds picks by video and question, and equal questions about one video (MLVU has four) get the "
    "picks of the last; use jsonl",
    "tstar": "T*'s and LV-Haystack's files mix seconds (keyframe_timestamps) and frame numbers (gt_frame_index); use "
    "jsonl, which names both",
}


def export_format(name: str) -> ExportFormat:
    """The format called `name`.

    Raises:
        UsageError: there is none, or it is refused for a reason.
    """
    if name in REFUSED:
        raise UsageError(f"{name} is not written: {REFUSED[name]}")
    if name not in FORMATS:
        raise UsageError(f"no format is called '{name}'; there are {', '.join(FORMATS)}")
    return FORMATS[name]
