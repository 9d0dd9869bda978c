"""The option that a generated reply names, as a benchmark's own authors find it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PHRASES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
)
_ENDS = (",", ".", "!", "?", ";", ":", "'")
_ENOUGH_WORDS = 5  # of a reply that may quote an option instead of naming its letter


@dataclass(frozen=True)
class AuthorsRule:
    """letter: finds a letter in a reply, or none (empty), given the options' texts by letter. follows: whose rule."""

    letter: Callable[[str, dict[str, str]], str]
    follows: str


def first_letter(reply: str, options: dict[str, str]) -> str:
    """The first of the letters behind the usual phrases, be it the first of a word."""
    for phrase in _PHRASES:
        reply = reply.replace(phrase, "")
    found = re.search(f"[{''.join(options)}]", reply)
    return found[0] if found else ""


def before_bracket(reply: str, options: dict[str, str]) -> str:
    """What stands before the first closing bracket, or the whole reply, if that is nothing but a letter.

    MLVU's prompt ends with an opening bracket. Where the reply has to open it, that is no part of the letter.
    """
    named = reply.split(")")[0].strip().removeprefix("(")
    return named if named in options else ""


def marked_letter(reply: str, options: dict[str, str]) -> str:
    """The letter with a full stop or colon behind it, else in brackets, else with a space behind it; of several the one
    furthest back. In a reply of more than five words without any, the letter of an option whose text is quoted.
    """
    for mark in _ENDS:
        reply = reply.strip(mark)
    text = f" {reply} "
    for looked_for, placed in (("{}.", "{}."), ("{}:", "{}:"), ("({})", "({})"), ("{} ", " {} ")):
        found = [letter for letter in options if looked_for.format(letter) in text]
        if found:
            return _furthest(text, {letter: placed.format(letter) for letter in found})
    if len(text.split()) > _ENOUGH_WORDS:
        low = text.lower()
        return _furthest(low, {letter: said for letter, option in options.items() if (said := option.lower()) in low})
    return ""


def _furthest(text: str, found: dict[str, str]) -> str:
    return max(found, key=lambda letter: text.rfind(found[letter]), default="")


VIDEO_MME = AuthorsRule(first_letter, "Video-MME's own evaluation at 8889f31, as in lmms-eval up to 0.4")
RULES = {  # by the format of a benchmark; Video-MME's for the others
    "longvideobench": AuthorsRule(
        first_letter, "LongVideoBench's authors, tasks/longvideobench/utils.py of lmms-eval 0.7.2, but never by lot"
    ),
    "mlvu": AuthorsRule(before_bracket, "MLVU's choice_bench.py at 0b16f40"),
    "videommmu": AuthorsRule(marked_letter, "Video-MMMU's authors, tasks/videommmu/utils.py of lmms-eval at 5277604"),
}


def authors_rule(form: str) -> AuthorsRule:
    """The rule of the authors of a benchmark of this format."""
    return RULES.get(form, VIDEO_MME)


def authors_letter(reply: str, letters: str, options: Sequence[str], form: str) -> str:
    """The letter that a benchmark's authors find in a reply; empty for none."""
    return authors_rule(form).letter(reply, dict(zip(letters, options, strict=True)))
