"""Pages of docs/ as a reader copies them: files are written, commands and Python run, block after block.

| block | what happens |
|---|---|
| any with `title="NAME"` | becomes that file |
| `sh` | its lines run in bash, where the last one left off; lines that `skip` names are left out |
| `python` | runs; names are kept from block to block |
| `text` | is what the last one printed, numbers and widths of columns aside |
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.forked_python import JOBS_PYTHON, forked_python

BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[+-]?\d[\d.,:]*(?:e[+-]?\d+)?")
COMMANDS = {
    # `refocus run` becomes Snakemake, which a forked process cannot; its jobs are forked again.
    "refocus": 'if [ "$1" = run ]; then exec {python} -m refocus "$@"; else exec {quick} -m refocus "$@"; fi',
    "python": 'exec {quick} "$@"',
}


@dataclass
class Tutorial:
    """A page that is followed in a folder.

    Attributes:
        skip: beginnings of shell lines that are not run here, such as what asks the network; each must be there.
        instead: texts of the page and what is run for them; each must be there.
        environment: variables beside or in place of this process's. python: script that stands in for that command.
        names: of the page's Python.
        said: what each shell block printed.
        here: the folder that one is in by then.
    """

    page: str
    home: Path
    skip: Sequence[str] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    names: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.here = self.home

    def follow(self) -> "Tutorial":
        """Runs the page from its beginning to its end."""
        text, printed = self.page, ""
        for old, new in self.instead.items():
            assert old in text, f"the page no longer has: {old}"
            text = text.replace(old, new)
        skipped: set[str] = set()
        for language, title, body in BLOCK.findall(text):
            if title:
                (self.here / title).parent.mkdir(parents=True, exist_ok=True)
                (self.here / title).write_text(body, encoding="utf-8")
            elif language == "sh":
                printed = self._shell(body, skipped)
                self.said.append(printed)
            elif language == "python":
                printed = self._python(body)
            elif language == "text":
                assert shape(body) == shape(printed), f"the page shows:\n{body}\nand one sees:\n{printed}"
        assert skipped == set(self.skip), f"the page has no line {set(self.skip) - skipped}"
        return self

    def _shell(self, body: str, skipped: set[str]) -> str:
        lines = []
        for line in re.sub(r"\\\n\s*", " ", body).splitlines():
            left_out = next((words for words in self.skip if line.startswith(words)), None)
            if left_out is None:
                lines.append(line)
            else:
                skipped.add(left_out)
        bin_folder = self.home.parent / f"{self.home.name}.bin"
        bin_folder.mkdir(exist_ok=True)
        quick = forked_python()
        scripts = {
            name: f"#!/bin/sh\n{script.format(python=sys.executable, quick=quick)}\n"
            for name, script in COMMANDS.items()
        }
        for name, script in (scripts | ({"python": self.python} if self.python else {})).items():
            (bin_folder / name).write_text(script)
            (bin_folder / name).chmod(0o755)
        environment = {**os.environ, **self.environment, JOBS_PYTHON: str(quick)}
        environment["PATH"] = f"{bin_folder}:{environment['PATH']}"
        command = ["bash", "-euo", "pipefail", "-c", "\n".join([*lines, f"pwd > {shlex.quote(str(bin_folder))}/pwd"])]
        done = subprocess.run(command, cwd=self.here, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{body}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        self.here = Path((bin_folder / "pwd").read_text().rstrip("\n"))
        return done.stdout

    def _python(self, body: str) -> str:
        printed = io.StringIO()
        with contextlib.chdir(self.here), contextlib.redirect_stdout(printed):
            exec(compile(body, "<page>", "exec"), self.names)
        return printed.getvalue()


def shape(text: str) -> list[str]:
    """Its lines without what differs between machines: numbers, whether one is starred, and the width of columns."""
    plain = re.sub(r"-{3,}", "---", NUMBER.sub("0", text.strip()).replace(")*", ")"))
    return [" ".join(line.split()) for line in plain.splitlines()]
