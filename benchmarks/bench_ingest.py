"""What a user waits for before anything is decoded: ingest and screening of all sets, and `refocus doctor`.

Over 962,000 made-up training questions, the benchmarks' own, and 170,000 linked videos in the published layouts
(`paper_sources`), with the commands that the rules of config/paper.yaml run, two at a time. Every command is a process
of its own, imports included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
from refocus.config.overlay import load
from refocus.config.root import Root
from refocus.core.files import canonical
from refocus.core.results_folder import QUESTIONS

ROOT = Path(__file__).resolve().parents[1]
BASE, PAPER = ROOT / "config.yaml", ROOT / "config" / "paper.yaml"
REFOCUS = ("-m", "refocus")
SCREENS = ("duplicates", "leaks")
DOCTOR = (*REFOCUS, "doctor", "--json", "--base", str(BASE), "--configfile", str(PAPER))
AT_A_TIME = 2
HEAD = ("", "questions", "CPU seconds", "seconds", "peak MB")


@dataclass(frozen=True)
class Cost:
    """What one process took with its children: seconds by the clock and of CPU (user + system), peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    """Measures, and prints the table or writes it into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the paper's questions and videos (default: all)")
    parser.add_argument("--out", type=Path, help="a page with the marks bench-ingest")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, videos = measure(Path(folder), args.share)
    from benchmarks.report import processor, table, write  # torch: a child's peak counts from what its parent holds

    text = f"{videos:,} videos.\n\n{table(HEAD, rows)}"
    machine = f"{os.cpu_count()} cores of {processor()}, load {os.getloadavg()[0]:.1f} at the end"
    text = f"{date.today()}, {machine}; `python -m benchmarks.bench_ingest --share {args.share:g}`: {text}"
    if args.out:
        write(args.out, "bench-ingest", text)
    else:
        sys.stdout.write(text)


def measure(home: Path, share: float, python: str = sys.executable) -> tuple[list[list[str]], int]:
    """The rows of the table, and how many videos there were.

    Args:
        home: an empty folder, which becomes the working directory.
        share: of the paper's questions and videos.
        python: what runs the commands.
    """
    # The files are made by a process of their own, for the same reason.
    words = [sys.executable, "-m", "benchmarks.paper_sources", str(home), str(share)]
    made = subprocess.run(words, cwd=ROOT, env=environment(), check=True, stdout=subprocess.PIPE, text=True)
    sizes: dict[str, tuple[int, int]] = json.loads(made.stdout)
    asked = {name: questions for name, (questions, _) in sizes.items()}
    root = load([BASE, PAPER])
    largest_first = sorted(asked, key=lambda name: -asked[name])  # so that no core waits long at the end
    began = time.perf_counter()
    ingested = at_a_time({name: partial(cost, [python, *ingest(root, name)], home) for name in largest_first})
    screened = at_a_time({what: partial(cost, [python, *screen(root, what)], home) for what in SCREENS})
    wall = time.perf_counter() - began
    for name, count in asked.items():
        found = pq.read_metadata(home / QUESTIONS.at(root.results, dataset=name)).num_rows
        assert found == count, f"{name}: {found} of {count} questions were ingested"
    doctor = cost([python, *DOCTOR], home, home / "doctor.json", status=1)  # 1: the models are not there
    report = json.loads((home / "doctor.json").read_text())
    assert {source["name"]: source["questions"] for source in report["sources"]} == asked
    rows = [line(f"ingest {name}", ingested[name], asked[name]) for name in asked]
    rows += [line(f"screen {what}", spent) for what, spent in screened.items()]
    every = [*ingested.values(), *screened.values()]
    together = Cost(wall, sum(one.cpu for one in every), max(one.memory for one in every))
    rows.append(line("**all of that**, two at a time", together, sum(asked.values())))
    rows.append(line("**`refocus doctor`**", doctor, sum(asked.values())))
    return rows, sum(videos for _, videos in sizes.values())


def ingest(root: Root, name: str) -> list[str]:
    """The command of the rule that ingests a set."""
    source = root.source(name)
    words = [*REFOCUS, "ingest", source.format, "--annotations", *source.annotations, "--videos", source.videos]
    words += ["--name", name, "--adapter-options", canonical(source.adapter_options)]
    words += ["--shards", str(source.shards), "--planned", str(source.shards), "--settings", root.ingest.canonical()]
    out = QUESTIONS.at(root.results, dataset=name).parent
    return [*words, "--store", f"{root.results}/store", "--out", str(out)]


def screen(root: Root, what: str) -> list[str]:
    """The command of one of the two rules that screen."""
    trained, benchmarks = (
        [str(QUESTIONS.at(root.results, dataset=name)) for name in names]
        for names in (root.use.datasets, root.use.benchmarks)
    )
    words = [*REFOCUS, "screen", what, *trained, *(["--benchmarks", *benchmarks] if what == "leaks" else [])]
    return [*words, "--out", f"{root.results}/screened"]


def at_a_time(tasks: Mapping[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """What each task took, with as many running at once as a machine of two cores runs."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return dict(zip(tasks, pool.map(lambda task: task(), tasks.values()), strict=True))


def cost(words: list[str], home: Path, out: Path | None = None, status: int = 0) -> Cost:
    """Runs one command to its end.

    Args:
        out: where its output goes, if it is wanted.
        status: how it has to end.
    Raises:
        RuntimeError: it ends otherwise; has its last words.
    """
    with tempfile.TemporaryFile("w+") as log, (out or Path(os.devnull)).open("w") as output:
        began = time.perf_counter()
        process = subprocess.Popen(words, cwd=home, stdout=output, stderr=log, env=environment())
        _, ended, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(ended)
        if process.returncode != status:
            log.seek(0)
            raise RuntimeError(f"{' '.join(words[1:5])} ended with {process.returncode}: {log.read()[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def environment() -> dict[str, str]:
    """This one, in which the package and the benchmarks are found and no hub is asked."""
    paths = os.pathsep.join([str(ROOT / "pipeline"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"}


def line(name: str, spent: Cost, questions: int | None = None) -> list[str]:
    """A row of the table."""
    count = "" if questions is None else f"{questions:,}"
    return [name, count, f"{spent.cpu:.1f}", f"{spent.wall:.1f}", f"{spent.memory:.0f}"]


if __name__ == "__main__":
    main()
