"""`make bench-question`: seconds and memory of questions about one video, from the file to the answers.

A video's candidates are decoded, the policy picks 32 of them for every question, and an LMM answers from these frames,
decoded again at the video's own resolution. Measured with the tiny models that come with the project, every case in a
process of its own; what the paper's models cost is computed by the formulas of `refocus plan`
(benchmarks/question_formula.py) and shown beside what others published. Status 1 where selecting for all questions
takes more than 1.3 times what it takes for the first of them, or a video is decoded or read again.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import torch
from refocus.core.model_folder import SHIPPED
from refocus.core.progress import bar
from refocus.core.project import project_root
from refocus.evaluate.answering import answer_clip, native_frames
from refocus.lmm import Lmm, load_lmm
from refocus.lmm.prompts import Prompt
from refocus.policy.frame_policy import FramePolicy
from refocus.qa.records import Question
from refocus.qa.video_root import VideoRoot
from refocus.select import FrameSelector, VideoSelection
from refocus.select.picks import Selection
from refocus.select.policy_frames import embedded_model
from refocus.select.video_source import FileSource, open_video
from refocus.video.workers import LostJob, run_jobs
from refocus.world.scene import COLORS, SHAPES

from benchmarks.clips import MINUTE, long_video, rendered
from benchmarks.decode_ways import memory_mb, versions
from benchmarks.question_formula import A100, BFLOAT16, FLOAT32, H200, PaperModels
from benchmarks.report import processor, table, write

ROOT = Path(__file__).resolve().parents[1]
MINUTES, QUESTIONS, PICKS = (1, 10, 60), (1, 10), 32
MOST = 1.3  # times the first question's selection, for all of them
TIMEOUT_S = 3600.0
PUBLISHED = (  # seconds of decoding, selecting, answering, all; for the short videos of Video-MME, on an A100
    ("DAFS", "4.90", "0.47", "1.44", "6.81"),
    ("ViaRL", "–", "8.00", "–", "12.49"),
)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Case:
    """Some questions about one video; `picks` frames for each."""

    video: Path
    questions: int
    picks: int = PICKS


@dataclass(frozen=True)
class Spent:
    """CPU seconds of every part, and what was done.

    decode: the candidates. first, others: picks of the first question, and of all further ones. again: the picked
    frames of all questions from the video. answer: those frames and all questions through the LMM. wall: the clock's
    seconds of it all. candidates, shown: frames that the policy and that the LMM saw. loaded_mb: memory before the
    video is opened, with libraries and models; peak_mb: the most until the end. decodes, readings: how often the
    candidates were decoded, and read by the policy.
    """

    candidates: int
    shown: int
    decode: float
    first: float
    others: float
    again: float
    answer: float
    wall: float
    loaded_mb: float
    peak_mb: float
    decodes: int = 1
    readings: int = 1

    @property
    def one_selected(self) -> float:
        """From the file to the picks of the first question."""
        return self.decode + self.first

    @property
    def shared(self) -> float:
        """From the file to the picks of all questions, as a multiple of the first one's."""
        return (self.one_selected + self.others) / self.one_selected

    @property
    def all(self) -> float:
        return self.decode + self.first + self.others + self.again + self.answer


def measure(case: Case, beat: Callable[[], None]) -> Spent:
    """One case; the work of a worker process."""
    selector, lmm = FrameSelector.from_pretrained(embedded_model()), load_lmm(project_root() / SHIPPED / "lmm")
    asked = questions(case)
    _warm_up(selector, lmm, asked[0])
    with counted(FileSource, "candidates") as decodes, counted(FramePolicy, "prefix") as readings:
        spent = _spend(case, asked, selector, lmm)
    return replace(spent, decodes=len(decodes), readings=len(readings))


def questions(case: Case) -> list[Question]:
    """Different questions about the video in the words that the tiny models know; at most as many as shapes."""
    options = tuple(COLORS)[:4]
    texts = [f"what color is the {shape}?" for shape in SHAPES[: case.questions]]
    return [
        Question(str(number), "", "", "clip", case.video.name, None, None, text, options, 0, options[0], "", "", ())
        for number, text in enumerate(texts)
    ]


@contextmanager
def counted(owner: type, name: str) -> Iterator[list[None]]:
    """A list that grows by one with every call of a method."""
    made: list[None] = []
    method = getattr(owner, name)

    def counting(*args: Any, **named: Any) -> Any:
        made.append(None)
        return method(*args, **named)

    with patch.object(owner, name, counting):
        yield made


