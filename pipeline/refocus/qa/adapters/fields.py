"""Fields that published copies of one data set write in different ways."""

import re
from collections.abc import Sequence
from typing import Any

from refocus.qa.loose_values import Span, as_seconds, as_spans, as_text, as_whole
from refocus.qa.raw_question import BadRow, text_of

UNREAD = "evidence_unread"  # flag: the row says when its answer can be seen, but not so that it can be read
_POINT_ZERO = re.compile(r"\A(-?\d+)\.0+\Z", re.ASCII)


def whole_number(row: Any, name: str) -> int:
    """A whole number, also where a copy holds it as text or as a float.

    Raises:
        BadRow: the field is missing or no whole number.
    """
    value = row.get(name) if isinstance(row, dict) else None
    if value is None:
        raise BadRow("missing_field", f"{name}: missing")
    whole = as_whole(value)
    if whole is None:
        raise BadRow("bad_field", f"{name}: {value!r} is not a whole number")
    return whole


def answer_by_index(row: Any, name: str, options: Sequence[str]) -> int:
    """The index of the right option.

    Raises:
        BadRow: there are no options, or it names none of them. Minus one would otherwise mean an open question.
    """
    index = whole_number(row, name)
    if not options:
        raise BadRow("no_options", "options: there are none")
    if not 0 <= index < len(options):
        raise BadRow("answer_out_of_range", f"{name}: {index} is not one of 0..{len(options) - 1}")
    return index


def identifier(row: Any, name: str) -> str:
    """An id, which copies hold as a number or as text, as text; `6.0`, as pandas writes 6 beside a gap, is 6.

    Raises:
        BadRow: the field is missing or neither.
    """
    value = row.get(name) if isinstance(row, dict) else None
    if value is None or value == "":
        raise BadRow("missing_field", f"{name}: missing")
    text = as_text(value)
    if text is None or (isinstance(value, float) and not value.is_integer()):
        raise BadRow("bad_field", f"{name}: {value!r} is neither a whole number nor text")
    return _POINT_ZERO.sub(r"\1", text)


def answer_text(row: Any, name: str) -> str:
    """An answer in words; where the options are numbers, copies hold a number.

    Raises:
        BadRow: the field is missing or neither.
    """
    value = row.get(name) if isinstance(row, dict) else None
    return text_of({name: value if as_text(value) is None else as_text(value)}, name)


def optional_text(row: Any, name: str) -> str:
    """A text or number as a label; empty where it is missing.

    Raises:
        BadRow: the field is neither.
    """
    value = row.get(name)
    text = "" if value is None else as_text(value)
    if text is None:
        raise BadRow("bad_field", f"{name}: {value!r} is not text")
    return label(text)


def label(text: str) -> str:
    """A text fit for a category or a flag: its spaces and line ends single spaces, what UTF-8 cannot hold replaced."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd").split())


def seconds(row: dict[str, Any], name: str) -> float | None:
    """A time in a video, in seconds; None where it is missing.

    Raises:
        BadRow: it is neither a number of seconds nor a clock.
    """
    value = row.get(name)
    if value is None or value == "":
        return None
    found = as_seconds(value)
    if found is None:
        raise BadRow("bad_times", f"{name}: {value!r} is neither seconds, from 0 on, nor a clock such as 1:02:05")
    return found


def evidence(row: dict[str, Any], name: str) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """When the answer can be seen, and a flag where the row says it so that it cannot be read: no row is lost by it."""
    value = row.get(name)
    if value is None or value == "" or value == []:
        return (), ()
    spans = as_spans(value)
    return (spans, ()) if spans else ((), (UNREAD,))
