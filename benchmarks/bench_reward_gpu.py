"""`make bench-reward-gpu`: the reward pass at the true sizes of InternVL3, with random weights, on a GPU.

One clip of 512 frames and its 16 subsets, from images in memory to option logits. The rate of the decoder is that of
the FLOP that `refocus plan` counts for a prefix tree, beside the rate of one large product of bf16 matrices in the same
run. A second question is measured as what it adds to the first one's clip. Margins in bf16 are compared with those of
the same weights in fp32, and with those of the model made again from its seed.
"""

import argparse
import gc
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
import transformers
from refocus.config.reward import RewardSettings
from refocus.core.errors import ResourceMissing
from refocus.lmm import Lmm, Prompt, option_logits
from refocus.lmm.loading import find_device
from refocus.plan.flops import Flops, triangle
from refocus.plan.model_shapes import PUBLISHED, LmmShape
from refocus.plan.reward_layout import QuestionGroup, reward_work
from refocus.reward.margin import margins
from refocus.reward.windows import subsets
from torch import Tensor

from benchmarks.bench_reward import processor, write
from benchmarks.random_lmm import build, wrapped
from tests.support.tiny_lmm import WORDS

RATE, SECOND, SAME = 0.45, 0.05, 1e-3  # the bars: of the matrix rate; of the first question; margins of two runs
TAU = 0.21
LETTERS = 4  # options of a question
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Load:
    """What is measured: clips of `frames` frames, subsets of `shown`, questions of about `words` words.

    pairs: questions per clip whose margins are compared. side: of the square matrices. rounds: the best of so many.
    """

    frames: int = 512
    shown: int = 32
    words: int = 140
    clips: int = 2
    pairs: int = 32
    side: int = 8192
    rounds: int = 3


@dataclass(frozen=True)
class Speed:
    """One model's rates in FLOP/s and times in seconds; `budget` and `peak_bytes` say what memory was given and used.

    tower: all frames of a clip encoded. prefill: 16 subsets with one question. second: what another question adds.
    """

    attention: str
    budget: int
    kept: bool  # memory never ran out, so the budget was not halved
    peak_bytes: int
    matrix_rate: float
    tower: float
    tower_flops: float
    prefill: float
    prefill_flops: float
    second: float
    second_flops: float

    @property
    def share(self) -> float:
        """The decoder's rate in the prefill over the rate of a large product."""
        return self.prefill_flops / self.prefill / self.matrix_rate

    @property
    def tower_share(self) -> float:
        return self.tower_flops / self.tower / self.matrix_rate

    @property
    def second_share(self) -> float:
        """What a second question costs of the first, which needs the frames encoded and the subsets computed."""
        return self.second / (self.tower + self.prefill)


@dataclass(frozen=True)
class Agreement:
    """Margins of the same questions: bf16 against fp32, and against bf16 from the same seed.

    scale: factor on all logits with which about half of the pairs pass τ in fp32, where rounding changes most.
    """

    pairs: int
    scale: float
    logits: float  # mean absolute difference of option logits
    margins: float  # and of margins
    passed: int  # pairs above τ in fp32
    gained: int  # that pass in bf16 only
    lost: int  # that pass in fp32 only
    repeated: float  # largest difference of margins between two seeded runs


def measure_speed(lmm: Lmm, shape: LmmShape, load: Load) -> Speed:
    """Times one clip; everything is run once before."""
    images, rows, asked = _clip(lmm, load, 0, 2)
    once = [row for row in rows if row[1] == 0]
    features = lmm.encode(images)
    lmm.score(features, rows, asked)
    budget, rate = lmm.batch_tokens, matrix_rate(lmm.device, lmm.dtype, load.side)
    tower, prefill, both = (
        _best(lmm.device, load.rounds, run)
        for run in (
            lambda: lmm.encode(images),
            lambda: lmm.score(features, once, asked),
            lambda: lmm.score(features, rows, asked),
        )
    )
    one, two = (planned(lmm, load, asked[:count]) for count in (1, 2))
    return Speed(
        lmm.model.config.get_text_config(decoder=True)._attn_implementation,
        budget,
        lmm._limit is None,
        torch.cuda.max_memory_allocated(lmm.device) if lmm.device.type == "cuda" else 0,
        rate,
        tower,
        Flops(frames=len(images)).flops(shape),
        prefill,
        one.flops(shape),
        both - prefill,
        (two + one * -1).flops(shape),
    )


