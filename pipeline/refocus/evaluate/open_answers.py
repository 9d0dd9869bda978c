"""Whether a generated reply answers a question without options: MMMU's rule, which Video-MMMU is scored by.

A reply says what stands behind words such as `is`, in each of its lines the shortest such part, and every number in
those parts. It is right if one of its numbers is an accepted number, to two decimals, or one of its parts contains an
accepted text. Followed: parse_open_response and eval_open of lmms-eval 0.7.2, tasks/videommmu/utils.py. There a list of
accepted answers that is published as text is compared as one text; here each of its answers is accepted, as in MMMU.
"""

import re
from collections.abc import Iterable

from refocus.qa.loose_values import as_list

FOLLOWS = "lmms-eval 0.7.2, tasks/videommmu/utils.py (MMMU's rule)"

_BEFORE_RESULTS = (
    *("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ", "are ", "in total ", "total "),
    *("identify ", "recognize ", "calculated as ", "counted as ", "measured as ", "observed as ", "concluded as "),
    *("found to be ", "equals ", "determined to be ", "number of ", "value is ", "adds up to ", "have ", "has "),
)
_EQUATION = "="  # in the last line only
_TRIVIAL = frozenset(":,.!?;'")
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),  # 1,234
    re.compile(r"-?(?<!\d)\d+(?:\.\d+)?[eE][+-]?\d+"),  # 1.2e3
    re.compile(r"-?(?:(?<!\d)\d+\.\d+|\.\d+|(?<!\d)\d+\b)(?![eE][+-]?\d+)(?![,\d])"),  # 12, 1.2, .2
)  # no number begins within another's digits: to try each took a minute for a page of them


def answers_open(reply: str, accepted: str) -> bool:
    """Whether a reply gives an accepted answer; `accepted` is one, or the text of a list of them."""
    listed = as_list(accepted)
    wanted = _normalised(map(str, listed) if listed else [accepted])
    parts = _results(reply)
    said = _normalised([*parts, *(found for part in parts for number in _NUMBERS for found in number.findall(part))])
    texts = [text for text in wanted if isinstance(text, str)]
    return any(any(text in part for text in texts) if isinstance(part, str) else part in wanted for part in said)


def _results(reply: str) -> list[str]:
    """The parts of a reply that may be its result; the whole reply if no word announces one."""
    text = reply.strip().strip(".").lower()
    lines = text.split("\n")
    found = []
    for number, line in enumerate(lines, start=1):
        shortest = ""
        for mark in (*_BEFORE_RESULTS, *[_EQUATION] * (number == len(lines))):
            tail = line.split(mark)[-1].strip() if mark in line else None
            if tail is not None and (not shortest or len(tail) < len(shortest)):
                shortest = tail  # nothing at all, where the reply breaks off behind the last of the words
        if shortest and shortest not in _TRIVIAL:
            found.append(shortest)
    return found or [text]


def _normalised(texts: Iterable[str]) -> list[str | float]:
    """Numbers to two decimals, texts in lower case; one letter only with a space at either side of it."""
    made: list[str | float] = []
    for text in map(str.strip, texts):
        try:
            made.append(round(float(text.replace(",", "")), 2))
        except ValueError:
            low = text.lower()
            made += [f" {low}", f"{low} "] if len(low) == 1 else [low]
    return made
