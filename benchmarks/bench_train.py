"""`make bench-train`: what sampling and training a policy cost, as ratios within one run.

(a) the rollout of 16 x 32 picks beside the prefix it starts from; (b) candidates from a forked state against a prefix
for each; (c) an update on several questions about one clip with one prefix against one each; (d) peak bytes with
everything kept, in layers, in cells; (e) one training step in bf16, on the GPU if there is one at the paper's size.
One thread; what is compared runs alternating. Seconds are CPU time, on a GPU wall time; memory on a CPU is counted
(tests/support/live_bytes.py).
"""

import argparse
import dataclasses
import logging
import os
import platform
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch
from refocus.lmm.prompts import Prompt
from refocus.policy.checkpointing import Cells, Checkpointing
from refocus.policy.config import PolicyConfig
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.network import ClipState
from refocus.policy.policy_prompt import before_frames
from refocus.policy.rollout import rollout, score
from refocus.policy.stack import Stack

from benchmarks import train_step
from benchmarks.report import alternate, processor, seconds, table, write
from tests.support.live_bytes import LiveBytes
from tests.support.tiny_policy import build_tokenizer

FRAMES, CANDIDATES, PICKS = 512, 16, 32
BAR = 0.10  # the rollout may take so much of the time of its prefix
QUESTIONS = (1, 2, 4, 8)
LENGTHS = (2048, 4096, 8192, 16384, 32768)
VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 64,
    "patch_size": 4,
}  # fmt: skip
SHAPE = PolicyConfig(
    width=256, layers=4, state=32, head_dim=64, chunk=64, vocab=64, start_of_frame=4, vision=VISION
)  # 64 tokens per frame
NARROW = PolicyConfig(width=32, layers=12, state=16, head_dim=32, chunk=128, vocab=8, start_of_frame=0, vision={})


@dataclasses.dataclass(frozen=True)
class Clip:
    """A policy and one clip's features."""

    policy: FramePolicy
    features: torch.Tensor
    frames: int

    @classmethod
    def build(cls, frames: int) -> "Clip":
        torch.manual_seed(0)
        policy = FramePolicy(SHAPE, build_tokenizer())
        return cls(policy, torch.randn(frames, SHAPE.grid**2, VISION["hidden_size"]), frames)

    def prompts(self, count: int) -> list[Prompt]:
        return [Prompt(f"What colour is the {'red ' * (i % 4)}circle?", ("red", "green")) for i in range(count)]

    def sample(self, clips: ClipState, candidates: int = CANDIDATES) -> None:
        asked = self.policy.ask(clips, [0], self.prompts(1))
        rollout(self.policy, clips, asked, candidates, PICKS, [0])

    def update(self, prompts: list[Prompt]) -> None:
        """What training computes for some questions of a clip, from features to gradients."""
        clips = self.policy.prefix([self.features])
        asked = self.policy.ask(clips, [0] * len(prompts), prompts)
        picks = rollout(self.policy, clips, asked, CANDIDATES, PICKS, list(range(len(prompts)))).picks
        scored = score(self.policy, clips, asked, picks)
        (scored.logp.sum() + scored.entropy.sum()).backward()
        self.policy.zero_grad()

    def counted(self, run: Callable[[], None]) -> int:
        """Row-steps of the backbone that something takes."""
        before = self.policy.backbone.tokens
        run()
        return self.policy.backbone.tokens - before

    def expected(self, prompts: list[Prompt]) -> int:
        """T tokens_per_frame and the text once, every question once, N (T' - 1) picks fed back: sampled and scored.

        Questions are padded to the longest.
        """
        policy = self.policy
        text = len(policy.tokenize(before_frames(SHAPE.prompt)))
        questions = len(prompts) * max(len(policy.question_ids(prompt)) + 1 for prompt in prompts)
        picks = 2 * len(prompts) * CANDIDATES * (PICKS - 1)
        return text + self.frames * SHAPE.tokens_per_frame + questions + picks


# ---- the sections


