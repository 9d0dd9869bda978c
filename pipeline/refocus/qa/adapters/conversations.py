"""Conversations as training files hold them: a human turn has question, options and instruction, the next the answer.

Every (human, gpt) pair is one question; its source id is `<row id>:<number of the pair>`. Accepted are options on lines
of their own or behind one another, `A.`, `A)`, `A:` or `(A)`, with or without a line `Options:`, and answers by letter,
by text or by both. A letter and a text that disagree are rejected.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import rows_of
from refocus.qa.loose_values import as_list, as_text
from refocus.qa.raw_question import LETTERS, BadRow, RawQuestion, answer_by_letter, answer_by_text, normalised
from refocus.qa.records import Reject

TAILS = (
    "Please respond with only the letter of the correct answer.",
    "Please provide your answer by stating the letter followed by the full option.",
)  # LLaVA-Video-178K's; other sets' instructions are told by their words
OPTIONAL = ("id", "data_source", "type")
_PLACEHOLDER = re.compile(r"<(?:image|video)>\n?")
_OPTION = re.compile(r"\s*\(?([A-Z])[.):](?:\s+(.*)|)", re.DOTALL)
_INLINE = re.compile(r"(?<!\S)\(?([A-Z])[.):]\s")
_HEADING = re.compile(r"\s*(?:the )?(?:answer )?(?:options|choices)(?: are)?\s*:?\s*", re.IGNORECASE)
_INSTRUCTION = re.compile(
    r"\s*(?:please|answer|respond|reply|select|choose|pick|give|provide|only|return|output|state|indicate|your answer"
    r"|best option|the (?:best|correct) (?:answer|option))\b"
    r"(?:.*\b(?:letters?|options?|answers?|choices?)\b.*|\s*:\s*\(?)",
    re.IGNORECASE,
)
_PREFACE = re.compile(
    r"\A(?:the )?(?:correct |best |right )?(?:answer|option|choice)(?: is)?\s*:?\s+(?=\(?[A-Z]\b)", re.IGNORECASE
)
_ANSWER = re.compile(r"\(?([A-Za-z])\)?[.:]?|\(?([A-Z])[.):]+\s*(.*)", re.DOTALL)


def raw_questions(
    path: Path, columns: Sequence[str], split: str, videos: Callable[[Any], tuple[str, ...]], category: str = ""
) -> Iterator[RawQuestion | Reject]:
    """One raw question or reject per turn of the rows of a file; a row that is no conversation is one reject.

    Args:
        columns: what a parquet file must have.
        videos: the relative paths to try for a row; may refuse it with `BadRow`.
        category: of every question; empty: the row's `type`, if it has one.
    """
    for number, row in enumerate(rows_of(path, columns, OPTIONAL)):
        where, name = f"{path.name} row {number}", f"{path.stem}_{number}"
        if isinstance(row, dict):
            name = as_text(row.get("id")) or name
        try:
            if isinstance(row, BadRow):
                raise row
            places, turns = videos(row), list(_turns(row))
        except BadRow as bad:
            yield Reject(name, bad.reason, f"{where}: {bad.detail}")
            continue
        kind = category or as_text(row.get("type")) or ""
        for count, turn in enumerate(turns):
            place, source_id = f"{where} turn {count}", f"{name}:{count}"
            try:
                if isinstance(turn, BadRow):
                    raise turn
                question, choices = parse_question(turn[0])
                answer = parse_answer(turn[1], choices)
            except BadRow as bad:
                yield Reject(source_id, bad.reason, f"{place}: {bad.detail}")
            else:
                yield RawQuestion(place, source_id, places, question, choices, answer, split, kind)


def parse_question(text: str, name: str = "conversations (human)") -> tuple[str, tuple[str, ...]]:
    """Question and options of a human turn, or of a field that has both.

    Args:
        name: of the field, for messages.
    Raises:
        BadRow: there are no options.
    """
    text = _PLACEHOLDER.sub("", text).strip()
    for tail in TAILS:
        text = text.removesuffix(tail)
    lines = [line.rstrip() for line in text.rstrip().split("\n")]
    while len(lines) > 1 and (not lines[-1] or _INSTRUCTION.fullmatch(lines[-1])):
        lines.pop()
    starts = [index for index, line in enumerate(lines) if (hit := _OPTION.fullmatch(line)) and hit[1] == "A"]
    found = [(lines[:start], _options(lines[start:])) for start in starts]
    several = [pair for pair in (_inline("\n".join(lines)), *found) if len(pair[1]) > 1]
    head, options = (several or found or [([], [])])[-1]
    if not options:
        raise BadRow("no_options", f"{name}: it has no options, such as lines that begin with A., B., C.")
    while head and (not head[-1] or _HEADING.fullmatch(head[-1])):
        head.pop()
    return "\n".join(head).strip(), tuple(option.strip() for option in options)


def _options(lines: Sequence[str]) -> list[str]:
    """The options of lines of which the first is option A; other lines continue the option before them."""
    options: list[str] = []
    for line in lines:
        hit = _OPTION.fullmatch(line)
        if hit and LETTERS[len(options) : len(options) + 1] == hit[1]:
            options.append(hit[2] or "")
        else:
            options[-1] += "\n" + line
    return options


def _inline(text: str) -> tuple[list[str], list[str]]:
    """Question lines and options of a text whose options follow one another in a line; none if there are not two."""
    marks: list[re.Match[str]] = []
    for mark in _INLINE.finditer(text):
        if mark[1] == "A":
            marks = [mark]
        elif marks and LETTERS.index(mark[1]) == len(marks):
            marks.append(mark)
    if len(marks) < 2:
        return [], []
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    options = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    return text[: marks[0].start()].rstrip().split("\n"), options


def parse_answer(text: str, options: Sequence[str], name: str = "conversations (gpt)") -> int:
    """The option a gpt turn, or a field, names by letter, by letter and text, or by text.

    Raises:
        BadRow: it names none, or letter and text disagree.
    """
    reply = text.strip()
    hit = _ANSWER.fullmatch(_PREFACE.sub("", reply, count=1))
    if hit is None or (hit[3] and reply in options):  # such as "A.M."
        return answer_by_text(reply, options, name)
    index = answer_by_letter(hit[1] or hit[2], options, name)
    if hit[3] and normalised(hit[3]) != normalised(options[index]):
        raise BadRow("answer_mismatch", f"{name}: {reply!r} but option {hit[2]} is {options[index]!r}")
    return index


def _turns(row: dict[str, Any]) -> Iterator[tuple[str, str] | BadRow]:
    """The (human, gpt) pairs of a row; a turn that is in no pair comes as `BadRow`."""
    value = row.get("conversations")
    turns = _columns(value) if isinstance(value, dict) else as_list(value)
    if not turns:
        raise BadRow("missing_field", "conversations: missing or empty")
    index = 0
    while index < len(turns):
        human, reply = (_said(turns[place]) if place < len(turns) else ("", "") for place in (index, index + 1))
        if human[0] == "human" and reply[0] == "gpt":
            yield human[1], reply[1]
            index += 2
        else:
            expected = "a text of 'human'" if human[0] != "human" else "answered by a text of 'gpt'"
            yield BadRow("bad_conversation", f"conversations: turn {index} is not {expected}")
            index += 1


def _columns(value: dict[str, Any]) -> list[Any]:
    """Turns that a copy holds as two lists, of who speaks and of what is said."""
    names, texts = as_list(value.get("from")) or [], as_list(value.get("value")) or []
    return [{"from": name, "value": text} for name, text in zip(names, texts, strict=False)] if names else []


def _said(turn: Any) -> tuple[str, str]:
    """Who speaks and what; two empty texts for whatever is no turn."""
    if isinstance(turn, dict) and isinstance(turn.get("from"), str) and isinstance(turn.get("value"), str):
        return turn["from"], turn["value"]
    return "", ""
