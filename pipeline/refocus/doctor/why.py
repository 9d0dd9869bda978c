"""Why the workflow would run what it would run, in a line per rule: which key changed, not all parameters twice."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n(?:    .*\n)*?    reason: (.*)$", re.MULTILINE)
_PARAMS = re.compile(r"Params have changed since last execution: .*?before: (.*) now: (.*?) *(?=;|$)")
_VALUE = re.compile(r"'((?:[^'\\]|\\.)*)'|([^,\s][^,]*)")
_DIGEST = re.compile(r"[0-9a-f]{12}")
SHOWN = 3  # reasons in a line
_NEWER_FILES = re.compile(r"Updated input files: (.*?)(?=;|$)")
NEWER = "newer than what was made of it"
COPIED = (
    "if no file but its time changed, as in a copy by `cp -r`: `snakemake --touch`, with the same words, takes all "
    "results as they are"
)

REASONS = {  # as Snakemake begins them, and in short
    "Missing output files": "not made yet",
    "Input files updated by another job": "made anew before it",
    "Updated input files": NEWER,
    "Set of input files has changed since last execution": "other inputs than last time",
    "Code has changed since last execution": "the rule's command changed",
    "Software environment definition has changed since last execution": "its environment changed",
    "Forced execution": "asked for",
    "Incomplete": "was interrupted",
}


@dataclass
class Planned:
    """The jobs of one rule, and why they would run: texts, each with how many jobs it holds for."""

    rule: str
    jobs: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    newer: list[str] = field(default_factory=list)  # files that are, each once


def planned(dry_run: str) -> list[Planned]:
    """The rules of a dry run's output, in its order, without those that only gather files."""
    found: dict[str, Planned] = {}
    for rule, reason in _JOB.findall(dry_run):
        if rule == "all":
            continue
        one = found.setdefault(rule, Planned(rule))
        one.jobs += 1
        one.reasons.update(dict.fromkeys(_reasons(reason), 1))
        if files := _NEWER_FILES.search(reason):
            one.newer += [file for file in files[1].split(", ") if file not in one.newer]
    return list(found.values())


def lines(rules: list[Planned]) -> Iterator[str]:
    """A line per rule and reason."""
    if not rules:
        yield "nothing would run"
    width = max((len(one.rule) for one in rules), default=0)
    for one in rules:
        jobs = f"{one.jobs:,} job{'s' if one.jobs > 1 else ''}"
        named = f": {one.newer[0]}{' …' * (len(one.newer) > 1)}" if one.newer else ""
        texts = [
            text + named * (text == NEWER) + (f" (of {count:,})" if count < one.jobs else "")
            for text, count in one.reasons.most_common()
        ]
        more = f"; {len(texts) - SHOWN} reasons more" if len(texts) > SHOWN else ""
        yield f"{one.rule:<{width}}  {jobs:>10}  {'; '.join(texts[:SHOWN]) or 'no reason is told'}{more}"
    if any(one.newer for one in rules):
        yield COPIED


def changes(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """`key.of.it: 0.15 → 0.2` for every leaf that differs between two JSON values."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            if before.get(name, _NONE) != now.get(name, _NONE):
                yield from changes(before.get(name, _NONE), now.get(name, _NONE), f"{key}.{name}" if key else name)
        return
    yield f"{key}: {_short(before)} → {_short(now)}"


_NONE = object()


def _short(value: Any) -> str:
    return "nothing" if value is _NONE else json.dumps(value, ensure_ascii=False)


def _reasons(text: str) -> Iterator[str]:
    """What one job's reason says, in short."""
    params = _PARAMS.search(text)
    if params is not None:
        yield from _params(_values(params[1]), _values(params[2]))
    for start, short in REASONS.items():
        if start in text:
            yield short


def _params(before: list[str], now: list[str]) -> Iterator[str]:
    """What differs between parameters before and now: by key where they are JSON objects."""
    old, new = [_json(text) for text in before], [_json(text) for text in now]
    maps = [value for value in new if isinstance(value, Mapping)]
    for value in maps:
        likest = max(
            (one for one in old if isinstance(one, Mapping)), key=lambda one: len(one.keys() & value), default={}
        )
        yield from changes(likest, value)
    if any(_DIGEST.fullmatch(text) for text in now):
        yield "the stage's code, or weights that it reads, changed"
    others = [text for text, value in zip(now, new, strict=True) if not isinstance(value, Mapping)]
    others = [text for text in others if not _DIGEST.fullmatch(text)]
    if others or not (maps or now):
        yield f"a parameter: {', '.join(before) or 'nothing'} → {', '.join(others) or 'nothing'}"


def _values(text: str) -> list[str]:
    if text == "<nothing exclusive>":
        return []
    return [quoted or bare for quoted, bare in _VALUE.findall(text)]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
