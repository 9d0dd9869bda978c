"""The option that a generated reply names, as lmms-eval finds it, or the benchmark's authors (`authors`).

A reply that names none is wrong, never guessed. Looked for are the letters that the question has, A to N and beyond
where it has so many options; the harnesses look for A to D, or A to E, whatever the question has.
"""

import re
from collections.abc import Iterator, Sequence

from refocus.config.answer import Extractor
from refocus.evaluate.authors import authors_letter
from refocus.lmm.prompts import LETTERS

NONE = -1
FOLLOWS = "lmms-eval 0.7.2, tasks/_task_utils/mcq_extract.py"

_NAMED = ("answer", "correct answer", "best answer", "correct option", "best option", "choice", "correct choice")
_PHRASES = (
    *(f"{article}{named} is" for named in _NAMED for article in ("", "the ")),
    *("my answer is", "my choice is", "i choose", "i select", "i pick"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)
_ENDS = (",", ".", "!", "?", ";", ":", "'", '"')


def named_option(reply: str, options: Sequence[str], extractor: Extractor, form: str = "") -> int:
    """The place of the option that a reply names, or `NONE`.

    Args:
        form: the benchmark's format, of which `authors` are the authors.
    """
    letters = LETTERS[: len(options)]
    by_authors = extractor == "authors"
    letter = authors_letter(reply, letters, options, form) if by_authors else _ranked_letter(reply, letters)
    return LETTERS.index(letter) if letter else NONE


def _ranked_letter(reply: str, letters: str) -> str:
    """The letter in the most telling place; of several, the one furthest back."""
    text = reply.strip()
    for mark in _ENDS:
        text = text.strip(mark)
    for found in _places(text, letters):
        if found:
            return max(found)[1]
    return ""


def _places(text: str, letters: str) -> Iterator[list[tuple[int, str]]]:
    """Letters with their positions, from the most telling place to the least."""
    one, padded = f"[{letters}]", f" {text.strip()} "
    yield _found(rf"^({one})(?![^\W\d_])", text.strip())
    yield _found(rf"(?<![^\W\d_])({one})$", text.strip())
    yield [
        (place, letter)
        for phrase in _PHRASES
        if (said := padded.lower().find(phrase)) >= 0
        for letter in letters
        if (place := padded.find(letter, said + len(phrase))) >= 0
    ]
    for behind, before in (("\\(", "\\)"), ("", "\\."), ("", ":"), ("", "\\)"), ("", " "), ("", "")):
        yield _found(f"{behind}({one}){before}", padded)


def _found(pattern: str, text: str) -> list[tuple[int, str]]:
    return [(hit.start(), hit[1]) for hit in re.finditer(pattern, text)]