def cpu_seconds(run: Callable[[], Result]) -> tuple[float, Result]:
    """What a call took of this process's time, and what it gave."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def best(videos: dict[int, Path], rounds: int, counts: Sequence[int] = QUESTIONS) -> dict[tuple[int, int], Spent]:
    """The cheapest round of each (minutes, questions), with the largest peak of any."""
    cases = [(minutes, count) for minutes in videos for count in counts]
    found: dict[tuple[int, int], list[Spent]] = {case: [] for case in cases}
    for minutes, count in bar([case for _ in range(rounds) for case in cases], desc="bench", unit="case"):
        ((_, spent),) = run_jobs(measure, [Case(videos[minutes], count)], 1, TIMEOUT_S)
        if isinstance(spent, LostJob):
            raise SystemExit(f"{minutes} min, {count} questions: {spent.reason}")
        found[minutes, count].append(spent)
    return {case: _with_peak(runs) for case, runs in found.items()}


def measured(spent: dict[tuple[int, int], Spent]) -> str:
    """What was measured, as a table."""
    head = (
        "minutes", "questions", "candidates", "decode", "first selection", "each further", "picks again", "answer",
        "all", "a question", "all by the clock", "frames for the LMM", "peak MB",
    )  # fmt: skip
    rows = []
    for (minutes, count), one in spent.items():
        further = f"{one.others / (count - 1):.2f}" if count > 1 else "–"
        parts = [f"{seconds:.2f}" for seconds in (one.decode, one.first)]
        rest = [f"{seconds:.2f}" for seconds in (one.again, one.answer, one.all, one.all / count, one.wall)]
        rows.append((minutes, count, one.candidates, *parts, further, *rest, one.shown, f"{one.peak_mb:.0f}"))
    return table(head, rows)


def shared(spent: dict[tuple[int, int], Spent]) -> str:
    """What further questions add, as a table."""
    head = (
        "minutes", "questions", "selecting for the first", "for all", "all / first", "decoded", "read",
        "with answers: all / one alone",
    )  # fmt: skip
    rows = []
    for (minutes, count), one in spent.items():
        if count > 1:
            alone = spent.get((minutes, 1))
            seconds = [f"{value:.2f}" for value in (one.one_selected, one.one_selected + one.others, one.shared)]
            answered = f"{one.all / alone.all:.2f}" if alone else "–"
            rows.append((minutes, count, *seconds, one.decodes, one.readings, answered))
    return table(head, rows)


def missed(spent: dict[tuple[int, int], Spent]) -> list[str]:
    """Cases in which something is computed again for a further question."""
    again = "{0} minutes, {1} questions: {2:.2f} times the first one's selection, decoded {3} and read {4} times"
    return [
        again.format(*case, one.shared, one.decodes, one.readings)
        for case, one in spent.items()
        if one.shared > MOST or (one.decodes, one.readings) != (1, 1)
    ]


def computed(models: PaperModels, minutes: Sequence[int], counts: Sequence[int]) -> str:
    """What the paper's models cost by formula, as tables: amounts, seconds, bytes."""
    loads = {(length, count): models.load(60 * length, count) for length in minutes for count in counts}
    amounts = [
        (
            *case,
            f"{one.select.frames:,.0f}",
            f"{one.select.tokens:,.0f}",
            f"{one.select.flops / 1e12:,.0f}",
            f"{one.select.naive_flops / 1e12:,.0f}",
            f"{one.answer.frames:,.0f}",
            f"{one.answer.tokens:,.0f}",
            f"{one.answer.flops / 1e12:,.0f}",
            f"{one.answer.naive_flops / 1e12:,.0f}",
        )
        for case, one in loads.items()
    ]
    seconds = [
        (
            *case,
            *(
                f"{value:.2f}"
                for gpu in (A100, H200)
                for value in (
                    models.select_s(one, gpu, BFLOAT16),
                    models.select_s(one, gpu, FLOAT32),
                    models.answer_s(one, gpu),
                )
            ),
        )
        for case, one in loads.items()
    ]
    held = [
        (frames, *(f"{size / 1e9:.2f}" for size in models.bytes(frames).values()))
        for frames in dict.fromkeys(one.frames for one in loads.values())
    ]
    case_head = ("minutes", "questions")
    columns = ("policy frames", "policy tokens", "select TFLOP", "unshared", "LMM frames", "LMM tokens")
    per_gpu = [f"{gpu.name}: {part}" for gpu in (A100, H200) for part in ("select bf16", "select float32", "answer")]
    return "\n".join(
        [
            f"**Computed, not measured**: {models.names}; {models.picks} picks, questions of"
            f" {models.suffix:.0f} tokens.",
            "",
            table((*case_head, *columns, "answer TFLOP", "unshared"), amounts),
            f"Computed seconds, at {models.share():.0%} of the rates of the data sheets:",
            "",
            table((*case_head, *per_gpu), seconds),
            "Computed GB, at least:",
            "",
            table(("candidates", *models.bytes(1)), held),
        ]
    )


