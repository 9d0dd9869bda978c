"""Which rules run again when a key of config.yaml changes: `tests/workflow/reruns.yaml`, and the page that shows it.

`python -m tests.support.reruns` changes every key alone, asks Snakemake what it would run on a finished run of
stand-ins, and writes both (minutes). The tests change all keys of a line at once.
"""

import functools
import sys
import tempfile
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import yaml
from refocus.config.base import Strict
from refocus.config.layers import merge, read
from refocus.config.overlay import check
from refocus.core.errors import UsageError
from refocus.core.progress import bar

from tests.support.finished_run import finish, plan_under

REPOSITORY = Path(__file__).resolve().parents[2]
GROUPS, PAGE = REPOSITORY / "tests/workflow/reruns.yaml", REPOSITORY / "docs/reruns.md"
MARK, END = "<!-- reruns -->\n", "<!-- /reruns -->\n"
STAGES = {  # column of the page → its rules, in the order of the DAG
    "world": ("make_world",),
    "ingest": ("ingest_nextqa", "ingest_llava_video", "ingest_videomme", "ingest_mlvu"),
    "screen": ("find_duplicates", "find_leaks"),
    "decode": ("decode_shard",),
    "scores": ("embed_shard", "certain_shard"),
    "reward": ("score_shard",),
    "filter": ("filter_pairs",),
    "train": ("train_policy",),
    "select": ("select_frames",),
    "recall": ("measure_recall",),
    "likelihood": ("measure_likelihood", "measure_initial_likelihood", "answer_bins"),
    "answer": ("answer_questions",),
    "tables": ("make_tables",),
    "figures": ("draw_figures",),
}
ORDER = [rule for rules in STAGES.values() for rule in rules]
MANY = 6  # keys of a line that are still named
OTHER = "assets/other"  # a model that is there and is none of the configured ones
CHANGES: dict[str, Any] = {  # where no other value can be told from the type
    "results": "elsewhere",
    "use.datasets": ["llava_video", "nextqa"],
    "use.benchmarks": ["mlvu"],
    "use.selectors": ["uniform", "oracle", "initial/demo", "refocus/demo"],
    "datasets.NAME.annotations": ["<results>/world/nextqa/train.csv"],
    "datasets.NAME.adapter_options": {"split": "val"},
    "benchmarks.NAME.truth": "<results>/qa/videomme.evidence.parquet",
    "benchmarks.NAME.adapter_options": {"split": "val"},
    "benchmarks.NAME.format": "lvbench",
    "datasets.NAME.format": "csv",
    "benchmarks.NAME.annotations": ["<results>/world/mlvu/json/2_needle.json"],
    "lmms.NAME.path": OTHER,
    "scorers.NAME.path": OTHER,
    "policy.start": OTHER,
    "policy.vision": OTHER,
    "policy.variant": "released",
    "policy.prompt": "released",
    "tables.extractor": "authors",
    "runs.NAME.train": {"batch": 10},
    "runs.NAME.policy": {"logit_scale": 2.0},
    "answer.n_frames": [2, 4, 8],
    "tables.n_frames": 2,
    "training_free.mdp3_widths": [0.5],
    "imports": {"other": {"files": {"videomme": "picks.jsonl"}}},
    "doctor.sources": {"nextqa": {"max_missing_share": 0.5}},
    "plan.sources": {"nextqa": {"clips": 9}},
    "likelihood.percents": [20, 40, 60],
    "train.curriculum": [[0.0, 1], [0.5, 4]],
    "train.betas": [0.9, 0.95],
    "decode.size": 256,
    "figures.formats": ["png"],
    "niah.lengths": [64, 128],
}
CLASHES = ("train.curriculum",)  # ends with the picks of the configuration as it is
SAID = {  # what was changed, where the key alone does not say it
    "use.datasets": "another order",
    "use.benchmarks": "one less",
    "use.haystacks": "one more",
    "use.lmms": "one more",
    "use.runs": "one more",
    "use.selectors": "some less",
}
SECOND = {"second": {"path": OTHER, "dtype": "float32"}}
OVERLAYS: dict[str, dict[str, Any]] = {  # keys that name an entry, with the entry
    "use.lmms": {"use": {"lmms": ["tiny", "second"]}, "lmms": SECOND},
    "use.runs": {"use": {"runs": ["demo", "second"]}, "runs": {"second": {"seed": 1}}},
    "use.haystacks": yaml.safe_load((REPOSITORY / "config/niah.yaml").read_text()),
    "reward.model": {"reward": {"model": "second"}, "lmms": SECOND},
    "train.reward_model": {"train": {"reward_model": "second"}, "lmms": SECOND},
    "certainty.model": {"certainty": {"model": "second"}, "lmms": SECOND},
    "embed.model": {"embed": {"model": "second"}, "scorers": SECOND},
}


