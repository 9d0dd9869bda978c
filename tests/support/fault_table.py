"""The table of docs/decoding.md: what becomes of files with every kind of fault."""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.decode_ways import versions
from benchmarks.report import table, write
from tests.support.faults import FAULTS, judge

OUTCOMES = ("right", "partial", "failed", "wrong")
HEAD = ("fault", "files", "right", "partial", "failed", "ok and wrong", "made of")


def main() -> int:
    """Makes every file, decodes it and counts.

    Returns:
        1 if frames are called ok that are wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the document whose table is replaced")
    out = parser.parse_args().out
    rows, total = [], Counter[str]()
    for fault, (make, files) in FAULTS.items():
        counts = Counter[str]()
        for codec, kind in files:
            with tempfile.TemporaryDirectory() as folder:
                counts[judge(make(Path(folder), codec, kind))[0]] += 1
        total += counts
        made_of = ", ".join(f"{codec}.{kind}" for codec, kind in files)
        rows.append([fault, len(files), *(counts[outcome] or "" for outcome in OUTCOMES), made_of])
    rows.append(["all", total.total(), *(total[outcome] for outcome in OUTCOMES), ""])
    command = "`python -m tests.support.fault_table --out docs/decoding.md`"
    write(out, "faults", f"{versions()}; {command}.\n\n{table(HEAD, rows)}")
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
