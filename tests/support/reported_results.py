"""A small results folder with everything that the report reads: videos, picks, answers, margins, tables, figures.

One question carries markup that would run as a script if a page took it for one.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from refocus.config.overlay import check
from refocus.config.root import Root
from refocus.config.selectors import slug
from refocus.core import results_folder
from refocus.core.files import write_table
from refocus.evaluate.answers import Answer, AnswerSet, write_answers
from refocus.evaluate.scoring import Score
from refocus.filter.pairs import VARIANCE_SCHEMA
from refocus.frames.frame_store import FrameStore
from refocus.qa import evidence
from refocus.qa.records import Question, write_questions
from refocus.report.table_files import Cell, Table, write
from refocus.reward.margin_table import Margin, margins_table, write_margins
from refocus.select.likelihood import Likelihood, LikelihoodTable, write_likelihoods
from refocus.select.picks import Picks, Selection
from refocus.select.selections import write_selections

from tests.support.answered_world import write_run
from tests.support.asked_videos import AskedVideos

HOSTILE = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'> <!-- & \u2028"
SELECTORS = ("uniform", "random", "refocus/one")
KINDS = ("seen/once", "seen/always")
FRAMES = 2
DOT = """digraph snakemake_dag {
    0[label = "all", color = "0.0 0.6 0.85"];
    1[label = "ingest_bench", color = "0.1 0.6 0.85"];
    2[label = "select_frames", color = "0.2 0.6 0.85"];
    3[label = "make_tables", color = "0.3 0.6 0.85"];
    1 -> 0
    1 -> 2
    2 -> 2
    1 -> 3
    2 -> 3
    3 -> 0
}"""


def reported_root(results: Path) -> Root:
    """The configuration of the folder."""
    source = {"format": "csv", "videos": "videos", "annotations": ["questions.csv"], "shards": 1}
    return check(
        {
            "results": str(results),
            "use": {
                "benchmarks": ["bench"],
                "datasets": ["taught"],
                "lmms": ["tiny"],
                "runs": ["one"],
                "selectors": SELECTORS,
            },
            "benchmarks": {"bench": source},
            "datasets": {"taught": source},
            "lmms": {"tiny": {"path": "models/tiny"}},
            "runs": {"one": {"seed": 3}},
            "reward": {"model": "tiny"},
            "train": {"reward_model": "tiny"},
            "answer": {"n_frames": [FRAMES]},
        }
    )


def write_reported(results: Path, asked: AskedVideos) -> Root:
    """Fills the folder; the first question is hostile, and right from ReFoCUS's frames alone."""
    root = reported_root(results)
    made = [replace(q, category=KINDS[n % 2]) for n, q in enumerate(asked.questions)]
    made[0] = replace(made[0], question=HOSTILE, options=(HOSTILE, *made[0].options[1:]))
    taught = [replace(q, dataset="taught", qa_id=f"t{q.qa_id}") for q in made]
    for name, questions in (("bench", made), ("taught", taught)):
        write_questions(results_folder.QUESTIONS.at(results, dataset=name), questions, "ingest", {"format": "csv"})
        index = results_folder.INDEX.at(results, dataset=name, shard="000000")
        index.parent.mkdir(parents=True)
        shutil.copy(asked.index, index)
        shutil.copy(asked.index.with_name("000000.tar"), index.with_name("000000.tar"))
        shutil.copy(asked.qa.with_name("bench.clips.parquet"), results_folder.CLIPS.at(results, dataset=name))
    spans = pa.Table.from_pylist([{"qa_id": made[0].qa_id, "start_s": 1.0, "end_s": 2.0}], schema=evidence.SCHEMA)
    write_table(results_folder.EVIDENCE.at(results, dataset="bench"), spans, "ingest", {"dataset": "bench"})
    _write_picks(results, root, made, FrameStore.open([asked.index]))
    _write_margins(results, taught)
    _write_shown(results)
    write_run(results, "one")
    Image.new("RGB", (8, 8)).save(results_folder.CURVES.at(results, run="one"))
    return root


