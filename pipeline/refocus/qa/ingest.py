"""Stage 1: annotation files of one data set or benchmark become questions, rejects, clips and shard lists."""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from refocus.config.formats import TABLES, annotation_files
from refocus.config.ingest import IngestSettings
from refocus.core.counted import counted
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import write_table
from refocus.core.progress import bar
from refocus.core.results_folder import CLIPS, EVIDENCE, KEPT_SHARDS, QUESTIONS, REJECTS, STORE
from refocus.qa.adapters import adapter, checked_options
from refocus.qa.adapters.fields import UNREAD
from refocus.qa.clips import Clip
from refocus.qa.evidence import SCHEMA, find_evidence
from refocus.qa.raw_question import RawQuestion, build
from refocus.qa.records import DROPPED, REJECT_SCHEMA, Question, Reject, questions_table
from refocus.qa.remarks import remarks
from refocus.qa.shard_lists import assign, clips_table, read_kept, write_kept, write_lists
from refocus.qa.video_finder import VideoFinder
from refocus.qa.video_root import NOTE

logger = logging.getLogger(__name__)

SHOWN = 5  # rows of a list that a log line names
UNREADABLE = "is neither pairs of seconds nor clocks such as 0:12-0:14"


@dataclass(frozen=True)
class SourceFiles:
    """One data set or benchmark as the configuration names it."""

    name: str
    format: str
    annotations: tuple[Path, ...]  # files, or folders of tables
    videos: Path
    limit: int | None = None  # input rows to read, None = all
    options: Mapping[str, Any] | None = None  # options of this format, by the names its adapter has
    allowed_roots: tuple[Path, ...] = ()  # folders elsewhere that links below `videos` may lead into


@dataclass(frozen=True)
class Ingested:
    """What one data set came to."""

    questions: list[Question]
    rejects: list[Reject]
    missing: list[str]  # videos no file was found for
    raw: dict[str, RawQuestion] = field(default_factory=dict)  # by qa_id, those that say when their answer can be seen


def read_source(source: SourceFiles) -> Ingested:
    """Reads all annotation rows; every row ends in exactly one of questions and rejects.

    Raises:
        UsageError: an unknown format or option, an option's value that does not fit, or a data root that is not there.
        RefocusError: an annotation file cannot be read at all.
    """
    options = _options(source)
    if not source.videos.is_dir():
        raise UsageError(f"{source.name}: the videos folder {source.videos} does not exist")
    files = [file for path in source.annotations for file in annotation_files(source.format, path)]
    for folder in filter(Path.is_dir, files):
        kinds = " or ".join(TABLES.get(source.format, ("annotation",)))
        raise UsageError(f"{source.name}: the folder {folder} has no {kinds} file; name the files themselves")
    for folder in source.allowed_roots:
        if not folder.is_dir():
            raise UsageError(f"{source.name}: allowed_roots: the folder {folder} does not exist")
    finder = VideoFinder(source.videos, source.allowed_roots)
    raw_questions = islice(adapter(source.format).read(files, options), source.limit)
    raw: dict[str, RawQuestion] = {}
    questions: list[Question] = []
    rejects: list[Reject] = []
    for row in bar(build(source.name, raw_questions, finder, raw), desc=f"ingest {source.name}", unit="row"):
        if isinstance(row, Question):
            questions.append(row)
        else:
            rejects.append(row)
    used = {question.video_path for question in questions}
    return Ingested(questions, rejects, sorted(finder.missing & used), raw)


