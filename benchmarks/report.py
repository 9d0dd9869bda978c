"""What benchmarks share: results between two marks of a document, alternating timing, the machine's name."""

import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch


def write(file: Path, mark: str, text: str) -> None:
    """Replaces what stands between `<!-- mark -->` and `<!-- /mark -->`.

    Raises:
        ValueError: the file has no such marks.
    """
    start, stop = f"<!-- {mark} -->\n", f"<!-- /{mark} -->\n"
    before, _, rest = file.read_text(encoding="utf-8").partition(start)
    _, found, after = rest.partition(stop)
    if not found:
        raise ValueError(f"{file}: no {start.strip()} and {stop.strip()}")
    file.write_text(before + start + text + stop + after, encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def alternate(runs: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """The least seconds of each, run in turn, so that a busy moment meets them alike."""
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for index, run in enumerate(runs):
            best[index] = min(best[index], seconds(run))
    return best


def seconds(run: Callable[[], Any]) -> float:
    """CPU time of one call, or wall time where there is a GPU, with what the call started on it."""
    if not torch.cuda.is_available():
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def processor() -> str:
    """The CPU's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
