"""LLaVA-Video-178K, multiple-choice files: conversations whose human turns hold question, options and instruction.

Every (human, gpt) pair is one question; its source id is `<row id>:<number of the pair>`. Videos lie at
`<bucket>/<video>`, where the bucket is the row's `data_source`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.qa.adapters.files import json_rows
from pipeline.qa.draft import LETTERS, BadRow, Draft, answer_by_letter, answer_by_text, normalised, text_of
from pipeline.qa.records import Reject

FILES = "*_mc_*_qa_processed.json files of the buckets"
TAILS = (
    "Please respond with only the letter of the correct answer.",
    "Please provide your answer by stating the letter followed by the full option.",
)
_IMAGE = re.compile(r"<(?:image|video)>\n?")
_OPTION = re.compile(r"^\(?([A-Z])[.)]\s+(.*)$")
_ANSWER = re.compile(r"^\(?([A-Z])(?:[.):]+\s*|\s*$)(.*)$", re.DOTALL)


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[Draft | Reject]:
    """One draft per turn; a row without a usable conversation is one reject."""
    split = options.get("split", "train")
    for path in paths:
        for number, row in enumerate(json_rows(path)):
            where = f"{path.name} row {number}"
            source_id = (
                str(row["id"]) if isinstance(row, dict) and row.get("id") is not None else f"{path.stem}_{number}"
            )
            try:
                videos = _videos(row, path)
                turns = _turns(row)
            except BadRow as bad:
                yield Reject(source_id, bad.reason, f"{where}: {bad.detail}")
                continue
            for turn, (human, reply) in enumerate(turns):
                place = f"{where} turn {turn}"
                try:
                    question, choices = parse_question(human)
                    answer = parse_answer(reply, choices)
                except BadRow as bad:
                    yield Reject(f"{source_id}:{turn}", bad.reason, f"{place}: {bad.detail}")
                    continue
                category = row["type"] if isinstance(row.get("type"), str) else ""
                yield Draft(place, f"{source_id}:{turn}", videos, question, choices, answer, split, category)


def parse_question(text: str) -> tuple[str, tuple[str, ...]]:
    """Question and options of a human turn.

    Raises:
        BadRow: there are no options.
    """
    lines = [line.rstrip() for line in _IMAGE.sub("", text).strip().split("\n")]
    while lines and (not lines[-1].strip() or lines[-1].strip() in TAILS):
        lines.pop()
    starts = [index for index, line in enumerate(lines) if (hit := _OPTION.match(line)) and hit[1] == "A"]
    if not starts:
        raise BadRow("no_options", "conversations: the human turn has no options")
    question = [line for line in lines[: starts[-1]] if line.strip() != "Options:"]
    options: list[str] = []
    for line in lines[starts[-1] :]:
        hit = _OPTION.match(line)
        if hit and len(options) < len(LETTERS) and hit[1] == LETTERS[len(options)]:
            options.append(hit[2])
        else:  # an option of several lines
            options[-1] += "\n" + line
    return "\n".join(question).strip(), tuple(option.strip() for option in options)


def parse_answer(text: str, options: Sequence[str]) -> int:
    """The option a gpt turn names by letter, by letter and text, or by text.

    Raises:
        BadRow: it names none, or letter and text disagree.
    """
    reply = text.strip()
    hit = _ANSWER.match(reply)
    if hit is None:
        return answer_by_text(reply, options, "conversations (gpt)")
    index = answer_by_letter(hit[1], options, "conversations (gpt)")
    if hit[2].strip() and normalised(hit[2]) != normalised(options[index]):
        raise BadRow("answer_mismatch", f"conversations (gpt): {reply!r} but option {hit[1]} is {options[index]!r}")
    return index


def _videos(row: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video = text_of(row, "video")
    source = row.get("data_source")
    buckets = [source] if isinstance(source, str) and source else []
    return tuple(dict.fromkeys(f"{bucket}/{video}" if bucket else video for bucket in (*buckets, path.parent.name, "")))


def _turns(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The (human, gpt) pairs of a row."""
    turns = row.get("conversations")
    if not isinstance(turns, list) or not turns:
        raise BadRow("missing_field", "conversations: missing or empty")
    if len(turns) % 2:
        raise BadRow("bad_conversation", f"conversations: {len(turns)} turns do not make pairs")
    for index, turn in enumerate(turns):
        speaker = ("human", "gpt")[index % 2]
        if not isinstance(turn, dict) or turn.get("from") != speaker or not isinstance(turn.get("value"), str):
            raise BadRow("bad_conversation", f"conversations: turn {index} is not a text of '{speaker}'")
    return [(turns[index]["value"], turns[index + 1]["value"]) for index in range(0, len(turns), 2)]
