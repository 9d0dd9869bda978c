"""What jobs noted of their inputs: which they were, and the SHA-256 of each that has no more than a megabyte.

So a file that carries no digest of its own may have one all the same, and it is known of every result whether what it
was made of is still there, and still the same.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.files import file_digest
from refocus.core.progress import bar
from refocus.doctor.intact.kinds import How, kind_of
from refocus.doctor.intact.tally import Damage
from refocus.doctor.job_records import JobRecord, JobRecords

REMAKE = "run again; if nothing runs, no configuration in use asks for it: delete it"


@dataclass(frozen=True)
class ReadByJob:
    """A file as a job read it. reader: a file that the job made."""

    sha256: str
    reader: str
    began: datetime


class Noted:
    """The readings of files below a results folder; paths are relative to that.

    Args:
        results: the folder.
        workdir: the folder that Snakemake was run in.
        files: what is below `results`.
    """

    def __init__(self, results: Path, workdir: Path, files: Sequence[str]) -> None:
        self.problem: str | None = None  # why there are no readings, or not all
        self.missing: dict[str, str] = {}  # what is not there, and a file that was made of it
        self.gone: list[str] = []  # what a job made and is not there, and nothing that is there was made of it
        self._readings: dict[str, dict[tuple[str, datetime], ReadByJob]] = {}
        self._made: dict[str, datetime] = {}
        self._readers: dict[str, str] = {}  # of every input one file that was made of it
        try:
            records = JobRecords(workdir)
        except RefocusError as error:
            self.problem = str(error)
            return
        for start in _starts(results, workdir):
            self._read(start, records, files)
            if self._made:
                self._miss(start, results, records)
                return
        self.problem = f"the jobs that ran in {workdir} made no file of {results}"

    def _read(self, start: str, records: JobRecords, files: Iterable[str]) -> None:
        for file in bar(files, desc="jobs", unit="file"):
            try:
                record = records.of(f"{start}/{file}")
            except RefocusError as error:
                self.problem = str(error)
                continue
            if record is not None:
                self._made[file] = record.ended
                self._add(start, file, record)

    def _miss(self, start: str, results: Path, records: JobRecords) -> None:
        """What jobs read or made below the folder and is not there; a folder in the place of a table is no table."""
        made = (name.removeprefix(f"{start}/") for name in records.files() if name.startswith(f"{start}/"))
        lost = {name for name in {*self._readers, *made} if not _is_there(results, name)}
        self.missing = {name: self._readers[name] for name in sorted(lost & self._readers.keys())}
        self.gone = sorted(lost - self.missing.keys())

    def _add(self, start: str, file: str, record: JobRecord) -> None:
        for name in record.inputs:
            if name.startswith(f"{start}/"):
                self._readers.setdefault(name.removeprefix(f"{start}/"), file)
        for name, sha256 in record.checksums.items():
            if name.startswith(f"{start}/"):
                reading = ReadByJob(sha256, file, record.began)
                self._readings.setdefault(name.removeprefix(f"{start}/"), {})[sha256, record.began] = reading

    def __contains__(self, file: str) -> bool:
        return file in self._readings

    def compare(self, file: str, path: Path, mend: str) -> tuple[list[Damage], list[Damage]]:
        """What is damaged, and what is outdated, by the readings of a file."""
        readings = list(self._readings.get(file, {}).values())
        if not readings:
            return [], []
        now = file_digest(path)
        others = [reading for reading in readings if reading.sha256 != now]
        made = self._made.get(file)
        again = [reading for reading in others if made is not None and made > reading.began]
        if others and len(others) == len(readings) and not again:
            return [Damage(file, f"is not what {others[0].reader} was made of: it was changed since", mend)], []
        what = f"was made of another {file} than is there now"
        return [], [Damage(reading.reader, what, REMAKE) for reading in others]


def _is_there(results: Path, name: str) -> bool:
    path, kind = results / name, kind_of(Path(name))
    return path.is_file() or (path.is_dir() and (kind is None or kind.how is How.NOTHING))


def _starts(results: Path, workdir: Path) -> Iterator[str]:
    """How the workflow may have named the folder; a copy of it lies elsewhere under the same name."""
    yield os.path.relpath(results, workdir)
    yield str(results.absolute())
    yield results.resolve().name
