"""A good row of every annotation format, and the file it lies in."""

from collections.abc import Callable
from typing import Any

from refocus.qa.adapters.conversations import TAILS

ASKED = {"question": "What is red?", "options": ["a cup", "a hat", "a bus"], "answer": "B"}
SAID = [
    {
        "from": "human",
        "value": f"<image>\nWhat is red?\nA. a cup\nB. a hat\n{TAILS[0]}",
    },
    {"from": "gpt", "value": "B"},
]
LETTERED = "What is red?\nA. a cup\nB. a hat"
ROWS: dict[str, dict[str, Any]] = {
    "lvbench": {
        "uid": "1",
        "key": "a",
        "question": "What?\n(A) red\n(B) blue",
        "answer": "A",
        "question_type": ["x"],
        "time_reference": "00:15-00:19",
    },
    "cgbench": {
        "qid": 1,
        "video_uid": "a",
        "question": "what?",
        "choices": ["x", "y"],
        "right_answer": "A",
        "answer": "x",
        "clue_intervals": [[1, 2.5]],
    },
    "egoschema": {"q_uid": "a", "question": "what?", "option 0": "x", "option 1": "y"},
    "mvbench": {
        "video": "a.mp4",
        "question": "what?",
        "candidates": ["x", "y"],
        "answer": "x",
        "start": 1.0,
        "end": 2.5,
    },
    "tempcompass": {"question": LETTERED, "answer": "A. a cup"},
    "llava_video": {"id": "1", "video": "a.mp4", "data_source": "0_30_s_youtube", "conversations": SAID},
    "vista": {"image": "a.mp4", "conversations": SAID},
    "mlvu": {
        "video": "a.mp4",
        "duration": 9.5,
        "question": "what?",
        "candidates": ["x", "y"],
        "answer": "x",
        "question_type": "plotQA",
    },
    "longvideobench": {
        "id": "1",
        "video_path": "a.mp4",
        "question": "what?",
        "candidates": ["x", "y"],
        "correct_choice": 1,
        "question_category": "S2E",
        "duration_group": 60,
    },
    "videommmu": {
        "id": "dev_Math_1",
        "question": "what?",
        "options": ["x", "y"],
        "answer": "A",
        "question_type": "multiple-choice",
    },
    "activitynetqa": {"video_name": "a", "question": "is it?", "question_id": "a"},
    "jsonl": {
        **ASKED,
        "video": "a.mp4",
        "start": "0:01",
        "end": 2.5,
        "evidence": "0:15-0:19; 1:05",
        "category": "x",
        "id": 3,
    },
    "perceptiontest": {
        "id": 1,
        "question": "what?",
        "options": ["x", "y", "z"],
        "answer_id": 1,
        "area": "memory",
        "reasoning": "x",
        "tag": ["y"],
    },
}
CELLS: dict[str, dict[str, str]] = {
    "csv": {
        "video": "a.mp4",
        "question": "what?",
        "option_a": "x",
        "option_b": "y",
        "answer": "A",
        "start": "0:01",
        "end": "2.5",
    },
    "nextqa": {
        "video": "1",
        "question": "why",
        "answer": "1",
        "qid": "0",
        "type": "CW",
        **{f"a{n}": str(n) for n in range(5)},
    },
}
COLUMNS: dict[str, dict[str, Any]] = {
    "parquet": {"video": "a.mp4", "question": "what?", "options": ["x", "y"], "answer": "A", "start": 1.5},
    "videomme": {
        "duration": "short",
        "videoID": "abc",
        "question_id": "001-1",
        "task_type": "x",
        "question": "what?",
        "options": ["A. x", "B. y"],
        "answer": "A",
    },
    "cinepile": {
        "yt_clip_link": "https://www.youtube.com/watch?v=abcdefghijk",
        "question": "what?",
        "choices": ["x", "y"],
        "answer_key": "x",
        "answer_key_position": 0,
        "movie_name": "m",
    },
}
WRAPPED: dict[str, tuple[str, Callable[[Any], Any]]] = {  # the file's name, and how its rows lie in it
    "lvbench": ("val.jsonl", lambda row: row),
    "jsonl": ("val.jsonl", lambda row: row),
    "vista": ("temporal_niah_mcq.json", lambda row: [row]),
    "videommmu": ("a.json", lambda row: {"Adaptation": {"1": row}, "Perception": [row]}),
    "perceptiontest": (
        "all_train.json",
        lambda row: {"v": {"metadata": {"frame_rate": 25.0, "num_frames": 99, "split": "train"}, "mc_question": [row]}},
    ),
    "activitynetqa": ("val_q.json", lambda row: [row]),
    "egoschema": ("questions.json", lambda row: [row]),
    "mvbench": ("action_count.json", lambda row: [row]),
    "tempcompass": ("multi-choice.json", lambda row: {"1": {"action": [row]}}),
    "longvideobench": ("lvb_val.json", lambda row: [row]),
    "mlvu": ("1_plotQA.json", lambda row: [row]),
    "cgbench": ("cgbench.json", lambda row: [row]),
    "llava_video": ("a.json", lambda row: [row]),
}
BESIDE = {  # files that are read too
    "activitynetqa": {"val_a.json": [{"question_id": "a", "answer": "yes", "type": 3}]},
    "egoschema": {"subset_answers.json": {"a": 1}},
    "perceptiontest": {"cut_frame_mapping_train.json": {"v": 40, "w": -1}},
}
