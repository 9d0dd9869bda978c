"""Many inputs for every parser: `make fuzz`. What comes of them is printed, and written into docs/security.md.

Input number n of a parser is always the same one, so that a finding can be looked at again: `--only NAME --first n`.
Every parser has a process of its own, one after the other, so that one which dies takes nothing else down.
"""

import argparse
import logging
import mmap
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

from refocus.core.limits import LIMITS

from benchmarks.report import table, write
from tests.fuzz.harness import Finding, Parser, judge, limited
from tests.fuzz.parsers import PARSERS

ENOUGH = 1000  # inputs, some of which must be good ones
SHOWN = 3  # findings of a parser that are told
MARK = "fuzz"
MEMORY = Path("/dev/shm")


@dataclass
class Outcome:
    """Of one parser. refused: how often for which reason; findings: what, and of which input."""

    inputs: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    findings: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def line(self, name: str) -> str:
        """A summary in one line."""
        refused = sum(self.refused.values())
        found = f", FINDINGS {len(self.findings)}" if self.findings else ""
        counts = f"{self.inputs} inputs, {self.accepted} accepted, {refused} refused for {len(self.refused)} reasons"
        return f"{name}: {counts}, {self.seconds:.1f} s{found}"


def fuzz(parser: Parser, folder: Path, first: int, count: int, place: Any, trace: bool = False) -> Outcome:
    """Judges inputs first, first + 1, …; `place` receives the number of the one that is being judged."""
    make, parse = parser.build(folder)
    made, start = Outcome(), time.process_time()
    with limited(folder):
        for number in range(first, first + count):
            place[:8] = number.to_bytes(8, "little")
            value = make(Random(f"{parser.name}:{number}"))
            made.inputs += 1
            try:
                reason = judge(parse, value)
            except Finding as finding:
                if trace:
                    traceback.print_exc()
                    sys.stderr.write(f"{value!r:.3000}\n")
                made.findings.setdefault(str(finding)[:200], number)
                if len(made.findings) > 20:
                    break
                continue
            if reason is None:
                made.accepted += 1
            else:
                made.refused[reason] += 1
    if not made.accepted and made.inputs >= ENOUGH:
        made.findings["nothing is accepted: these inputs are too far from what it reads"] = first
    made.seconds = time.process_time() - start
    return made


def in_a_process(parser: Parser, first: int, count: int, trace: bool) -> Outcome:
    """The outcome of a process of its own; its death is a finding."""
    place = mmap.mmap(-1, 8)
    here, there = get_context("fork").Pipe(False)
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))

    def child() -> None:
        there.send(fuzz(parser, folder, first, count, place, trace))

    process = get_context("fork").Process(target=child)
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        why = f"the process died of {signal.Signals(-code).name}" if code < 0 else "the process ended"
        return Outcome(findings={why: int.from_bytes(place[:8], "little")})
    finally:
        process.join()
        shutil.rmtree(folder, ignore_errors=True)


def record(file: Path, outcomes: Mapping[Parser, Outcome]) -> None:
    """Writes the table; parsers that were not tried now keep their line."""
    head = ["parser", "where", "whose", "inputs", "accepted", "refused", "reasons", "CPU s"]
    lines = [line.strip("| ").split(" | ") for line in file.read_text(encoding="utf-8").splitlines()]
    known = {cells[0]: cells for cells in lines if len(cells) == len(head)}
    rows = []
    for one in PARSERS:
        made = outcomes.get(one)
        if made is None:
            rows += [known[one.name]] if one.name in known else []
            continue
        counts = [f"{made.inputs:,}", f"{made.accepted:,}", f"{sum(made.refused.values()):,}", len(made.refused)]
        rows.append([one.name, one.room, one.whose, *counts, f"{made.seconds:.0f}"])
    write(file, MARK, table(head, rows))
    write(file, "limits", limits_table())


def limits_table() -> str:
    """What docs/security.md says of the limits."""
    return table(["variable", "of", "limit"], [[f"`{one.variable}`", one.of, f"{one.default:,}"] for one in LIMITS])


def main() -> int:
    """Returns 1 where anything was found."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--inputs", type=int, default=100_000, help="inputs of each parser (default: 100000)")
    arguments.add_argument("--first", type=int, default=0, help="number of the first input (default: 0)")
    arguments.add_argument("--only", action="append", default=[], help="parsers with this in their name")
    arguments.add_argument("--out", type=Path, help="document that the table is written into")
    arguments.add_argument("--trace", action="store_true", help="where each finding comes from")
    words = arguments.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ |= {"TQDM_DISABLE": "1", "SVT_LOG": "1"}
    chosen = [one for one in PARSERS if not words.only or any(part in one.name for part in words.only)]
    outcomes = {}
    for parser in chosen:
        made = outcomes[parser] = in_a_process(parser, words.first, words.inputs, words.trace)
        sys.stdout.write(made.line(parser.name) + "\n")
        for what, number in list(made.findings.items())[:SHOWN]:
            sys.stdout.write(f"  input {number}: {what}\n")
        sys.stdout.flush()
    if words.out:
        record(words.out, outcomes)
    total = Outcome(
        sum(made.inputs for made in outcomes.values()), seconds=sum(made.seconds for made in outcomes.values())
    )
    found = sum(len(made.findings) for made in outcomes.values())
    sys.stdout.write(
        f"{len(outcomes)} parsers, {total.inputs} inputs, {total.seconds:.0f} s of CPU, {found} findings\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
