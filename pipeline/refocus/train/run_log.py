"""What a run writes while it learns: metrics.jsonl, a log of every group for replay, TensorBoard events, W&B."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.core import results_folder
from refocus.core.files import atomic
from refocus.core.json_text import loads
from refocus.train.wandb_mirror import WandbMirror

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS, GROUPS, EVENTS = results_folder.METRICS.name, results_folder.GROUPS.name, "tensorboard"


class RunLog:
    """The logs of one run. They live in the work folder and are copied to the output folder.

    Opened at a step, everything from that step on is cut off, so that a resumed run's logs have no repeats.
    """

    def __init__(self, work: Path, out: Path, step: int, tensorboard: bool, mirror: WandbMirror | None = None):
        self.work, self.out = work, out
        self._files = {}
        self._marks: dict[str, LogMark] = {}
        for name in (METRICS, GROUPS):
            work.mkdir(parents=True, exist_ok=True)
            kept = [line for line in read(work / name) if line["step"] < step]
            text = "".join(_line(line) for line in kept)
            with atomic(work / name) as draft:
                draft.write_text(text, encoding="utf-8")
            self._marks[name] = LogMark()
            self._marks[name].add(text)
            self._files[name] = (work / name).open("a", encoding="utf-8")
        self._events = self._opened_events() if tensorboard else None
        self._mirror = mirror
        if mirror is not None:
            for line in read(work / METRICS):
                mirror.add(line)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one line to metrics.jsonl and to the events."""
        self._write(METRICS, {"step": step, **values})
        if self._events is not None:
            _add_scalars(self._events, {"step": step, **values})
        if self._mirror is not None:
            self._mirror.add({"step": step, **values})

    def groups(self, step: int, groups: list[dict[str, Any]]) -> None:
        """Adds one line per group to groups.jsonl."""
        for group in groups:
            self._write(GROUPS, {"step": step, **group})

    def publish(self) -> None:
        """Brings the output folder's copies up to date."""
        self.out.mkdir(parents=True, exist_ok=True)
        for name, handle in self._files.items():
            handle.flush()
            if self.out != self.work:
                with atomic(self.out / name) as draft:
                    shutil.copyfile(self.work / name, draft)
        if self._events is not None:
            self._events.flush()

    def sync(self) -> None:
        """Brings the logs to the disk; called before a checkpoint, which must not be ahead of them."""
        for handle in self._files.values():
            handle.flush()
            os.fsync(handle.fileno())

    def marks(self) -> dict[str, tuple[int, str]]:
        """How many bytes each log has, and their SHA-256; a checkpoint notes them (`log_is_whole`)."""
        return {name: (mark.bytes, mark.digest.hexdigest()) for name, mark in self._marks.items()}

    def close(self) -> None:
        """Publishes and closes."""
        self.publish()
        for handle in self._files.values():
            handle.close()
        if self._events is not None:
            self._events.close()
        if self._mirror is not None:
            self._mirror.close()

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        line = _line(values)
        self._files[name].write(line)
        self._files[name].flush()
        self._marks[name].add(line)

    def _opened_events(self) -> "SummaryWriter | None":
        """Starts the events anew from metrics.jsonl, so that they too have no repeats; None without TensorBoard."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        shutil.rmtree(self.out / EVENTS, ignore_errors=True)
        events = SummaryWriter(self.out / EVENTS)
        for line in read(self.work / METRICS):
            _add_scalars(events, line)
        return events


class LogMark:
    """How far a log has been written, and what it says until there."""

    def __init__(self) -> None:
        self.bytes, self.digest = 0, hashlib.sha256()

    def add(self, text: str) -> None:
        """Goes on by some lines."""
        data = text.encode()
        self.bytes += len(data)
        self.digest.update(data)


def log_is_whole(path: Path, length: int, sha256: str) -> bool:
    """Whether a log still begins with what it had when a checkpoint noted its mark."""
    left, digest = length, hashlib.sha256()
    if path.is_file():
        with path.open("rb") as handle:
            while left and (chunk := handle.read(min(left, 1 << 20))):
                digest.update(chunk)
                left -= len(chunk)
    return not left and digest.hexdigest() == sha256


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; an unfinished last line is left out."""
    lines = []
    if path.is_file():
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = loads(text)
            except ValueError:
                break
            if not isinstance(line, dict):
                break
            lines.append(line)
    return lines


def _add_scalars(events: "SummaryWriter", line: Mapping[str, Any]) -> None:
    for name, value in line.items():
        if name != "step":
            events.add_scalar(name, value, line["step"])


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":")) + "\n"