def planned(lmm: Lmm, load: Load, asked: Sequence[Prompt]) -> Flops:
    """What the decoder has to do for these questions of a clip, by the formulas of `refocus plan`.

    The output layer is left out: of it only the letters' rows are computed.
    """
    starts = [len(lmm._tokens(lmm.family.prefix(n, lmm.tokens_per_frame))) for n in range(load.shown + 1)]
    lengths = [len(lmm._tokens(lmm.family.suffix(prompt))) for prompt in asked]
    group = QuestionGroup(load.frames, 1, len(asked), sum(lengths), sum(map(triangle, lengths)))
    work = reward_work(group, RewardSettings(frames_per_subset=load.shown), starts)["prefix_tree"]
    return Flops(tokens=work.tokens, pairs=work.pairs)


def agreement(full: Tensor, seen: Tensor, repeated: Tensor) -> Agreement:
    """Of option logits (pairs, subsets, options) in fp32, in bf16 and in bf16 once more; the first option is right."""
    scales = 2.0 ** torch.arange(-6, 12, 0.25)
    passing = torch.stack([_variance(full * scale) > TAU for scale in scales]).float().mean(1)
    scale = float(scales[(passing - 0.5).abs().argmin()])
    kept, found = (_variance(logits * scale) > TAU for logits in (full, seen))
    return Agreement(
        len(full),
        scale,
        float((full - seen).abs().mean()),
        float((_margins(full * scale) - _margins(seen * scale)).abs().mean()),
        int(kept.sum()),
        int((found & ~kept).sum()),
        int((kept & ~found).sum()),
        float((_margins(seen) - _margins(repeated)).abs().max()),
    )


