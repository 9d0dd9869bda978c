"""What is odd about the questions of one source although each can be used: told by ingest and by the doctor."""

from collections.abc import Iterator, Sequence

from refocus.config.formats import TABLES
from refocus.core.counted import counted
from refocus.qa.raw_question import LETTERS
from refocus.qa.records import OPEN, Question

SHOWN = 5  # questions that a remark names
SUSPECT = 10  # questions from which on it is no chance if the right option has the same place in all


def remarks(format: str, questions: Sequence[Question]) -> Iterator[tuple[str, str]]:
    """What to say, each with a word for its kind.

    Args:
        format: the adapter that read them; what can be set depends on it.
    """
    if always := _always(questions):
        fix = 'set adapter_options: {"shuffle": true}' if format in TABLES else "see if the answers are read rightly"
        yield "one_sided", f"{always}: who always says so is always right; {fix}"
    again, otherwise = _asked_again(questions)
    if again:
        fix = "a benchmark counts each, training keeps one"
        yield "asked_again", f"{_named(again)} asked again about the same clip, with the same options: {fix}"
    if otherwise:
        fix = "one of the two is wrong, correct it"
        yield "contradicts", f"{_named(otherwise)} asked again about the same clip, with another right answer: {fix}"
    if alike := [question for question in questions if "duplicate_options" in question.flags]:
        yield "duplicate_options", f"{_named(alike)} asked with two options that are the same: correct them"


def _always(questions: Sequence[Question]) -> str:
    """Where the right option has the same place in every question."""
    places = [question.answer_index for question in questions if question.answer_index != OPEN]
    if len(places) < SUSPECT or len(set(places)) > 1:
        return ""
    return f"the right option is {LETTERS[places[0]]} in all {len(places)} questions"


def _asked_again(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Those that repeat an earlier one, and those that repeat it with another answer."""
    first: dict[tuple[str, str, tuple[str, ...]], str] = {}
    again: list[Question] = []
    otherwise: list[Question] = []
    for question in questions:
        key = question.clip_id, question.question, tuple(sorted(question.options))
        if key not in first:
            first[key] = question.answer_text
        else:
            (again if first[key] == question.answer_text else otherwise).append(question)
    return again, otherwise


def _named(questions: Sequence[Question]) -> str:
    """`2 questions (a_3, a_7) are`."""
    shown = ", ".join(question.source_id for question in questions[:SHOWN])
    more = ", …" if len(questions) > SHOWN else ""
    return f"{counted(len(questions), 'question')} ({shown}{more}) {'is' if len(questions) == 1 else 'are'}"
