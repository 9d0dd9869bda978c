"""The option that a generated reply names, as two harnesses find it. A reply that names none is wrong, never guessed.

Both look for the letters that the question has, A to N and beyond where it has so many options; the harnesses look for
A to D, or A to E, whatever the question has.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal

from refocus.lmm.prompts import LETTERS

Extractor = Literal["lmms_eval", "authors"]
NONE = -1
FOLLOWS: dict[Extractor, str] = {
    "lmms_eval": "lmms-eval 0.7.2, tasks/_task_utils/mcq_extract.py",
    "authors": "Video-MME's own evaluation at 8889f31, as in lmms-eval up to 0.4",
}

_AUTHORS_PHRASES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
)
_NAMED = ("answer", "correct answer", "best answer", "correct option", "best option", "choice", "correct choice")
_PHRASES = (
    *(f"{article}{named} is" for named in _NAMED for article in ("", "the ")),
    *("my answer is", "my choice is", "i choose", "i select", "i pick"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)
_ENDS = (",", ".", "!", "?", ";", ":", "'", '"')


def named_option(reply: str, n_options: int, extractor: Extractor) -> int:
    """The place of the option that a reply names, or `NONE`."""
    letter = _EXTRACTORS[extractor](reply, LETTERS[:n_options])
    return LETTERS.index(letter) if letter else NONE


def _first_letter(reply: str, letters: str) -> str:
    """The first of the letters behind the usual phrases, be it the first of a word."""
    for phrase in _AUTHORS_PHRASES:
        reply = reply.replace(phrase, "")
    found = re.search(f"[{letters}]", reply)
    return found[0] if found else ""


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


_EXTRACTORS: dict[Extractor, Callable[[str, str], str]] = {"lmms_eval": _ranked_letter, "authors": _first_letter}
