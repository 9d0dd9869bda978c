"""From an annotation row to a question or a reject: the checks that every adapter shares."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from refocus.core.limits import TEXT_CHARS
from refocus.qa.loose_values import LARGE, Span, as_list, as_text
from refocus.qa.records import OPEN, Question, Reject, clip_id, qa_id
from refocus.qa.video_finder import Remote, VideoFinder

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHOWN = 500  # characters of a message, which quotes what it is about
MANY_OPTIONS = 5  # questions with more are kept and flagged
_TEXTS = ("source_id", "question", "category", "answer_text", "split")
_LISTS = ("options", "videos", "flags")
_PREFIX = re.compile(r"\s*\(?([A-Z])[.):]\s*(.*)", re.DOTALL)


class BadRow(Exception):
    """A row that is no usable question; becomes a `Reject` with this reason."""

    def __init__(self, reason: str, detail: str) -> None:
        detail = detail if len(detail) <= SHOWN else f"{detail[:SHOWN]}…"
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class RawQuestion:
    """A question as an adapter reads it, before it has ids. `where` names file and row for messages."""

    where: str
    source_id: str
    videos: tuple[str, ...]  # relative paths to try, the preferred first
    question: str
    options: tuple[str, ...]
    answer_index: int
    split: str
    category: str = ""
    answer_text: str = ""
    start_s: float | None = None
    end_s: float | None = None
    flags: tuple[str, ...] = field(default=())
    evidence: tuple[Span, ...] = ()  # when the answer can be seen, in seconds of the file
    evidence_frames: tuple[int, ...] = ()  # the same as numbers of the file's frames, from 0


def build(
    dataset: str, rows: Iterable[RawQuestion | Reject], finder: VideoFinder, raw: dict[str, RawQuestion] | None = None
) -> Iterator[Question | Reject]:
    """Turns raw questions into questions with ids; every row that comes in goes out as exactly one of the two.

    Args:
        raw: receives, by qa_id, the raw questions that say when their answer can be seen.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        if isinstance(row, Reject):
            yield Reject(_printable(row.source_id), row.reason, _printable(row.detail))
            continue
        try:
            question = _question(dataset, _typed(row), finder, seen)
        except BadRow as bad:
            yield Reject(_printable(str(row.source_id)), bad.reason, _printable(f"{row.where}: {bad.detail}"))
            continue
        if raw is not None and (row.evidence or row.evidence_frames):
            raw[question.qa_id] = row
        yield question


def _typed(row: RawQuestion) -> RawQuestion:
    """The row with tuples for lists, as adapters from elsewhere may have them.

    Raises:
        BadRow: a value is of another type than its field, or text cannot be stored.
    """
    lists: dict[str, Any] = {name: value for name in _LISTS if not isinstance(value := getattr(row, name), tuple)}
    if lists:
        lists = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in lists.items()}
        row = replace(row, **lists)
    for name in _TEXTS:
        _check_text(name, getattr(row, name))
    for name in _LISTS:
        for text in getattr(row, name):
            _check_text(name, text)
    if isinstance(row.answer_index, bool) or not isinstance(row.answer_index, int):
        raise BadRow("bad_field", f"answer_index: {row.answer_index!r} is not a whole number")
    for name in ("start_s", "end_s"):
        value = getattr(row, name)
        if value is not None and not (isinstance(value, int | float) and 0 <= value < LARGE):
            raise BadRow("bad_times", f"{name}: {value!r} is no time of a video, in seconds")
    return row


def _check_text(name: str, text: Any) -> None:
    if not isinstance(text, str):
        raise BadRow("bad_field", f"{name}: {text!r} is not text")
    if len(text) > TEXT_CHARS.value():
        raise BadRow("too_long", f"{name}: {TEXT_CHARS.refusal(f'{len(text)} characters')}")
    if text.isascii() and "\0" not in text:  # most of it, told in no time
        return
    if text != _printable(text):
        raise BadRow("bad_text", f"{name}: not valid Unicode: {_printable(text)!r}; save the file as UTF-8")


