"""A full disk ends a command with one line that names the file, whichever library writes it."""

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from refocus.cli import main as command_line
from refocus.core.disk import refusal
from refocus.core.files import atomic, write_table, write_text

ROOM = 1 << 16  # bytes a file may have


def _tensors(path: Path) -> None:
    from safetensors.numpy import save_file

    with atomic(path) as draft:
        save_file({"a": np.zeros(ROOM)}, draft)


WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: write_text(path, "x" * 2 * ROOM),
    "table": lambda path: write_table(path, pa.table({"a": np.random.default_rng(0).random(2 * ROOM)}), "test"),
    "tensors": _tensors,
}


def _limited(name: str, path: Path) -> None:
    """In a process of its own: no file may grow beyond ROOM, which every library is told as it is told a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
    try:
        WRITERS[name](path)
    except OSError as error:
        sys.stdout.write(f"{error.errno} {error.filename}\n")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.fault("full disk", "ingest train tables", "text, table or tensors: the file is named and no draft stays")
def test_what_the_disk_refuses_names_the_file_and_leaves_no_draft(tmp_path, name):
    path = tmp_path / "a.file"
    code = f"from tests.core.test_disk import _limited, Path; _limited({name!r}, Path({str(path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout == f"{errno.EFBIG} {path}\n", done.stderr
    assert not list(tmp_path.iterdir())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space", "/r/a.mp4"), "error: /r/a.mp4: No space left on device; make room and run"),
        (OSError(errno.EDQUOT, "quota"), "error: Disk quota exceeded; make room"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "error: No space left on device; make room"),
        (PermissionError(errno.EACCES, "denied", "/r"), "error: /r: Permission denied; mend that and run again"),
    ],
)
@pytest.mark.parametrize("command", ["world", "screen", "train"])
def test_every_command_ends_with_one_line(monkeypatch, caplog, command, error, line):
    module = command_line.importlib.import_module(command_line.COMMANDS[command])
    words = {"world": ["--out", "x"], "screen": ["duplicates", "x", "--out", "x"], "train": ["--out", "x"]}[command]

    def refused(_):
        raise error

    monkeypatch.setattr(module, "run", refused)
    assert command_line.main([command, *words]) == 1
    assert line in caplog.text and "Traceback" not in caplog.text
    with pytest.raises(type(error)):
        command_line.main([command, *words, "--debug"])


def test_other_errors_are_not_taken_for_the_disks():
    assert refusal(ValueError("no space left")) is None
    assert refusal(FileNotFoundError(errno.ENOENT, "gone", "x")) is None