def ingest(
    source: SourceFiles,
    out: Path,
    settings: IngestSettings,
    shards: int | None = None,
    store: Path | None = None,
    planned: int | None = None,
) -> Ingested:
    """Writes `{name}.parquet`, and `.rejects`, `.clips`, `.evidence` beside it, and the lists in `shards/{name}/`.

    Args:
        shards: how many shard lists are written, empty ones included; None = as many as the clips fill.
        store: where the assignment of clips to shards is kept (`store/shards/{name}.parquet`); None = beside the
            output, in the earlier `{name}.clips.parquet`.
        planned: how many of the shards somebody waits for; None = all.
    Raises:
        RefocusError: more shards have clips than are planned.
        RefocusError: no row became a question, and none was dropped on purpose.
    """
    found = read_source(source)
    report(source, found)
    clips = {q.clip_id: Clip(q.clip_id, q.dataset, q.video_path, q.start_s, q.end_s) for q in found.questions}
    name = source.name
    clips_path = CLIPS.inside(out, dataset=name)
    kept_path = store / KEPT_SHARDS.fill(dataset=name).removeprefix(f"{STORE}/") if store else clips_path
    kept = read_kept(kept_path)
    rows = assign(clips.values(), kept, settings.clips_per_shard, shards)
    notes = {
        **settings.identity(),
        "format": source.format,
        "limit": source.limit,
        "options": _options(source),
    }
    if source.allowed_roots:
        notes[NOTE] = [os.path.realpath(folder) for folder in source.allowed_roots]
    if store:
        write_kept(kept_path, kept, rows)
    filled = max((row.shard for row in rows), default=-1) + 1
    if planned is not None and filled > planned:
        raise RefocusError(
            f"{name}: its clips now fill {filled} shards, and this run has planned jobs for {planned}: start it again"
        )
    rejects = pa.Table.from_pylist([vars(reject) for reject in found.rejects], schema=REJECT_SCHEMA)
    write_table(REJECTS.inside(out, dataset=name), rejects, "ingest", notes)
    _write_evidence(EVIDENCE.inside(out, dataset=name), source, found)
    questions = questions_table(found.questions)
    write_lists(out / "shards" / name, rows, questions, filled if shards is None else shards, notes)
    write_table(clips_path, clips_table(rows), "ingest", notes)
    write_table(QUESTIONS.inside(out, dataset=name), questions, "ingest", notes)
    if not found.questions and not any(reject.reason == DROPPED for reject in found.rejects):
        raise RefocusError(
            f"{source.name}: none of {counted(len(found.rejects), 'row')} is a usable question{_first(found.rejects)}"
        )
    return found


def _write_evidence(path: Path, source: SourceFiles, found: Ingested) -> None:
    """Writes when the answers can be seen, as far as the annotations say so."""
    videos = {question.qa_id: question.video_path for question in found.questions if question.qa_id in found.raw}
    evidence = find_evidence(found.raw, videos, source.videos)
    unread = dict.fromkeys((question.qa_id for question in found.questions if UNREAD in question.flags), UNREADABLE)
    lost = unread | evidence.lost
    if found.raw or unread:
        known = counted(len({row["qa_id"] for row in evidence.rows}), "question")
        logger.info("%s: when the answer can be seen is known of %s", source.name, known)
    for reason, count in sorted(Counter(lost.values()).items()):
        names = [question.source_id for question in found.questions if lost.get(question.qa_id) == reason][:SHOWN]
        what = f"evidence of {counted(count, 'question')} is left out where it {reason}: {', '.join(names)}"
        logger.warning("%s: %s%s", source.name, what, " …" if count > SHOWN else "")
    write_table(path, pa.Table.from_pylist(evidence.rows, schema=SCHEMA), "ingest", {"dataset": source.name})


def _options(source: SourceFiles) -> dict[str, Any]:
    """The options an adapter reads with: those that are given or have a default."""
    try:
        options = checked_options(source.format, source.options or {})
    except UsageError as error:
        raise UsageError(f"{source.name}: {error}") from error
    return options.model_dump(mode="json", exclude_none=True)


def report(source: SourceFiles, found: Ingested) -> None:
    """Logs the counts: questions, videos, rejects by reason, missing videos."""
    videos = len({question.video_path for question in found.questions})
    numbers = ((len(found.questions), "question"), (videos, "video"), (len(found.rejects), "reject"))
    logger.info("%s: %s on %s, %s", source.name, *(counted(number, noun) for number, noun in numbers))
    for reason, count in sorted(Counter(reject.reason for reject in found.rejects).items()):
        examples = [reject.detail for reject in found.rejects if reject.reason == reason][:SHOWN]
        rows = counted(count, "row")
        logger.warning("%s: %s rejected as %s, such as %s", source.name, rows, reason, "; ".join(examples))
    for _, text in remarks(source.format, found.questions):
        logger.warning("%s: %s", source.name, text)
    if found.missing:
        shown = ", ".join(found.missing[:SHOWN]) + (" …" if len(found.missing) > SHOWN else "")
        lost = f"{len(found.missing)} of {counted(videos, 'video')}"
        hint = "; is it the folder that the paths begin in?" if len(found.missing) == videos else ""
        logger.warning("%s: %s missing below %s: %s%s", source.name, lost, source.videos, shown, hint)


def _first(rejects: Sequence[Reject]) -> str:
    return f" (the first: {rejects[0].detail})" if rejects else ""