def _question(dataset: str, row: RawQuestion, finder: VideoFinder, seen: Counter[tuple[Any, ...]]) -> Question:
    if not row.question.strip():
        raise BadRow("empty_question", "question: empty")
    if row.answer_index != OPEN:
        _check_options(row)
    if row.start_s is not None and row.end_s is not None and not row.start_s < row.end_s:
        raise BadRow("bad_times", f"start {row.start_s} s is not before end {row.end_s} s")
    try:
        path = finder.find(row.videos)
    except ValueError as error:
        raise BadRow("remote_video" if isinstance(error, Remote) else "unsafe_path", str(error)) from None
    clip = clip_id(dataset, path, row.start_s, row.end_s)
    same = (clip, row.source_id, row.question, row.options)
    occurrence = seen[same]
    seen[same] += 1
    flags = list(row.flags)
    if len(set(row.options)) < len(row.options):
        flags.append("duplicate_options")
    if not all(option.strip() for option in row.options):
        flags.append("empty_option")
    if len(row.options) > MANY_OPTIONS:
        flags.append("many_options")
    return Question(
        qa_id=qa_id(clip, row.source_id, row.question, row.options, occurrence),
        dataset=dataset,
        split=row.split,
        clip_id=clip,
        video_path=path,
        start_s=row.start_s,
        end_s=row.end_s,
        question=row.question,
        options=row.options,
        answer_index=row.answer_index,
        answer_text=row.answer_text if row.answer_index == OPEN else row.options[row.answer_index],
        category=row.category,
        source_id=row.source_id,
        flags=tuple(flags),
    )


def _check_options(row: RawQuestion) -> None:
    if not row.options:
        raise BadRow("no_options", "options: there are none")
    if len(row.options) < 2:
        raise BadRow("too_few_options", f"options: only {len(row.options)}")
    if len(row.options) > len(LETTERS):
        raise BadRow("too_many_options", f"options: {len(row.options)} are more than there are letters")
    if not 0 <= row.answer_index < len(row.options):
        raise BadRow("answer_out_of_range", f"answer: {row.answer_index} is not one of 0..{len(row.options) - 1}")


def _printable(text: str) -> str:
    """The text with whatever UTF-8 cannot hold (lone surrogates) and NUL replaced."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def text_of(row: Any, name: str) -> str:
    """A text field of a row.

    Raises:
        BadRow: the field is missing or not text.
    """
    value = row.get(name) if isinstance(row, dict) else None
    if value is None:
        raise BadRow("missing_field", f"{name}: missing")
    if not isinstance(value, str):
        raise BadRow("bad_field", f"{name}: {value!r} is not text")
    return value


def options_of(row: Any, name: str) -> tuple[str, ...]:
    """A list of texts or numbers; letters are stripped when, and only when, all options carry consecutive ones.

    Some copies hold the list as the text of one, or as an object of letter → option.

    Raises:
        BadRow: the field is missing or neither.
    """
    value = row.get(name) if isinstance(row, dict) else None
    if value is None:
        raise BadRow("missing_field", f"{name}: missing")
    if isinstance(value, dict) and list(value) == list(LETTERS[: len(value)]):
        value = list(value.values())
    listed = as_list(value)
    options = [text for option in listed or () if (text := as_text(option)) is not None]
    if listed is None or len(options) < len(listed):
        raise BadRow("bad_field", f"{name}: {value!r} is not a list of texts")
    return strip_letters(options)


def strip_letters(options: Sequence[str]) -> tuple[str, ...]:
    """`["A. red", "B. blue"]` → `("red", "blue")`; anything without a full run of letters stays as it is.

    Options that are nothing but their letters stay too: there, the letters are what is offered.
    """
    bare = [_unlettered(option, index) for index, option in enumerate(options)]
    if any(bare) and None not in bare:
        return tuple(text for text in bare if text is not None)
    return tuple(options)


def _unlettered(text: str, index: int) -> str | None:
    """The text without the letter of option `index`, None where it does not carry it."""
    match = _PREFIX.fullmatch(text)
    return match[2].strip() if match and LETTERS[index : index + 1] == match[1] else None


def answer_by_letter(letter: str, options: Sequence[str], name: str = "answer") -> int:
    """The index a single letter stands for."""
    text = letter.strip().strip("().:").upper()
    if len(text) != 1 or text not in LETTERS:
        raise BadRow("unparsable_answer", f"{name}: {letter!r} is not a letter")
    index = LETTERS.index(text)
    if index >= len(options):
        raise BadRow("answer_out_of_range", f"{name}: {letter!r} names none of {len(options)} options")
    return index


def answer_by_text(text: str, options: Sequence[str], name: str = "answer") -> int:
    """The index of the option with this text: exactly, else ignoring case, spaces and a final full stop.

    A text that carries the letter of its option counts as the option's.
    """
    if text in options:
        return options.index(text)
    loose = [normalised(option) for option in options]
    if loose.count(normalised(text)) == 1:
        return loose.index(normalised(text))
    lettered = [index for index, option in enumerate(loose) if normalised(_unlettered(text, index) or "") == option]
    if len(lettered) == 1 and loose[lettered[0]]:
        return lettered[0]
    raise BadRow("answer_not_an_option", f"{name}: {text!r} is not among the options")


def normalised(text: str) -> str:
    """Case, runs of spaces and a final full stop do not count when texts are compared."""
    return " ".join(text.split()).rstrip(".").casefold()
