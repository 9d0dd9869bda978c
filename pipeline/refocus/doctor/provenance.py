"""Where a result comes from: the jobs behind it, back to files that no job made."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from refocus.core.errors import UsageError
from refocus.core.files import file_digest
from refocus.doctor.job_records import JobRecord, JobRecords

DIGESTED_UP_TO = 64 * 1024 * 1024  # bytes; of larger sources the size is told
SLACK = timedelta(seconds=2)  # between clocks of file systems and of the machine
EVER_BEFORE, EVER_AFTER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MADE_BY = re.compile(r"^\w[\w-]*: made by (\{.*\})$", re.MULTILINE)


@dataclass
class RuleStep:
    """What one rule made of the chain.

    files: its outputs that the result rests on. params: what its jobs were told, each way once. made_by: what they were
    run by, as their logs say, each way once.
    """

    rule: str
    files: list[str] = field(default_factory=list)
    params: list[tuple[str, ...]] = field(default_factory=list)
    made_by: list[dict[str, Any]] = field(default_factory=list)
    began: datetime = EVER_AFTER
    ended: datetime = EVER_BEFORE

    def add(self, file: str, record: JobRecord, made_by: dict[str, Any] | None) -> None:
        """One more file."""
        self.files.append(file)
        if record.params not in self.params:
            self.params.append(record.params)
        if made_by is not None and made_by not in self.made_by:
            self.made_by.append(made_by)
        self.began, self.ended = min(self.began, record.began), max(self.ended, record.ended)


@dataclass(frozen=True)
class Source:
    """A file or folder that no job made. digest: SHA-256 of a file up to 64 MiB, else None."""

    path: str
    there: bool
    bytes: int | None = None
    digest: str | None = None


@dataclass
class Chain:
    """A result's steps, the last first, and its sources. problems: what does not fit together, in words."""

    result: str
    steps: list[RuleStep]
    sources: list[Source]
    problems: list[str]

    def plain(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        steps = [
            {**vars(step), "began": step.began.isoformat(), "ended": step.ended.isoformat()} for step in self.steps
        ]
        sources = [vars(source) for source in self.sources]
        return {"result": self.result, "steps": steps, "sources": sources, "problems": self.problems}


def trace(result: str, records: JobRecords) -> Chain:
    """Follows a result back through the jobs' inputs.

    Raises:
        UsageError: no job made it.
        RefocusError: a record cannot be read.
    """
    if records.of(result) is None:
        raise UsageError(
            f"no job that ran in {records.workdir} made {result}: name a result as the workflow does, from there"
        )
    order, steps, sources = [result], dict[str, RuleStep](), dict[str, Source]()
    problems: list[str] = []
    seen = {result}
    for file in order:  # grows while it is walked through
        record = records.of(file)
        if record is None:
            sources[file] = _source(file, records.workdir / file)
            continue
        steps.setdefault(record.rule, RuleStep(record.rule)).add(file, record, _made_by(record, records.workdir))
        problems += _problems(file, record, records)
        order += [name for name in dict.fromkeys(record.inputs) if name not in seen]
        seen.update(record.inputs)
    return Chain(result, list(steps.values()), list(sources.values()), problems)


def lines(chain: Chain) -> Iterator[str]:
    """The chain as text."""
    yield f"{chain.result} rests on {sum(len(step.files) for step in chain.steps):,} files of {len(chain.steps)} rules"
    for step in chain.steps:
        yield ""
        more = f" and {len(step.files) - 1:,} more" if len(step.files) > 1 else ""
        yield f"{step.rule}: {step.files[0]}{more}"
        yield f"  {_minute(step.began)} to {_minute(step.ended)}, UTC"
        for made_by in step.made_by:
            yield f"  by refocus {made_by.get('refocus')}, commit {made_by.get('commit')}, {made_by.get('processor')}"
        for name, values in _told(step):
            yield f"  {name}: {values}"
    yield ""
    yield f"sources, which no job made: {len(chain.sources):,}"
    for source in chain.sources:
        what = f"{source.bytes:,} bytes" if source.bytes is not None else "folder" if source.there else "not there"
        yield f"  {source.path}: {what}" + (f", sha256 {source.digest[:12]}" if source.digest else "")
    if chain.problems:
        yield ""
    yield from (f"PROBLEM: {problem}" for problem in chain.problems)


def _told(step: RuleStep) -> Iterator[tuple[str, str]]:
    """What the rule compares: settings that all its jobs share, and how many ways there are of others."""
    for values in zip(*step.params, strict=False):
        ways = list(dict.fromkeys(values))
        if len(ways) == 1 and ways[0].strip("'\""):
            yield "told", ways[0]
        elif len(ways) > 1:
            yield "told", f"{len(ways)} values: {ways[0]}, …"


def _minute(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")


def _made_by(record: JobRecord, workdir: Path) -> dict[str, Any] | None:
    """What the job's log says it was run by."""
    for log in record.logs:
        try:
            with (workdir / log).open(encoding="utf-8", errors="replace") as file:
                found = _MADE_BY.search(file.read(1 << 14))
        except OSError:
            continue
        if found:
            return json.loads(found[1])
    return None


def _problems(file: str, record: JobRecord, records: JobRecords) -> Iterator[str]:
    """What makes a record doubtful: the file is gone or was changed later, or an input was."""
    changed = _changed(records.workdir / file)
    if changed is None:
        yield f"{file} is gone"
    elif changed > record.ended + SLACK:
        yield f"{file} was changed after its job ended ({_minute(changed)})"
    for name in record.inputs:
        later = _changed(records.workdir / name)
        if later is not None and later > record.ended + SLACK and not (records.workdir / name).is_dir():
            yield f"{name} is newer than {file}, which was made of it ({record.rule})"
        elif later is not None and name in record.checksums and not _is_as_read(records.workdir / name, record, name):
            yield f"{name} is not what {file} was made of ({record.rule}), though its date is older"


def _is_as_read(path: Path, record: JobRecord, name: str) -> bool:
    return not path.is_file() or file_digest(path) == record.checksums[name]


def _changed(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def _source(name: str, path: Path) -> Source:
    if not path.exists():
        return Source(name, there=False)
    if path.is_dir():
        return Source(name, there=True)
    size = path.stat().st_size
    return Source(name, True, size, file_digest(path) if size <= DIGESTED_UP_TO else None)