def matrix_rate(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """FLOP/s of the product of two square matrices, the best of ten."""
    a, b = (torch.randn((side, side), device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / _best(device, 10, lambda: a @ b)


def report(results: dict[str, tuple[Speed, Agreement]], device: torch.device, load: Load) -> str:
    """The results as Markdown."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    lines = [
        f"{date.today().isoformat()}, {gpu}, torch {torch.__version__}, transformers {transformers.__version__};"
        f" {load.frames} frames, 16 subsets of {load.shown}, the best of {load.rounds};"
        " `python -m benchmarks.bench_reward_gpu`.",
        "",
        "| model | attention | matrices, TFLOP/s | prefill, s | of that rate | vision tower, s | of that rate |"
        " second question, s | of the first | tokens at once | peak GB |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, (speed, _) in results.items():
        lines.append(
            f"| {name} | {speed.attention} | {speed.matrix_rate / 1e12:.1f} | {speed.prefill:.3f} | {speed.share:.0%} |"
            f" {speed.tower:.3f} | {speed.tower_share:.0%} | {speed.second:.3f} | {speed.second_share:.1%} |"
            f" {speed.budget:,}{'' if speed.kept else ' (halved)'} | {speed.peak_bytes / 1e9:.1f} |"
        )
    lines += [
        "",
        "| model | pairs | logits scaled by | logits apart by | margins apart by | pass τ in fp32 | only in bf16 |"
        " only in fp32 | two seeded runs apart by |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, (_, found) in results.items():
        lines.append(
            f"| {name} | {found.pairs} | {found.scale:.3g} | {found.logits:.1e} | {found.margins:.1e} |"
            f" {found.passed} | {found.gained} | {found.lost} | {found.repeated:.0e} |"
        )
    return "\n".join(["", *lines, ""])


def missed(name: str, speed: Speed, found: Agreement) -> list[str]:
    """The bars that a model does not reach, in words."""
    bars = {
        f"prefill at {speed.share:.0%} of the matrix rate, not {RATE:.0%}": speed.share < RATE,
        f"a second question costs {speed.second_share:.1%} of the first, not {SECOND:.0%}": speed.second_share > SECOND,
        f"two seeded runs differ by {found.repeated:.0e}, not {SAME:.0e}": not found.repeated <= SAME,
        "memory ran out within the budget that was found from it": not speed.kept,
    }
    return [f"{name}: {text}" for text, wrong in bars.items() if wrong]


def run(shape: LmmShape, device: torch.device, load: Load, attention: str = "auto") -> tuple[Speed, Agreement]:
    """Everything about one model, in bf16; models are in memory one after the other."""
    torch.backends.cudnn.allow_tf32 = False
    lmm = build(shape, device=device, dtype=torch.bfloat16, attention=attention)
    speed = measure_speed(lmm, shape, load)
    log.info("%s", speed)
    same = speed.budget // 2  # rows are packed alike in both runs
    seen = _logits(lmm, load, same)
    del lmm
    _release()
    lmm = build(shape, device=device, dtype=torch.bfloat16, attention=attention)
    repeated = _logits(lmm, load, same)
    lmm.model.float().set_attn_implementation("sdpa")
    found = agreement(_logits(wrapped(lmm.model), load, None), seen, repeated)
    log.info("%s", found)
    del lmm
    _release()
    return speed, found


def main() -> int:
    """Measures, prints, writes docs/benchmarks.md if asked to; 1 where a bar is missed, 75 where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = {name.rsplit("/")[-1]: shape for name, shape in PUBLISHED.items()}
    parser.add_argument("--models", nargs="+", choices=known, default=["InternVL3-1B-hf", "InternVL3-8B-hf"])
    parser.add_argument("--device", default="cuda", help="(default: %(default)s)")
    parser.add_argument("--attention", default="auto", help="as in `lmms` of the configuration (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="replace the results in this file")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        device = find_device(args.device)
    except ResourceMissing as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    load = Load()
    results = {name: run(known[name], device, load, args.attention) for name in args.models}
    text = report(results, device, load)
    sys.stdout.write(text)
    if args.out:
        write(args.out, text, "bench-reward-gpu")
    wrong = [line for name, (speed, found) in results.items() for line in missed(name, speed, found)]
    sys.stderr.write("".join(f"missed: {line}\n" for line in wrong))
    return 1 if wrong else 0


def _clip(lmm: Lmm, load: Load, number: int, count: int) -> tuple[Tensor, list, list[Prompt]]:
    """Images of the frames that subsets show (pinned for a GPU), rows for `Lmm.score`, `count` questions."""
    random = np.random.default_rng(number)
    chosen = [subset.frames for subset in subsets(load.frames, load.shown)]
    place = {frame: i for i, frame in enumerate(sorted({frame for frames in chosen for frame in frames}))}
    side = lmm.frame_size
    images = torch.from_numpy(random.integers(0, 256, (len(place), side, side, 3), dtype=np.uint8))

    def words(n: int) -> str:
        return " ".join(random.choice(WORDS, n))

    asked = [Prompt(f"{words(load.words)}?", tuple(words(3) for _ in range(LETTERS))) for _ in range(count)]
    rows = [(tuple(place[frame] for frame in frames), i) for i in range(count) for frames in chosen]
    return images.pin_memory() if lmm.device.type == "cuda" else images, rows, asked


def _logits(lmm: Lmm, load: Load, batch_tokens: int | None) -> Tensor:
    """(pairs, subsets, options) of all clips' questions."""
    found = []
    for number in range(load.clips):
        images, rows, asked = _clip(lmm, load, number, load.pairs)
        raw = torch.stack(lmm.score(lmm.encode(images), rows, asked, batch_tokens=batch_tokens))  # (rows, options, v)
        found.append(option_logits(raw).unflatten(0, (load.pairs, -1)))
    return torch.cat(found)


def _margins(logits: Tensor) -> Tensor:
    rows = logits.flatten(0, -2)
    return torch.from_numpy(margins(rows, [0] * len(rows))).view(logits.shape[:-1])


def _variance(logits: Tensor) -> Tensor:
    return _margins(logits).var(-1, correction=1)


def _best(device: torch.device, rounds: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest round, the device's queue included."""
    seconds = []
    for _ in range(rounds + 1):  # the first is a warm-up
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
