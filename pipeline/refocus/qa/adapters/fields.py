"""Fields that published copies of one data set write in different ways."""

from collections.abc import Sequence
from typing import Any

from refocus.qa.raw_question import BadRow


def whole_number(row: Any, name: str) -> int:
    """A whole number, also where a copy holds it as text or as a float.

    Raises:
        BadRow: the field is missing or no whole number.
    """
    value = row.get(name) if isinstance(row, dict) else None
    if value is None:
        raise BadRow("missing_field", f"{name}: missing")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 16:
            return int(text)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRow("bad_field", f"{name}: {value!r} is not a whole number")
    return value


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
    """An id, which copies hold as a number or as text, as text.

    Raises:
        BadRow: the field is missing or neither.
    """
    value = row.get(name) if isinstance(row, dict) else None
    if value is None or value == "":
        raise BadRow("missing_field", f"{name}: missing")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadRow("bad_field", f"{name}: {value!r} is neither a number nor text")
    return str(value)


def optional_text(row: Any, name: str) -> str:
    """A text field as a label; empty where it is missing.

    Raises:
        BadRow: the field is not text.
    """
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRow("bad_field", f"{name}: {value!r} is not text")
    return label(value or "")


def label(text: str) -> str:
    """A text fit for a category or a flag: its spaces and line ends single spaces, what UTF-8 cannot hold replaced."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd").split())
