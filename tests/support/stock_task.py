"""lmms-eval's own task `mlvu_dev` over three tiny videos, and the same questions as our tables have them.

Our table is ingested from MLVU's official JSON; the task reads the parquet copy: other ids, options in the question.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.asked_videos import ASKED, OPTIONS, VIDEOS, AskedVideos
from tests.support.videos import write_video

TASK = "tiny_mlvu_dev"
YAML = """
task: {task}
dataset_path: parquet
dataset_kwargs: {{data_files: {{test: {documents}}}}}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.mlvu_doc_to_visual_dev
doc_to_text: !function utils.mlvu_doc_to_text
doc_to_target: answer
process_results: !function utils.mlvu_process_results
generation_kwargs: {{max_new_tokens: 4, temperature: 0, top_p: 1.0, num_beams: 1, do_sample: false}}
metric_list:
  - {{metric: mlvu_percetion_score, aggregation: !function utils.mlvu_aggregate_results_dev, higher_is_better: true}}
lmms_eval_specific_kwargs:
  default: {{pre_prompt: "", post_prompt: "\\nOnly give the best option.\\nBest option: ("}}
"""
ROWS = [(name, text) for name in VIDEOS for text in ASKED]


@dataclass(frozen=True)
class StockTask(AskedVideos):
    """Adds `tasks/`, which lmms-eval includes, and `documents.parquet`, what the task asks about."""

    @property
    def documents(self) -> Path:
        return self.home / "documents.parquet"


def build_stock_task(home: Path) -> StockTask:
    """Renders, ingests and decodes; the documents stand in the opposite order."""
    made = StockTask(home)
    for name, times in VIDEOS.items():
        write_video(made.videos / name, times)
    official = [
        {"video": name, "question": text, "candidates": OPTIONS, "answer": OPTIONS[0], "question_type": "needle"}
        for name, text in ROWS
    ]
    (home / "2_needle.json").write_text(json.dumps(official), encoding="utf-8")
    write_documents(made.documents, [document(*row) for row in reversed(ROWS)])
    words = ["--annotations", home / "2_needle.json", "--videos", made.videos, "--name", "bench", "--out", home / "qa"]
    assert made.refocus("ingest", "mlvu", *words) == 0
    words = ["--videos", made.videos, "--out", home / "000000.tar", "--shard", 0, "--size", 32]
    assert made.refocus("decode", home / "qa" / "bench.clips.parquet", *words) == 0
    (home / "tasks").mkdir()
    (home / "tasks" / "utils.py").write_text("from lmms_eval.tasks.mlvu.utils import *\n", encoding="utf-8")
    text = YAML.format(task=TASK, documents=made.documents)
    (home / "tasks" / f"{TASK}.yaml").write_text(text, encoding="utf-8")
    return made


def document(video: str, question: str) -> dict[str, Any]:
    """One row of the parquet copy."""
    listed = [f"({letter}) {option}" for letter, option in zip("ABC", OPTIONS, strict=True)]
    return {
        "video_name": video,
        "question": "\n".join([question, *listed]),
        "candidates": list(OPTIONS),
        "answer": "A",
        "question_id": f"copy-{ROWS.index((video, question)) if (video, question) in ROWS else 'other'}",
        "task_type": "needle",
    }


def write_documents(path: Path, rows: list[dict[str, Any]]) -> None:
    """What the task is about."""
    pq.write_table(pa.Table.from_pylist(rows), path)


def run_task(made: StockTask, model: str, model_args: str, **more: Any) -> dict[tuple[str, str], str]:
    """The model's replies by video and question, through lmms-eval's evaluator."""
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager
    from lmms_eval.tasks.mlvu import utils

    utils.cache_dir_dev = str(made.videos)
    manager = TaskManager("ERROR", include_path=str(made.home / "tasks"), include_defaults=False, model_name=model)
    done = simple_evaluate(
        model, model_args, tasks=[TASK], task_manager=manager, batch_size=1, device="cpu", bootstrap_iters=0, **more
    )
    samples = done["samples"][TASK]
    return {
        (one["doc"]["video_name"], one["doc"]["question"].split("\n")[0]): one["filtered_resps"][0] for one in samples
    }
