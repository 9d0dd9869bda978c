"""Progress on stderr: a moving bar on a terminal, a plain line now and then in a log."""

import sys
import time
from collections.abc import Iterable
from typing import Any, NoReturn, TextIO, TypeVar, overload

from tqdm import tqdm

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 10.0
SECONDS_UNTIL_SHOWN = 2.0


class _Lines:
    """What tqdm writes to a file that is no terminal: whole lines, at most one every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.due = time.monotonic() + SECONDS_UNTIL_SHOWN

    def write(self, text: str) -> None:
        now = time.monotonic()
        if text.strip() and (now >= self.due or " 100%|" in text):
            self.due = now + SECONDS_BETWEEN_LINES
            self.stream.write(text.strip() + "\n")

    def flush(self) -> None:
        self.stream.flush()


@overload
def bar(iterable: Iterable[T], *, total: int | None = ..., desc: str = ..., unit: str = ...) -> "tqdm[T]": ...


@overload
def bar(*, total: int | None = ..., desc: str = ..., unit: str = ...) -> "tqdm[NoReturn]": ...


def bar(
    iterable: Iterable[Any] | None = None, *, total: int | None = None, desc: str = "", unit: str = "it"
) -> "tqdm[Any]":
    """A tqdm bar on stderr.

    In a log it is a line every ten seconds, and none at all for what takes less than two.

    Args:
        iterable: what to walk through; without it, call `update` on the result.
        total: number of units, where `iterable` does not know.
        desc: what is being done, in a word or two.
        unit: what one step is.
    """
    if sys.stderr.isatty():
        return tqdm(iterable, desc, total, unit=unit, file=sys.stderr, dynamic_ncols=True)
    return tqdm(
        iterable,
        desc,
        total,
        unit=unit,
        file=_Lines(sys.stderr),
        ncols=100,
        ascii=" =",
        mininterval=SECONDS_BETWEEN_LINES,
        maxinterval=SECONDS_BETWEEN_LINES,
        delay=SECONDS_UNTIL_SHOWN,
    )
