"""What Snakemake noted of each job in `.snakemake/metadata`: rule, inputs, parameters, log, times."""

import ast
import contextlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from refocus.core.errors import RefocusError

FOLDER = Path(".snakemake") / "metadata"
LONGEST_NAME = 255  # where the file system does not say


@dataclass(frozen=True)
class JobRecord:
    """The job that made a file.

    rule: its name. inputs, logs: paths as the workflow writes them. params: what the rule compares, as text. began,
    ended: when. checksums: SHA-256 of the inputs as the job read them, without those above a megabyte.
    """

    rule: str
    inputs: tuple[str, ...]
    params: tuple[str, ...]
    logs: tuple[str, ...]
    began: datetime
    ended: datetime
    checksums: Mapping[str, str] = field(default_factory=dict)


class JobRecords:
    """The records of one folder in which Snakemake was run."""

    def __init__(self, workdir: Path):
        """
        Raises:
            RefocusError: Snakemake has not run there, or keeps its records in a database.
        """
        self.workdir, self._folder = workdir, workdir / FOLDER
        if not self._folder.is_dir():
            raise RefocusError(f"{workdir} has no {FOLDER}: name the folder that snakemake was run in with --directory")

    def files(self) -> Iterator[str]:
        """The files that have a record, as the workflow names them; names that are none of its own are left out."""
        for folder, _, names in os.walk(self._folder):
            above = Path(folder).relative_to(self._folder).parts
            for name in names:
                with contextlib.suppress(ValueError):  # of base64, and of UTF-8
                    yield urlsafe_b64decode("".join(part.removeprefix("@") for part in (*above, name))).decode()

    def of(self, file: str) -> JobRecord | None:
        """Of the job that made a file; None where no job did, or its record is gone or cannot be read."""
        path = self._folder.joinpath(*_parts(file, _longest_name(self._folder)))
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return JobRecord(
                rule=str(found["rule"]),
                inputs=tuple(found["input"]),
                params=tuple(_params(found["params"])),
                logs=tuple(found["log"]),
                began=datetime.fromtimestamp(found["starttime"], UTC),
                ended=datetime.fromtimestamp(found["endtime"], UTC),
                checksums=_checksums(found.get("input_checksums")),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SyntaxError) as error:
            raise RefocusError(f"{path}, Snakemake's record of {file}, cannot be read: {error}") from None


def _params(value: object) -> list[str]:
    """A list, or a list as JSON text."""
    values = json.loads(value) if isinstance(value, str) else value
    return [str(one) for one in values] if isinstance(values, list) else []


def _checksums(value: object) -> dict[str, str]:
    """Of `sha256:…`; a mapping, or one as Python prints it. Other algorithms are left out."""
    values = ast.literal_eval(value) if isinstance(value, str) else value
    named = values.items() if isinstance(values, dict) else ()
    parts = [(file, str(text).partition(":")) for file, text in named]
    return {file: digest for file, (algorithm, _, digest) in parts if algorithm == "sha256"}


def _parts(file: str, longest: int) -> list[str]:
    """A record's path below the folder: the file's name in base64, cut where it is too long for one name."""
    name = urlsafe_b64encode(file.encode()).decode()
    pieces = [name[start : start + longest - 1] for start in range(0, len(name), longest - 1)]
    return [*(f"@{piece}" for piece in pieces[:-1]), pieces[-1]]


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX") or LONGEST_NAME
    except (OSError, ValueError):
        return LONGEST_NAME
