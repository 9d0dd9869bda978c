"""`make bench-reward`: the reward pass against one forward pass per question and subset, in one run.

A random InternVL whose frame prefix dominates scores the 16 subsets of one 512-frame clip for 1 to 32 questions, with
our scorer and with the stock model as the paper writes it, alternating, on one CPU thread. Both start at decoded
frames and end at the option letters' logits, which are compared. The theoretical factor is the quotient of the
floating-point operations that the two need, counted from shapes.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
import transformers
from refocus.lmm import Lmm, Prompt, load_lmm

from tests.support.reference import Reference, sixteen_subsets
from tests.support.tiny_lmm import build_lmm

N_FRAMES = 512
COUNTS = (1, 2, 4, 8, 16, 32)
BAR_AT, BAR = 4, 3.0  # at four questions per clip ours takes at most a third of the naive time


@dataclass(frozen=True)
class Line:
    """One number of questions per clip: seconds and how far apart the logits are."""

    questions: int
    ours: float
    naive: float
    theory: float
    difference: float

    @property
    def factor(self) -> float:
        return self.naive / self.ours


@dataclass(frozen=True)
class Costs:
    """Floating-point operations of a model: per decoder token, per attended pair of tokens, per frame."""

    token: float
    pair: float
    frame: float

    @classmethod
    def of(cls, lmm: Lmm) -> "Costs":
        """From the shapes of the weights: two operations per weight and token, four per width and attended pair."""
        text, vision = lmm.model.config.get_text_config(decoder=True), lmm.model.config.vision_config
        decoder = sum(weight.numel() for weight in lmm.model.model.language_model.layers.parameters())
        tower = sum(weight.numel() for weight in lmm.model.model.vision_tower.encoder.parameters())
        patches = lmm.family.patches_per_frame(lmm.model.config)
        attended = 4 * vision.num_hidden_layers * vision.hidden_size * patches**2
        return cls(2 * decoder, 4 * text.num_hidden_layers * text.hidden_size, 2 * tower * patches + attended)

    def span(self, start: int, stop: int) -> float:
        """The decoder's tokens from place `start` to `stop` of a sequence."""
        return self.token * (stop - start) + self.pair * (stop**2 - start**2) / 2


def theory(lmm: Lmm, lists: list[list[int]], suffixes: list[int]) -> float:
    """Operations of the naive pass over those of a prefix tree with one suffix per question."""
    costs = Costs.of(lmm)
    ends = [len(lmm.tokenizer(lmm.family.prefix(n, lmm.tokens_per_frame)).input_ids) for n in range(33)]
    beginnings = {tuple(frames[:n]) for frames in lists for n in range(1, len(frames) + 1)}
    tree = costs.span(0, ends[0]) + sum(costs.span(ends[len(b) - 1], ends[len(b)]) for b in beginnings)
    asked = sum(costs.span(ends[len(frames)], ends[len(frames)] + n) for frames in lists for n in suffixes)
    ours = costs.frame * len({frame for frames in lists for frame in frames}) + tree + asked
    naive = sum(costs.frame * len(frames) + costs.span(0, ends[len(frames)] + n) for frames in lists for n in suffixes)
    return naive / ours


def measure(folder: Path, counts: tuple[int, ...], rounds: int) -> list[Line]:
    """Alternates ours and naive; the best of `rounds`."""
    lmm, reference = load_lmm(folder), Reference(folder)
    size = lmm.frame_size
    images = np.random.default_rng(0).integers(0, 256, (N_FRAMES, size, size, 3), dtype=np.uint8)
    lists = [frames for _, frames in sixteen_subsets(N_FRAMES, "wrapped")]
    needed = sorted({frame for frames in lists for frame in frames})
    place = {frame: number for number, frame in enumerate(needed)}
    lmm.score(lmm.encode(images[:1]), [((0,), 0)], [Prompt("?", ("red", "green"))])  # the system message, the warm-up
    lines = []
    for count in counts:
        asked = [
            Prompt(f"What colour is the {'red ' * (i % 8)}circle?", ("red", "green", "blue")) for i in range(count)
        ]
        rows = [([place[frame] for frame in frames], i) for i in range(count) for frames in lists]

        def ours(asked=asked, rows=rows) -> torch.Tensor:
            return torch.stack(lmm.score(lmm.encode(images[needed]), rows, asked))

        def naive(asked=asked) -> torch.Tensor:
            return torch.stack(
                [
                    reference.letters(images[frames], [frame / 4 for frame in frames], p.question, p.options)
                    for p in asked
                    for frames in lists
                ]
            )

        seconds, results = zip(*(_timed(run) for _ in range(rounds) for run in (ours, naive)), strict=True)
        suffixes = [len(lmm.tokenizer(lmm.family.suffix(prompt)).input_ids) for prompt in asked]
        difference = float((results[0] - results[1]).abs().max())
        line = Line(count, min(seconds[::2]), min(seconds[1::2]), theory(lmm, lists, suffixes), difference)
        sys.stderr.write(f"{line}\n")
        lines.append(line)
    return lines


def report(lines: list[Line], lmm: Lmm, rounds: int) -> str:
    """The results as Markdown."""
    text = lmm.model.config.get_text_config(decoder=True)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}"
    table = [
        f"| {line.questions} | {line.ours:.2f} | {line.naive:.2f} | {line.factor:.1f} | {line.theory:.1f} |"
        f" {100 * line.factor / line.theory:.0f} % | {line.difference:.0e} |"
        for line in lines
    ]
    head = [
        f"{date.today().isoformat()}, one thread of {processor()}, load {os.getloadavg()[0]:.1f} at the end;",
        f"{versions}; {text.num_hidden_layers} layers of width {text.hidden_size}, {lmm.tokens_per_frame} tokens",
        f"per frame; the best of {rounds} alternating runs; `python -m benchmarks.bench_reward --rounds {rounds}`.",
        "",
        "| questions per clip | ours, s | naive, s | factor | theoretical | reached | logits differ by |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join(["", *head, *table, ""])


def write(file: Path, text: str, mark: str) -> None:
    """Replaces what stands between the marks of a benchmark.

    Raises:
        ValueError: the file has no such marks.
    """
    start, stop = (f"<!-- {slash}{mark} -->\n" for slash in ("", "/"))
    before, _, rest = file.read_text(encoding="utf-8").partition(start)
    _, found, after = rest.partition(stop)
    if not found:
        raise ValueError(f"{file}: no {start.strip()} and {stop.strip()}")
    file.write_text(before + start + text + stop + after, encoding="utf-8")


def main() -> int:
    """Measures, prints, writes docs/benchmarks.md if asked to; 1 where the bar is missed or logits differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="alternating runs of each (default: 2)")
    parser.add_argument("--questions", type=int, nargs="+", default=COUNTS, help="questions per clip")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="replace the results in this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        sizes = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4}
        folder = build_lmm(Path(name), image_size=64, heads=8, **sizes)
        lines = measure(folder, tuple(args.questions), args.rounds)
        text = report(lines, load_lmm(folder), args.rounds)
    sys.stdout.write(text)
    if args.out:
        write(args.out, text, "bench-reward")
    missed = [line for line in lines if line.difference > 1e-4 or (line.questions == BAR_AT and line.factor < BAR)]
    for line in missed:
        sys.stderr.write(f"missed: {line}; at {BAR_AT} questions the factor is to be {BAR}, logits within 1e-4\n")
    return 1 if missed else 0


def _timed(run: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def processor() -> str:
    """The name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