@torch.no_grad()
def sampling(clip: Clip, rounds: int) -> tuple[str, list[str]]:
    """(a) and (b): a rollout beside its prefix, and beside as many prefixes as candidates."""
    policy = clip.policy
    clips = policy.prefix([clip.features])

    def anew() -> None:
        for _ in range(CANDIDATES):
            clip.sample(policy.prefix([clip.features]), 1)

    clip.sample(clips)  # warms up
    prefix, picking = alternate([lambda: policy.prefix([clip.features]), lambda: clip.sample(clips)], rounds)
    forked, repeated = alternate([lambda: clip.sample(policy.prefix([clip.features])), anew], 1)
    tokens = [clip.counted(run) for run in (lambda: clip.sample(policy.prefix([clip.features])), anew)]
    share = picking / prefix
    text = (
        f"(a) {CANDIDATES} x {PICKS} picks after {clip.frames * SHAPE.tokens_per_frame:,} tokens: prefix"
        f" {prefix:.2f} s, question and rollout {picking:.3f} s, {share:.1%} of it (bar: {BAR:.0%}).\n\n"
        f"(b) {CANDIDATES} candidates from one forked state {forked:.2f} s, with a prefix for each {repeated:.2f} s:"
        f" factor {repeated / forked:.1f}; by tokens {tokens[1] / tokens[0]:.1f}.\n\n"
    )
    return text, [f"the rollout takes {share:.1%} of the prefix"] if share > BAR else []


def sharing(clip: Clip, counts: tuple[int, ...]) -> tuple[str, list[str]]:
    """(c): one prefix for the questions of a clip against one for each; counted tokens against the formula."""
    rows, missed, work = [], [], clip.policy.backbone
    for count in counts:
        prompts = clip.prompts(count)
        before = work.tokens
        ours = seconds(lambda p=prompts: clip.update(p))
        tokens = work.tokens - before
        naive = seconds(lambda p=prompts: each(clip, p))
        if tokens != clip.expected(prompts):
            missed.append(f"{tokens:,} tokens counted, {clip.expected(prompts):,} by the formula")
        factor, theory = naive / ours, (work.tokens - before - tokens) / tokens
        rows.append(
            (
                count,
                f"{tokens:,}",
                f"{ours:.2f}",
                f"{naive:.2f}",
                f"{factor:.2f}",
                f"{theory:.2f}",
                f"{factor / theory:.0%}",
            )
        )
    head = ("questions per clip", "tokens", "shared, s", "one by one, s", "factor", "by tokens", "reached")
    title = (
        f"(c) One update on the questions of one clip of {clip.frames} frames, from features to gradients. Tokens are"
        " counted, and equal to the formula: frames and system text once, each question once, N (T' - 1) picks sampled"
        " and scored.\n\n"
    )
    return title + table(head, rows), missed


def each(clip: Clip, prompts: list[Prompt]) -> None:
    """The same update, one prefix per question."""
    for prompt in prompts:
        clip.update([prompt])


def memory(lengths: tuple[int, ...], rounds: int) -> str:
    """(d): peak bytes of a pass and its backward pass, and the seconds that less memory costs."""
    torch.manual_seed(0)
    stack, rows = Stack(NARROW), []
    for steps in lengths:
        x = torch.randn(1, steps, NARROW.width)
        grid = Checkpointing("grid").choose(stack.layers, x, NARROW.chunk)
        deep = round(NARROW.layers**0.5)
        ways = (None, Cells(1, steps), Cells(deep, steps), grid)
        peaks = [_peak(stack, x, cells) / 2**20 for cells in ways]
        rows.append((f"{steps:,}", *(f"{peak:.1f}" for peak in peaks), f"{grid.layers} x {grid.steps}"))
    ways = (None, Cells(1, steps), grid)
    times = alternate([lambda cells=cells: _pass(stack, x, cells) for cells in ways], rounds)
    head = ("steps", "none, MiB", "layers, MiB", f"{deep} layers, MiB", "grid, MiB", "layers x steps of a cell")
    ratios = f"{times[1] / times[0]:.2f} and {times[2] / times[0]:.2f}"
    return (
        f"\n(d) Peak of a forward and backward pass, {NARROW.layers} layers of width {NARROW.width}, fp32; the"
        f" counter's, without weights and their gradients.\n\n{table(head, rows)}\nAt {steps:,} steps `layers` and"
        f" `grid` take {ratios} x the time of `none`.\n"
    )


