"""Values as copies of a data set write them: numbers where the original has text, lists as the text of a list.

pandas turns whole numbers beside a gap into floats, and a list in a CSV file is whatever Python or numpy print.
"""

import ast
import io
import math
import re
import tokenize
import warnings
from typing import Any

from refocus.core.json_text import loads
from refocus.core.limits import TEXT_CHARS

LARGE = 10**300  # no number of a data set; larger ones become no float
Span = tuple[float, float]  # seconds of the video file

_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}):(\d{1,9}(?:\.\d+)?)", re.ASCII)
_BETWEEN_SPANS = re.compile(r"[;,，、]")
_INSIDE_SPAN = re.compile(r"\s*[-–—~]\s*")
_WHOLE = re.compile(r"(-?\d{1,15})(?:\.0+)?", re.ASCII)
_BETWEEN = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER})


def as_text(value: Any) -> str | None:
    """A text as it is and a number as people write it (3.0 as 3); None for whatever is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return str(int(value) if value.is_integer() else value) if math.isfinite(value) else None
    return str(value) if abs(value) < LARGE else None


def as_whole(value: Any) -> int | None:
    """A whole number, also as a float or as text (`3`, `3.0`); None for whatever is none."""
    text = as_text(value)
    hit = _WHOLE.fullmatch(text.strip()) if text is not None else None
    return int(hit[1]) if hit else None


def as_seconds(value: Any) -> float | None:
    """Seconds as a number, its text or a clock (`1:05`, `1:02:05.5`); None for whatever is no time of a video."""
    text = (as_text(value) or "").strip()
    if hit := _CLOCK.fullmatch(text):
        return 3600 * int(hit[1] or 0) + 60 * int(hit[2]) + float(hit[3])
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def as_spans(value: Any) -> tuple[Span, ...] | None:
    """Spans of time: pairs of seconds or clocks in a list, or text such as `0:15-0:19; 1:05`.

    A moment without an end is its own. None for whatever is neither, and where a span ends before it begins.
    """
    listed = as_list(value)
    if listed is None:
        parts = _BETWEEN_SPANS.split(value) if isinstance(value, str) else []
        listed = [ends if len(ends) == 2 else ends * 2 for part in parts if (ends := _INSIDE_SPAN.split(part.strip()))]
    elif listed and not isinstance(listed[0], list):
        listed = [listed]  # a single pair
    spans: list[Span] = []
    for pair in listed:
        times = [as_seconds(end) for end in pair] if isinstance(pair, list) else []
        if len(times) != 2 or times[0] is None or times[1] is None or times[0] > times[1]:
            return None
        spans.append((times[0], times[1]))
    return tuple(spans) or None


def as_list(value: Any) -> list[Any] | None:
    """A list, also as the text of one; None for whatever is none."""
    if not isinstance(value, str):
        return value if isinstance(value, list) else None
    text = value.strip()
    if not text.startswith("["):
        return None
    try:
        found = loads(text)
    except ValueError:
        found = _printed(text) if len(text) <= TEXT_CHARS.value() else None
    return found if isinstance(found, list) else None


def _printed(text: str) -> Any:
    """What Python or numpy printed: numpy puts no commas, so that Python would read one long text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\frac" is an unknown escape
        try:
            found = _texts(text)
            return ast.literal_eval(text) if found is None else found
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError):
            return None


def _texts(text: str) -> list[str] | None:
    """The texts of a flat list of nothing else, with or without commas."""
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in _BETWEEN]
    inner = [token for token in tokens[1:-1] if token.string != ","]
    if tokens[-1].string != "]" or any(token.type != tokenize.STRING for token in inner):
        return None
    found = [ast.literal_eval(token.string) for token in inner]
    return found if all(isinstance(one, str) for one in found) else None