def beside_others(models: PaperModels, spent: dict[tuple[int, int], Spent]) -> str:
    """One question about the shortest video, beside what others published."""
    minutes, count = min(spent)
    load, one = models.load(60 * minutes, count), spent[minutes, count]
    decode, answer = one.decode + one.again, models.answer_s(load, A100)
    rows = []
    for name, itemsize in (("with the policy in float32", FLOAT32), ("with the policy in bf16", BFLOAT16)):
        select = models.select_s(load, A100, itemsize)
        cells = [f"{seconds:.2f}" for seconds in (decode, select, answer, decode + select + answer)]
        rows.append((f"ours, {name}: decode measured here, the rest computed for an A100", *cells))
    rows += [(f"{name}, published, A100", *seconds) for name, *seconds in PUBLISHED]
    return table(("one question about a short video, s", "decode", "select", "answer", "all"), rows)


def report(spent: dict[tuple[int, int], Spent], models: PaperModels, command: str) -> str:
    """The results as Markdown."""
    minutes, counts = (tuple(dict.fromkeys(numbers)) for numbers in zip(*spent, strict=True))
    loaded = max(one.loaded_mb for one in spent.values())
    return "\n".join(
        [
            f"{date.today().isoformat()}, one thread of {os.cpu_count()} cores of {processor()}, load"
            f" {os.getloadavg()[0]:.1f} at the end; torch {torch.__version__}, {versions()}; `{command}`.",
            "",
            f"**Measured**, tiny models, {PICKS} picks; CPU seconds. Libraries and models alone take {loaded:.0f} MB:",
            "",
            measured(spent),
            f"Several questions, in one run; the bar for selection is {MOST} times the first:",
            "",
            shared(spent),
            computed(models, minutes, counts),
            "Beside others:",
            "",
            beside_others(models, spent),
        ]
    )


def main() -> int:
    """Measures, prints, writes docs/benchmarks.md if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=ROOT / "results" / "bench", help="where rendered clips are kept")
    parser.add_argument("--minutes", type=int, nargs="+", default=MINUTES, help="lengths (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="replace the results in this file")
    args = parser.parse_args()
    minute = rendered(MINUTE, args.clips)
    videos = {length: long_video(minute, args.clips, 60 * length) for length in args.minutes}
    spent = best(videos, args.rounds)
    command = ["python", "-m", "benchmarks.bench_question", "--rounds", str(args.rounds)]
    command += [] if args.minutes is MINUTES else ["--minutes", *map(str, args.minutes)]
    text = report(spent, PaperModels(), shlex.join(command))
    sys.stdout.write(text)
    if args.out:
        write(args.out, "bench-question", text)
    for problem in (problems := missed(spent)):
        sys.stderr.write(f"{problem}\n")
    return int(bool(problems))


def _spend(case: Case, asked: Sequence[Question], selector: FrameSelector, lmm: Lmm) -> Spent:
    loaded, seen, began = memory_mb("VmRSS"), lmm.work.frames, time.perf_counter()

    def select(some: Sequence[Question]) -> list[VideoSelection]:
        return [selector.select(encoded, one.question, one.options, case.picks) for one in some]

    source = open_video(case.video)
    decode, candidates = cpu_seconds(lambda: source.candidates(selector.decode))
    reading, encoded = cpu_seconds(lambda: selector.read(source, candidates))
    asking, chosen = cpu_seconds(lambda: select(asked[:1]))
    first = reading + asking
    others, further = cpu_seconds(lambda: select(asked[1:]))
    wanted = {
        (case.picks, one.qa_id): Selection(picks.candidate_indices, picks.timestamps_s, picks.candidate_indices)
        for one, picks in zip(asked, chosen + further, strict=True)
    }
    native, decoded_again = native_frames(VideoRoot(case.video.parent), lmm.frame_size), []

    def pixels(question: Question, frames: Sequence[int], times_s: Sequence[float]) -> np.ndarray:
        seconds, images = cpu_seconds(lambda: native(question, frames, times_s))
        decoded_again.append(seconds)
        return images

    both, answers = cpu_seconds(lambda: answer_clip(lmm, asked, wanted, pixels))
    if any(answer.flags for answer in answers.values()):
        raise RuntimeError("a question was not answered")
    again = sum(decoded_again)
    return Spent(
        candidates=len(candidates.images),
        shown=lmm.work.frames - seen,
        decode=decode,
        first=first,
        others=others,
        again=again,
        answer=both - again,
        wall=time.perf_counter() - began,
        loaded_mb=loaded,
        peak_mb=memory_mb(),
    )


def _with_peak(runs: Sequence[Spent]) -> Spent:
    cheapest = min(runs, key=lambda one: one.all)
    return Spent(**{**vars(cheapest), "peak_mb": max(one.peak_mb for one in runs)})


def _warm_up(selector: FrameSelector, lmm: Lmm, question: Question) -> None:
    """What both models and the resizing load or set up at their first use is no part of a question."""
    images, prompt = np.zeros((2, 48, 48, 3), np.uint8), Prompt.of(question)
    selector.policy.pick(images, [prompt], 2, [0])
    lmm.score(lmm.encode(images), [((0, 1), 0)], [prompt])


if __name__ == "__main__":
    sys.exit(main())