def steps(device: torch.device, shapes: list[str], rounds: int) -> str:
    """(e): a training step in bf16 under each back end."""
    made = []
    for shape in shapes:
        for backend in train_step.backends(device):
            small = {"frames": 32, "candidates": 4, "picks": 8} if shape == "tiny" else {}
            made.append(train_step.measure(shape, device, backend, "auto", rounds=rounds, **small))
            logging.info("%s", made[-1])
    rows = [
        (
            f"{s.shape}, {s.backend}", f"{s.tokens:,}", s.cut, f"{s.prefix:.3f}", f"{s.rollout:.3f}", f"{s.step:.3f}",
            f"{s.tokens / s.step:,.0f}", "–" if s.mfu is None else f"{s.mfu:.0%}", f"{s.peak / 2**30:.2f}",
            f"{s.gap_mean:.1e} / {s.gap_max:.1e}",
        )
        for s in made
    ]  # fmt: skip
    head = (
        "shape, back end", "tokens", "cells", "prefix, s", "rollout, s", "step, s", "tokens/s", "MFU", "peak, GiB",
        "log-prob gap, mean / max",
    )  # fmt: skip
    kernels = "" if "kernels" in train_step.backends(device) else " The CUDA kernels: not available."
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    return f"\n(e) One training step in bf16 on {where}, checkpointing `auto`.{kernels}\n\n" + table(head, rows)


def _pass(stack: Stack, x: torch.Tensor, cells: Cells | None) -> None:
    stack.checkpointing = Checkpointing(cells=cells)
    y, state = stack(x.requires_grad_(), at=slice(15, None, 16))
    loss = y.square().sum() + sum(t.sum() for t in state.ssm)
    del y, state
    loss.backward()


def _peak(stack: Stack, x: torch.Tensor, cells: Cells | None) -> int:
    for tensor in (x, *stack.parameters()):
        tensor.grad = torch.zeros_like(tensor)
    with LiveBytes() as bytes_:
        _pass(stack, x, cells)
    return bytes_.peak


def main() -> int:
    """Measures, prints, writes docs/benchmarks.md if asked to; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="alternating runs of each (default: 3)")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"frames of the clip (default: {FRAMES})")
    parser.add_argument("--questions", type=int, nargs="+", default=QUESTIONS, help="questions per clip")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="steps whose memory is counted")
    parser.add_argument(
        "--shapes", nargs="+", choices=train_step.SHAPES, help="of (e); default: 1.3B on a GPU, or tiny"
    )
    parser.add_argument("--only", choices=("cpu", "step"), help="(a) to (d), or (e) alone")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="replace the results in this file")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    text, missed = "", []
    if args.only != "step":
        clip = Clip.build(args.frames)
        half = dataclasses.replace(clip, features=clip.features[::2], frames=(args.frames + 1) // 2)
        for made, short in (sampling(clip, args.rounds), sharing(half, tuple(args.questions))):
            text += made
            missed += short
        text += memory(tuple(args.lengths), args.rounds)
    if args.only != "cpu":
        shapes = args.shapes or (["1.3B"] if device.type == "cuda" else ["tiny"])
        text += steps(device, shapes, args.rounds)
    words = [word for word in sys.argv[1:] if word not in ("--out", str(args.out))]
    command = " ".join(["python -m benchmarks.bench_train", *words])
    head = (
        f"{date.today().isoformat()}, one thread of {processor()}, load {os.getloadavg()[0]:.1f} at the end; Python"
        f" {platform.python_version()}, torch {torch.__version__}; (a) to (c): {SHAPE.layers} layers of width"
        f" {SHAPE.width}, {SHAPE.tokens_per_frame} tokens per frame; `{command}`.\n\n"
    )
    sys.stdout.write(head + text)
    if args.out:
        write(args.out, "bench-train", head + text)
    for line in missed:
        sys.stderr.write(f"missed: {line}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