def _write_picks(results: Path, root: Root, questions: list[Question], store: FrameStore) -> None:
    times = {q.qa_id: store.record(q.clip_id).timestamps_s for q in questions}
    for place, name in enumerate(SELECTORS):
        order = {qa: (len(seen) // 2 + place, place) for qa, seen in times.items()}
        rows = {qa: Selection.of(Picks(order[qa]), times[qa]) for qa in order}
        answers = {}
        for number, question in enumerate(questions):
            right = name == "refocus/one" or (number > 0 and name == "uniform")
            given = question.answer_index if right else (question.answer_index + 1) % len(question.options)
            logits = tuple(float(option == given) for option in range(len(question.options)))
            answers[question.qa_id] = Answer(rows[question.qa_id].frame_indices, logits, given, right, "A")
        where = {"benchmark": "bench", "selector": slug(name), "frames": FRAMES, "seed": root.select.seed}
        write_selections(results_folder.SELECTIONS.at(results, **where), rows, {"selector": name, "seed": 0})
        made = AnswerSet("bench", "tiny", "models/tiny", name, FRAMES, root.select.seed, answers)
        write_answers(results_folder.ANSWERS.at(results, lmm="tiny", **where), made, {})
    shares = {qa: np.linspace(0, 1, len(seen)) for qa, seen in times.items()}
    table = LikelihoodTable("bench", "refocus/one", {qa: Likelihood(share, share) for qa, share in shares.items()})
    write_likelihoods(results_folder.LIKELIHOOD.at(results, benchmark="bench", run="one", frames=FRAMES), table, {})


def _write_margins(results: Path, questions: list[Question]) -> None:
    rows = [Margin(q.qa_id, n, (n % 4,), (), (), (n - 8) / 8) for q in questions for n in range(16)]
    where = {"model": "tiny", "dataset": "taught", "shard": "000000"}
    write_margins(results_folder.MARGINS.at(results, **where), margins_table(rows), [], {})
    variances = [{"qa_id": q.qa_id, "variance": 0.3, "n_subsets": 16, "flag": ""} for q in questions]
    table = pa.Table.from_pylist(variances, schema=VARIANCE_SCHEMA)
    write_table(results_folder.VARIANCE.at(results, model="tiny"), table, "filter", {})
    write_questions(results_folder.PAIRS.at(results, model="tiny"), questions[:1], "filter")


def _write_shown(results: Path) -> None:
    """A table whose columns have numbers, words and gaps, and a figure."""
    values = {"uniform": 0.4, "random": 0.35, "refocus/one": 0.9}
    rows = tuple(
        ((name,), (Cell(Score(value, value - 0.1, value + 0.1, 6), interval=True), Cell(amount=100 * value)))
        for name, value in values.items()
    )
    rows += ((("oracle",), (Cell(), Cell())),)
    columns = (("bench.all", "bench all (n=6)"), ("seconds", "seconds"))
    table = Table("Table 1: made up & <b>bold</b>", ("selector",), columns, rows, ("a note with <i>markup</i>",))
    write(table, results_folder.TABLES.at(results), "table1")
    figure = results_folder.FIGURE.at(results, figure="accuracy", suffix="png")
    figure.parent.mkdir()
    Image.new("RGB", (8, 8)).save(figure)
    logs = results_folder.LOGS.at(results)
    logs.mkdir()
    made_by = {"refocus": "0.2.0", "commit": "0123456789ab+", "python": "3.11.9", "processor": "a CPU"}
    (logs / "tables.log").write_text(f"tables: made by {json.dumps(made_by)}\ndone\n")
    (logs / "old.log").write_text("done\n")
    benchmark = results_folder.BENCHMARKS.at(results) / "tables.jsonl"
    benchmark.parent.mkdir()
    benchmark.write_text(json.dumps({"s": 3.0, "max_rss": 100.0}) + "\n")
