"""A results folder as the stages leave it, its answers drawn by lot: question tables, indexes, answers, metrics."""

import json
import random
from pathlib import Path

from refocus.config.root import Root
from refocus.config.selectors import kind_of, run_of, slug
from refocus.core.results_folder import ANSWERS, INDEX, METRICS, POLICY, QUESTIONS
from refocus.evaluate.answers import Answer, AnswerSet, write_answers
from refocus.frames.index import IndexRow, write_index
from refocus.qa.records import Question, write_questions

VIDEOS = 30  # a benchmark's; a third of them long
ASKED = ("sequence/after", "sequence/after", "sequence/order", "moment/color", "moment/place", "static/corner")
# Share of right answers on two moments, one moment, any frame; None: as often as the base, question by question.
RUNS = {
    "base": (0.85, 0.95, 1.0),
    "random": None,
    "all": (0.82, 0.94, 1.0),
    "correct": (0.6, 0.8, 1.0),
    "n4": (0.7, 0.8, 1.0),
    "t2": (0.4, 0.8, 1.0),
    "t8": (0.86, 0.95, 1.0),
    "c8": (0.4, 0.5, 1.0),
    "ov": (0.82, 0.93, 1.0),
}
KINDS = {
    "uniform": (0.25, 0.6, 1.0),
    "random": (0.25, 0.5, 1.0),
    "topk": (0.2, 0.92, 1.0),
    "topk-options": (0.3, 0.8, 1.0),
    "aks": (0.3, 0.8, 1.0),
    "aks-options": (0.3, 0.8, 1.0),
    "bolt": (0.3, 0.7, 1.0),
    "bolt-options": (0.3, 0.7, 1.0),
    "mdp3": (0.4, 0.8, 1.0),
    "mdp3-options": (0.5, 0.6, 1.0),
    "confidence": (0.7, 0.97, 1.0),
    "uniform-seen": (0.7, 0.9, 1.0),
    "oracle": (1.0, 1.0, 1.0),
    "initial": (0.25, 0.5, 1.0),
    "swapped": (0.2, 0.3, 1.0),
    "first-step": (0.5, 0.9, 1.0),
    "marginals": None,
}
LONG = 0.6  # share of right answers on long clips, of those on short ones


def write_answered(results: Path, root: Root) -> None:
    """Questions, indexes and every selector's answers of a configuration, and its finished runs."""
    for name in root.use.benchmarks:
        where = (None, None, "?", ("x", "y"), 0, "x")
        questions = [
            Question(f"{name}{v}-{n}", name, "test", f"{name}{v}", f"{v}.mp4", *where, kind, f"{v}-{n}", ())
            for v in range(VIDEOS)
            for n, kind in enumerate(ASKED)
        ]
        write_questions(QUESTIONS.at(results, dataset=name), questions, "ingest")
        rows = [_indexed(f"{name}{v}", 512 if v % 3 == 0 else 96) for v in range(VIDEOS)]
        write_index(INDEX.at(results, dataset=name, shard="000000"), rows, {})
        for lmm in root.use.lmms:
            for selector in root.use.selectors:
                for n in root.answer.n_frames:
                    rows = {q.qa_id: _answer(selector, n, q) for q in questions}
                    made = AnswerSet(name, lmm, f"assets/{lmm}", selector, n, root.select.seed, rows)
                    path = ANSWERS.at(
                        results, benchmark=name, lmm=lmm, selector=slug(selector), frames=n, seed=root.select.seed
                    )
                    write_answers(path, made, {})
    for run in root.use.runs:
        write_run(results, run)


def write_run(results: Path, run: str, steps: int = 50) -> None:
    """A finished run whose values rise."""
    folder = POLICY.at(results, run=run, state="policy")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    lines: list[dict] = []
    for step in range(steps):
        done = min(1.0, step / (0.8 * steps))
        values = {
            "reward/answered_right": 0.4 + 0.5 * done,
            "reward/mean": 0.8 * done,
            "select/temporal_entropy": -done,
            "policy/entropy_share": 1 - 0.5 * done,
        }
        lines.append({"step": step, **values})
        if step % 10 == 0:
            lines.append({"step": step, "validation/accuracy": 0.5 + 0.3 * done, "validation/accuracy_uniform": 0.5})
    METRICS.at(results, run=run).write_text("".join(json.dumps(line) + "\n" for line in lines))


def _answer(selector: str, frames: int, question: Question) -> Answer:
    kind, setting = kind_of(selector), run_of(selector).rpartition("-")[0] or run_of(selector)
    rates = KINDS[kind] if kind in KINDS else RUNS.get(setting, RUNS["base"])
    same = rates is None or kind == "greedy"
    drawn = random.Random(f"{'refocus/base' + selector[-3:] if same else selector}{question.qa_id}")
    rates = RUNS["base"] if rates is None else rates
    place = ("sequence/", "moment/", "static/").index(question.category.partition("/")[0] + "/")
    long = kind == "refocus" and place < 2 and int(question.source_id.partition("-")[0]) % 3 == 0
    right = drawn.random() < rates[place] * (LONG if long else 1.0)
    return Answer((0,), (0.0, 0.0), 0 if right else 1, right, "A")


def _indexed(clip: str, frames: int) -> IndexRow:
    return IndexRow(clip, "ok", None, frames, [0.25 * n for n in range(frames)], list(range(frames)), "s.tar", [], [])
