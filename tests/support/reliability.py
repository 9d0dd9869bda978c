"""The tables of docs/reliability.md, made of the tests that carry `@pytest.mark.fault(fault, stages, outcome)`.

A test of several stages names them with spaces between, or by `ALL`, `READING` (all that read what others
wrote) or `WITHOUT_DECODE`.
The tests are read and not imported, so that every row has its test: `python -m tests.support.reliability --write`.
"""

import argparse
import ast
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import write

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
FAULTS = (
    "killed",
    "told to end",
    "full disk",
    "read-only folder",
    "input missing or unreadable",
    "input removed in mid-run",
    "input replaced or corrected",
    "damaged input or result",
    "two at once",
    "clock wrong",
)
STAGES = (
    "world",
    "ingest",
    "screen",
    "decode",
    "scores",
    "reward",
    "filter",
    "train",
    "select",
    "likelihood",
    "recall",
    "answer",
    "tables",
    "export",
    "report",
    "workflow",
)
READING = "ingest screen decode scores reward filter select likelihood recall answer tables export report"
ALL = f"world {READING}"
WITHOUT_DECODE = ALL.replace(" decode", "")
NAMED = {"READING": READING, "ALL": ALL, "WITHOUT_DECODE": WITHOUT_DECODE}


@dataclass(frozen=True)
class Held:
    """A fault in some stages, what becomes of it, and the test that holds it, as pytest names it."""

    fault: str
    stages: tuple[str, ...]
    outcome: str
    test: str

    @property
    def order(self) -> tuple[int, int, str]:
        """Its place in the list."""
        return FAULTS.index(self.fault), STAGES.index(self.stages[0]), self.test


def held() -> list[Held]:
    """All of them.

    Raises:
        ValueError: a marker is not three texts, or names a fault or a stage that the page does not have.
    """
    found = [one for file in sorted((ROOT / "tests").rglob("test_*.py")) for one in _in_file(file)]
    return sorted(found, key=lambda one: one.order)


def _in_file(file: Path) -> list[Held]:
    place = file.relative_to(ROOT).as_posix()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return [
        _read(mark, f"{place}::{node.name}")
        for node in tests
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault"
    ]


def _read(mark: ast.Call, test: str) -> Held:
    words = [NAMED.get(ast.unparse(word)) or ast.literal_eval(word) for word in mark.args]
    if len(words) != 3 or mark.keywords:
        raise ValueError(f"{test}: fault takes a fault, stages and an outcome")
    one = Held(words[0], tuple(words[1].split()), words[2], test)
    if one.fault not in FAULTS or not one.stages or set(one.stages) - set(STAGES):
        raise ValueError(f"{test}: {one.fault}, {words[1]}: not on the page (tests/support/reliability.py)")
    return one


def matrix(rows: list[Held]) -> str:
    """Fault by stage; a cell has the numbers of its rows in the list, and nothing where no test is."""
    return _table(["", *STAGES], [[fault, *(_cell(rows, fault, stage) for stage in STAGES)] for fault in FAULTS])


def _cell(rows: list[Held], fault: str, stage: str) -> str:
    return " ".join(str(number) for number, one in enumerate(rows, 1) if one.fault == fault and stage in one.stages)


def listing(rows: list[Held]) -> str:
    """A row per test."""
    body = [
        [number, one.fault, ", ".join(one.stages), one.outcome, f"`{one.test}`"] for number, one in enumerate(rows, 1)
    ]
    return _table(["", "fault", "stage", "what happens", "test"], body)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def main() -> None:
    """Prints the tables, or writes them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the tables of docs/reliability.md")
    rows = held()
    if parser.parse_args().write:
        write(PAGE, "matrix", matrix(rows))
        write(PAGE, "list", listing(rows))
    else:
        sys.stdout.write(f"{matrix(rows)}\n{listing(rows)}")


if __name__ == "__main__":
    main()