class Leaf(typing.NamedTuple):
    """One setting: as people write it, with NAME for an entry's name; where it is; its type and present value."""

    key: str
    path: tuple[str, ...]
    kind: Any
    value: Any


def leaves(settings: Strict, key: str = "", path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every setting of a configuration; of mappings of entries those of the first entry."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Strict):
            yield from leaves(value, f"{key}{name}.", (*path, name))
        elif isinstance(value, Mapping) and value and all(isinstance(one, Strict) for one in value.values()):
            entry, first = next(iter(value.items()))
            yield from leaves(first, f"{key}{name}.NAME.", (*path, name, entry))
        else:
            yield Leaf(key + name, (*path, name), field.annotation, value)


def overlay(base: Mapping[str, Any], leaf: Leaf) -> dict[str, Any]:
    """What to lay over a configuration to change one key.

    Raises:
        LookupError: no other value of the key is accepted; add one to `CHANGES`.
    """
    if leaf.key in OVERLAYS:
        return OVERLAYS[leaf.key]
    tried = [CHANGES[leaf.key]] if leaf.key in CHANGES else list(others(leaf.kind, leaf.value))
    for value in tried:
        found: Any = value
        for name in reversed(leaf.path):
            found = {name: found}
        try:
            check(merge(base, found))
        except UsageError:
            continue
        return found
    raise LookupError(f"{leaf.key}: none of {tried} is accepted in place of {leaf.value!r}")


def together(base: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """What to lay over a configuration to change several keys at once, but for those in `CLASHES`."""
    known = {leaf.key: leaf for leaf in leaves(check(base))}
    return functools.reduce(merge, (overlay(base, known[key]) for key in keys if key not in CLASHES), {})


def others(kind: Any, value: Any) -> Iterator[Any]:
    """Values of a type that differ from the present one."""
    kinds = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else [kind]
    for one in kinds:
        if typing.get_origin(one) is Literal:
            yield from (choice for choice in typing.get_args(one) if choice != value)
        elif typing.get_origin(one) is typing.Annotated:
            yield from others(typing.get_args(one)[0], value)
        elif one is bool:
            yield not value
        elif one is int:
            yield from (1, 2) if value is None else (value + 1, value - 1, value * 2)
        elif one is float:
            yield from (0.5, 1.5) if value is None else (value / 2, value * 2, 0.25)
        elif one is str:
            yield f"{value or ''}other"
        elif typing.get_origin(one) is tuple:
            yield ["/"]


def groups() -> dict[tuple[str, ...], list[str]]:
    """What the file says: rules that run again, in the order of the DAG → the keys that make them."""
    text = yaml.safe_load(GROUPS.read_text(encoding="utf-8"))
    return {tuple(group["rules"]): group["keys"] for group in text}


def measured(base: Mapping[str, Any], home: Path) -> dict[tuple[str, ...], list[str]]:
    """The same as Snakemake plans it on a finished run, each key alone."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:

        def ask(leaf: Leaf) -> tuple[str, ...]:
            work = Path(folder) / leaf.key
            work.mkdir()
            return in_order(plan_under(REPOSITORY, home, work, overlay(base, leaf)))

        asked = list(leaves(check(base)))
        plans = list(bar(pool.map(ask, asked), total=len(asked), desc="plan", unit="key"))
    found: dict[tuple[str, ...], list[str]] = {}
    for leaf, rules in zip(asked, plans, strict=True):
        found.setdefault(rules, []).append(leaf.key)
    return {rules: found[rules] for rules in sorted(found, key=place)}


def in_order(rules: Iterable[str]) -> tuple[str, ...]:
    """Rules in the order of the DAG; those that the default run does not have come last."""
    return tuple(sorted(rules, key=lambda rule: (ORDER.index(rule) if rule in ORDER else len(ORDER), rule)))


def place(rules: tuple[str, ...]) -> tuple[int, int]:
    """Where a group stands: what begins earliest first, what runs nothing last."""
    first = ORDER.index(rules[0]) if rules and rules[0] in ORDER else len(ORDER)
    return first, -len(rules)


def page(found: Mapping[tuple[str, ...], list[str]]) -> str:
    """The table, one line per section and set of rules and a column per stage; and below it what makes nothing run."""
    nothing = []
    lines = ["| changed | " + " | ".join(STAGES) + " |", "|---" + "|:-:" * len(STAGES) + "|"]
    for rules, keys, own in rows(found):
        if not rules:
            nothing.append(spelled(keys, own))
            continue
        more = "".join(f", `{rule}`" for rule in rules if rule not in ORDER)
        lines.append(f"| {spelled(keys, own)}{' → also ' * bool(more)}{more[2:]} | " + " | ".join(cells(rules)) + " |")
    return "\n".join([*lines, "", f"Nothing runs again for {'; '.join(nothing)}."]) + "\n"


def rows(found: Mapping[tuple[str, ...], list[str]]) -> Iterator[tuple[tuple[str, ...], list[str], list[str]]]:
    """The lines of the table: rules, the keys of one section that make them run, and all keys of the section."""
    rules_of = {key: rules for rules, keys in found.items() for key in keys}
    ordered = [leaf.key for leaf in leaves(check(read(REPOSITORY / "config.yaml")))]
    ordered = [key for key in ordered if key in rules_of]
    for section in dict.fromkeys(key.partition(".")[0] for key in ordered):
        own = [key for key in ordered if key.partition(".")[0] == section]
        for rules in sorted({rules_of[key] for key in own}, key=place):
            yield rules, [key for key in own if rules_of[key] == rules], own


def spelled(keys: list[str], own: list[str]) -> str:
    """The keys of one line, short: `train.*` for a whole section, `runtime.*`, "all others" for most of a long one."""
    section = keys[0].partition(".")[0]
    if keys == own:
        return f"`{section}`" if keys == [section] else f"`{section}.*`"
    runtime = [key for key in own if ".runtime." in key]
    whole = set(runtime) <= set(keys)
    named = [key for key in keys if key not in runtime]
    short = [named_key(key) for key in named]
    if len(named) > MANY and 2 * len(named) > len(own) - len(runtime):
        short = ["all others"]
    short += ["`runtime.*`"] if runtime and whole else [f"`{key.partition('.')[2]}`" for key in keys if key in runtime]
    return f"`{section}`: " + ", ".join(short)


def named_key(key: str) -> str:
    """A key without its section, and what was changed about it."""
    return f"`{key.partition('.')[2]}`" + (f" ({SAID[key]})" if key in SAID else "")


def cells(rules: tuple[str, ...]) -> list[str]:
    """A dot for each stage that runs again as a whole, else the names of its rules that do."""
    found = []
    for stage in STAGES.values():
        own = [rule for rule in stage if rule in rules]
        found.append("●" if own == list(stage) else ", ".join(f"`{rule}`" for rule in own))
    return found


def write(found: Mapping[tuple[str, ...], list[str]]) -> None:
    """Writes the file, and the table into its page."""
    listed = [{"rules": list(rules), "keys": keys} for rules, keys in found.items()]
    head = (
        "# Which rules run again when a key changes (docs/reruns.md). `python -m tests.support.reruns` measures it.\n"
    )
    GROUPS.write_text(head + yaml.safe_dump(listed, sort_keys=False, width=120, default_flow_style=None))
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), page(found)), encoding="utf-8")


def with_table(text: str, table: str) -> str:
    """A page with another table between its marks."""
    before, _, rest = text.partition(MARK)
    return before + MARK + table + END + rest.partition(END)[2]


def main() -> None:
    """Measures, and writes both files; with `--page` only the page, of what the file says."""
    if "--page" in sys.argv:
        write(groups())
        return
    with tempfile.TemporaryDirectory() as folder:
        write(measured(read(REPOSITORY / "config.yaml"), finish(REPOSITORY, Path(folder))))


if __name__ == "__main__":
    main()
