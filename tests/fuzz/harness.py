"""What every parser of somebody else's input is held to, and how one input is judged.

An input is accepted, or refused by a `RefocusError` of one line. It never ends in another exception, takes more than
`SECONDS` of CPU or `BYTES` more memory, writes anything, or opens a file outside of the folder it was given.
"""

import contextlib
import os
import re
import resource
import signal
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from refocus.core.errors import RefocusError

SECONDS = 5.0  # of CPU for one input of at most 64 KiB; a thousand times what any takes
BYTES = 1 << 30  # of address space that an input may take beside what is there
LONGEST = 2000  # characters of a message
PAGE = os.sysconf("SC_PAGE_SIZE")
Make = Callable[[Random], Any]
Parse = Callable[[Any], str | None]


@dataclass(frozen=True)
class Parser:
    """room: where it is. whose: what of it is ours and what a library's. build: of a folder, what makes inputs and what
    reads them: `parse` returns None for an accepted input, or the reason why not where that is no exception.
    """

    name: str
    room: str
    whose: str
    build: Callable[[Path], tuple[Make, Parse]]


class Finding(Exception):
    """An input that does what none may."""


class Hang(BaseException):
    """The time of an input is over."""


def judge(parse: Parse, value: Any) -> str | None:
    """None for an accepted input, else why it was refused.

    Raises:
        Finding: neither.
    """
    watch.outside.clear()
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        reason = parse(value)
    except RefocusError as error:
        reason = str(error)
        if "\n" in reason or len(reason) > LONGEST or not reason:
            raise Finding(
                f"a message of {len(reason)} characters and {reason.count(chr(10)) + 1} lines: {reason:.300}"
            ) from None
    except Hang:
        raise Finding(f"more than {SECONDS:g} s of CPU") from None
    except MemoryError:
        raise Finding(f"more than {BYTES >> 20} MiB") from None
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"{type(error).__name__}: {error}"[:500]) from error
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if watch.outside:
        raise Finding(f"opened {watch.outside[0]}")
    return None if reason is None else in_general(reason)


def in_general(reason: str) -> str:
    """A reason without what it quotes, so that reasons can be counted."""
    text = re.sub(r"/(?:dev|tmp)/.*?(?=: |; | is |$)", "FILE", reason)
    text = re.sub(r"['\"(\[{].*", "…", text)
    return " ".join(re.sub(r"\d+", "#", text).split())[:60]


class Watch:
    """Sees which files Python opens or lists while it is on."""

    def __init__(self) -> None:
        self.root: str | None = None
        self.outside: list[str] = []
        paths = {
            *sysconfig.get_paths().values(),
            str(Path(__file__).resolve().parents[2] / "pipeline"),
            "/proc/self/",
            "/usr/share/zoneinfo",
            *filter(None, sys.path),
        }
        self.own = tuple(os.path.realpath(path) for path in paths)
        self.installed = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.root is None or event not in ("open", "os.listdir", "os.scandir"):
            return
        path = args[0]
        if isinstance(path, int) or path is None:
            return
        place = os.path.abspath(os.fsdecode(path))
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        inside = place == self.root or place.startswith(f"{self.root}/")
        if writes or not (inside or place.startswith(self.own)):
            self.outside.append(f"{place} to write" if writes else place)


watch = Watch()


def put(path: Path, content: bytes) -> None:
    """Writes the input itself."""
    root, watch.root = watch.root, None
    path.write_bytes(content)
    watch.root = root


@contextlib.contextmanager
def limited(root: Path) -> Iterator[None]:
    """Memory, time and files of what is judged within the block are watched."""
    if not watch.installed:
        sys.addaudithook(watch)  # stays for the life of the process, and looks at nothing while it is off
        watch.installed = True

    def over(number: int, frame: object) -> None:
        raise Hang

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * PAGE
    before = signal.signal(signal.SIGVTALRM, over)
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, hard))
    watch.root = os.path.realpath(root)
    try:
        yield
    finally:
        watch.root = None
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGVTALRM, before)
