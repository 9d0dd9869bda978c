"""When the answer to a question can be seen: written by ingest where annotations say so, read by the oracle selector.

A table holds one row per span. Ingest's name the question by `qa_id`; the synthetic world's by `dataset` and
`source_id`. Times are seconds of the video file, half-open; a span that ends where it begins is one moment.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import settings_of
from refocus.qa.loose_values import Span
from refocus.qa.raw_question import RawQuestion
from refocus.qa.records import Question
from refocus.video.length import header_duration
from refocus.video.packets import rate_of
from refocus.video.probe import VideoError, opened

SCHEMA = pa.schema([("qa_id", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())])
_BY_SOURCE = ["source_id", "dataset", "start_s", "end_s"]


@dataclass(frozen=True)
class Evidence:
    """Spans by qa_id, or by data set and source_id. Of a table that is not `complete` some questions may be absent."""

    spans: Mapping[str | tuple[str, str], list[Span]]
    complete: bool = True

    def of(self, question: Question) -> list[Span]:
        """The spans of a question; empty where they are not known."""
        return self.spans.get(question.qa_id) or self.spans.get((question.dataset, question.source_id)) or []


def read_evidence(path: Path, dataset: str) -> Evidence:
    """The evidence for one data set or benchmark, from a table of either form.

    A truth table of one data set serves a benchmark that was given another name; ingest's serves none but its own.

    Raises:
        RefocusError: the file is missing, is neither of the two tables, or is about several other data sets.
    """
    with parquet.opened(path) as file:
        there = set(file.schema_arrow.names)
        by_id = set(SCHEMA.names) <= there
        missing = [] if by_id else [name for name in _BY_SOURCE if name not in there]
        if missing:
            raise RefocusError(f"{path} is no table of evidence or truth: it has no column '{missing[0]}'")
        rows = file.read(columns=SCHEMA.names if by_id else _BY_SOURCE).to_pylist()
        written_for = settings_of(file.schema_arrow).get("dataset", dataset)
    spans: dict[str | tuple[str, str], list[Span]] = {}
    if by_id:
        for row in rows if written_for == dataset else ():
            spans.setdefault(row["qa_id"], []).append((row["start_s"], row["end_s"]))
        return Evidence(spans, complete=not spans)
    names = {row["dataset"] for row in rows}
    if dataset not in names and len(names) > 1:
        raise RefocusError(f"{path} is about {', '.join(sorted(names))}, not about {dataset}")
    for row in rows:
        if row["dataset"] == dataset or dataset not in names:
            spans.setdefault((dataset, row["source_id"]), []).append((row["start_s"], row["end_s"]))
    return Evidence(spans)


def datasets_in(path: Path) -> set[str]:
    """The data sets that a table is about; none where a table of ingest's does not say.

    Raises:
        RefocusError: the file is missing or has neither table's columns.
    """
    schema = parquet.read_schema(path)
    if "qa_id" in schema.names:
        return {settings_of(schema)["dataset"]} if "dataset" in settings_of(schema) else set()
    return set(parquet.read_table(path, columns=["dataset"])["dataset"].to_pylist())


def visible(span: Span, timestamps_s: Sequence[float]) -> Span:
    """When a kept frame shows a span, half-open: the span itself or, where it is too short to hold a kept frame, the
    time for which the frame that is shown at its middle stands.

    Args:
        timestamps_s: when each kept frame of the clip is shown, ascending, at least one.
    """
    start, end = span
    if any(start <= time_s < end for time_s in timestamps_s):
        return span
    frame = max(0, bisect_right(timestamps_s, (start + end) / 2) - 1)
    return timestamps_s[frame], timestamps_s[frame + 1] if frame + 1 < len(timestamps_s) else math.inf


class FileClock:
    """When frames are shown that annotations give by number, and where videos end; opens each file once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._headers: dict[str, tuple[float, float | None]] = {}

    def spans(self, video_path: str, frames: tuple[int, ...]) -> list[Span]:
        """When each frame is shown; frames behind the end are left out, all of them where the rate is not known."""
        rate, duration = self._of(video_path)
        if not rate:
            return []
        spans = [(frame / rate, (frame + 1) / rate) for frame in sorted(set(frames)) if frame >= 0]
        return [span for span in spans if duration is None or span[0] < duration]

    def ends(self, video_path: str) -> float:
        """Where the file ends by its header, in seconds; infinity where that is not known."""
        return self._of(video_path)[1] or math.inf

    def reads(self, video_path: str) -> bool:
        """Whether the file is there and says how many frames it has a second."""
        return self._of(video_path)[0] > 0

    def _of(self, video_path: str) -> tuple[float, float | None]:
        if video_path not in self._headers:
            self._headers[video_path] = self._header(video_path)
        return self._headers[video_path]

    def _header(self, video_path: str) -> tuple[float, float | None]:
        try:
            with opened(self.root / video_path) as (container, stream):
                return rate_of(stream), header_duration(container, stream)
        except VideoError:
            return 0.0, None  # missing or unreadable: reported elsewhere


@dataclass(frozen=True)
class EvidenceFound:
    """Rows of `SCHEMA`, and the questions (qa_id) that lose evidence, some or all, with the reason."""

    rows: list[dict[str, object]]
    lost: dict[str, str]


NO_VIDEO = "names frames of a video that cannot be read"
NO_FRAME = "names frames that the video does not have"
BEHIND = "begins behind the end of the video"
OUTSIDE = "lies outside the question's clip (start to end; all times are seconds of the file)"


def find_evidence(raw: Mapping[str, RawQuestion], videos: Mapping[str, str], root: Path) -> EvidenceFound:
    """When each question's answer can be seen; spans wholly outside the question's clip or its video are no evidence.

    Args:
        raw: raw questions by qa_id. videos: the file of each, relative to `root`.
    """
    times = FileClock(root)
    rows: list[dict[str, object]] = []
    lost: dict[str, str] = {}
    for qa_id, row in raw.items():
        frames = times.spans(videos[qa_id], row.evidence_frames)
        spans = [*row.evidence, *frames]
        end = times.ends(videos[qa_id])
        inside = [span for span in spans if span[0] < end and _meets(span, row.start_s or 0.0, row.end_s or math.inf)]
        rows += [{"qa_id": qa_id, "start_s": start, "end_s": end} for start, end in inside]
        if len(frames) < len(set(row.evidence_frames)):
            lost[qa_id] = NO_FRAME if times.reads(videos[qa_id]) else NO_VIDEO
        elif len(inside) < len(spans):
            lost[qa_id] = BEHIND if any(start >= end for start, _ in spans) else OUTSIDE
    return EvidenceFound(rows, lost)


def _meets(span: Span, start_s: float, end_s: float) -> bool:
    """Whether a part of a span, or the moment it is, lies in a clip."""
    first, last = span
    return first < end_s and (last > start_s or first >= start_s)
