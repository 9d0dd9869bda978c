"""Inputs that are led to code which none has reached: `make fuzz-guided`, with atheris (libFuzzer for Python).

The makers of `make fuzz` take their choices from the bytes that libFuzzer changes, instead of from random numbers, so
that an input stays near what its parser reads. Every parser has a process of its own, and the same seconds of it.
"""

import argparse
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

from refocus.core.errors import UsageError

from benchmarks.report import table, write

SEED = 1
LONGEST = 8192  # bytes that choices are taken from
MARK = "guided"
DONE = re.compile(r"Done (\d+) runs")
COVERED = re.compile(r"cov: (\d+)")
FOUND = "finding: "


class Choices(Random):
    """Random numbers that are the bytes of an input one after the other, and zeros behind them."""

    def __new__(cls, data: bytes) -> "Choices":
        return super().__new__(cls)

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data, self._at = data, 0

    def getrandbits(self, k: int) -> int:
        """The next bytes, as many as k bits take."""
        size = (k + 7) // 8
        taken = self._data[self._at : self._at + size].ljust(size, b"\0")
        self._at += size
        return int.from_bytes(taken, "little") >> (size * 8 - k) if k else 0

    def random(self) -> float:
        """In [0, 1), from two bytes: enough to choose by, and changed by every one that libFuzzer changes."""
        return self.getrandbits(16) / (1 << 16)


def lead(name: str, seconds: int) -> None:
    """Leads inputs into one parser until its time is over, and ends the process. Needs atheris."""
    import atheris

    with atheris.instrument_imports(include=["refocus"]):
        from tests.fuzz.harness import Finding, judge, limited
        from tests.fuzz.parsers import PARSERS

    logging.disable(logging.CRITICAL)
    parser = next(one for one in PARSERS if one.name == name)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        make, parse = parser.build(Path(folder))

        def one(data: bytes) -> None:
            try:
                judge(parse, make(Choices(data)))
            except Finding as finding:
                sys.stderr.write(f"{FOUND}{finding}\n")
                raise

        limits = [f"-max_total_time={seconds}", f"-seed={SEED}", f"-max_len={LONGEST}", "-len_control=0"]
        atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", f"-artifact_prefix={folder}/"], one)
        with limited(Path(folder)):
            atheris.Fuzz()


def outcome(name: str, seconds: int) -> tuple[int, int, str]:
    """Inputs, edges of code that they reach, and what was found, of one parser in a process of its own."""
    words = [sys.executable, "-m", "tests.fuzz.guided", "--seconds", str(seconds), "--parser", name]
    settings = {**os.environ, "TQDM_DISABLE": "1", "SVT_LOG": "1"}
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=settings, check=False)
    runs, covered = DONE.search(done.stderr), COVERED.findall(done.stderr)
    found = next((line for line in done.stderr.splitlines() if line.startswith(FOUND)), "")
    if done.returncode and not found:
        found = f"{FOUND}the process ended with {done.returncode}: {done.stderr.strip()[-300:]}"
    return int(runs[1]) if runs else 0, int(covered[-1]) if covered else 0, found


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 where anything was found."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=int, default=20, help="of each parser (default: 20)")
    words.add_argument("--only", action="append", default=[], help="parsers with this in their name")
    words.add_argument("--processes", type=int, default=1, help="parsers that are tried at a time (default: 1)")
    words.add_argument("--out", type=Path, help="document that the table is written into")
    words.add_argument("--parser", help=argparse.SUPPRESS)
    args = words.parse_args(arguments)
    if args.parser:
        lead(args.parser, args.seconds)
    from tests.fuzz.parsers import PARSERS

    names = [one.name for one in PARSERS if not args.only or any(part in one.name for part in args.only)]
    if not names:
        raise UsageError(f"no parser has {' or '.join(args.only)} in its name")
    rows, findings = [], 0
    with ThreadPoolExecutor(args.processes) as pool:
        for name, made in zip(names, pool.map(partial(outcome, seconds=args.seconds), names), strict=True):
            inputs, covered, found = made
            findings += bool(found)
            rows.append([name, f"{inputs:,}", f"{covered:,}"])
            sys.stdout.write(f"{name}: {inputs:,} inputs, {covered:,} edges{'; ' if found else ''}{found}\n")
            sys.stdout.flush()
    total = sum(int(inputs.replace(",", "")) for _, inputs, _ in rows)
    summary = f"{len(names)} parsers, {args.seconds} s each, {total:,} inputs, {findings} findings"
    sys.stdout.write(f"{summary}\n")
    if args.out:
        run = f"`make fuzz-guided FUZZ_ARGS='--seconds {args.seconds} --processes {args.processes}'`"
        write(args.out, MARK, f"{run}: {summary}.\n\n{table(['parser', 'inputs', 'edges reached'], rows)}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
