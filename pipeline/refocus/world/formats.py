"""Writes the world's questions in the real on-disk formats, so that they pass through the same adapters as real data.

Each writer returns, per question, its source id as the adapter will name it.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from refocus.core.files import atomic, write_json, write_text
from refocus.world.world_plan import Video

LETTERS = "ABCDE"
BUCKET = "0_30_s_academic_v0_1"
LETTER_ONLY = "Please respond with only the letter of the correct answer."
LETTER_AND_TEXT = "Please provide your answer by stating the letter followed by the full option."
TASK = "2_needle"

SourceIds = list[list[str]]


def _stem(video: Video) -> str:
    return f"world_{video.number:04d}"


def nextqa(root: Path, videos: Sequence[Video]) -> SourceIds:
    """train.csv and the map file; questions without question mark and five options, as in NExT-QA."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    header = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"
    rows.writerow(header.split(","))
    ids, places = [], {}
    for video in videos:
        name = str(4_000_000_000 + video.number)
        places[name] = f"{1000 + video.number % 7}/{name}"
        count = int(video.scene.duration_s * video.encoding.fps)
        for qid, q in enumerate(video.questions):
            shape = (count, video.encoding.width, video.encoding.height)
            rows.writerow([name, *shape, q.text, q.answer_index, qid, q.kind, *q.options])
        ids.append([f"{name}_{qid}" for qid in range(len(video.questions))])
    write_text(root / "train.csv", text.getvalue())
    write_text(root / "map_vid_vidorID.json", json.dumps(places))
    return ids


def nextqa_file(video: Video) -> str:
    """Path of a video below the data set's folder."""
    return f"NExTVideo/{1000 + video.number % 7}/{4_000_000_000 + video.number}.mp4"


def llava_video(root: Path, videos: Sequence[Video]) -> SourceIds:
    """One conversation per video and kind of question, options and instruction inside the human turns."""
    rows, ids = [], []
    for video in videos:
        kinds: dict[str, list[int]] = {}
        for index, q in enumerate(video.questions):
            kinds.setdefault(q.kind, []).append(index)
        named = [""] * len(video.questions)
        for kind, members in kinds.items():
            row_id = f"{_stem(video)}-{kind.replace('/', '-')}"
            turns = []
            for turn, index in enumerate(members):
                q = video.questions[index]
                tail = LETTER_AND_TEXT if turn % 2 else LETTER_ONLY
                lines = [f"{q.text}?", *(f"{a}. {o}" for a, o in zip(LETTERS, q.options, strict=False)), tail]
                letter = f"{LETTERS[q.answer_index]}."
                turns.append({"from": "human", "value": ("" if turn else "<image>\n") + "\n".join(lines)})
                turns.append({"from": "gpt", "value": f"{letter} {q.answer}" if turn % 2 else letter})
                named[index] = f"{row_id}:{turn}"
            file = llava_file(video).removeprefix(f"{BUCKET}/")
            rows.append({"id": row_id, "conversations": turns, "data_source": BUCKET, "video": file, "type": kind})
        ids.append(named)
    write_json(root / BUCKET / "0_30_s_academic_mc_v0_1_qa_processed.json", rows)
    return ids


def llava_file(video: Video) -> str:
    """Path of a video below the data set's folder."""
    return f"{BUCKET}/academic_source/world/{_stem(video)}.mp4"


def videomme(root: Path, videos: Sequence[Video]) -> SourceIds:
    """The parquet of Video-MME: lettered options, a duration group and three questions for every video."""
    rows, ids = [], []
    for video in videos:
        number = f"{video.number + 1:03d}"
        for k, q in enumerate(video.questions, start=1):
            rows.append(
                {
                    "video_id": number,
                    "duration": video.group,
                    "domain": "World",
                    "sub_category": "Shapes",
                    "url": "",
                    "videoID": _stem(video),
                    "question_id": f"{number}-{k}",
                    "task_type": q.kind,
                    "question": f"{q.text}?",
                    "options": [f"{a}. {o}" for a, o in zip(LETTERS, q.options, strict=False)],
                    "answer": LETTERS[q.answer_index],
                }
            )
        ids.append([f"{number}-{k}" for k in range(1, len(video.questions) + 1)])
    with atomic(root / "videomme" / "test-00000-of-00001.parquet") as draft:
        pq.write_table(pa.Table.from_pylist(rows), draft)
    return ids


def videomme_file(video: Video) -> str:
    """Path of a video below the benchmark's folder."""
    return f"data/{_stem(video)}.mp4"


def mlvu(root: Path, videos: Sequence[Video]) -> SourceIds:
    """The official JSON of one MLVU task: answers by text, no ids."""
    rows: list[dict[str, object]] = []
    ids: SourceIds = []
    for video in videos:
        ids.append([f"{TASK}_{len(rows) + k}" for k in range(len(video.questions))])
        rows += [
            {
                "video": f"{_stem(video)}.mp4",
                "duration": video.scene.duration_s,
                "question": f"{q.text}?",
                "candidates": list(q.options),
                "answer": q.answer,
                "question_type": q.kind,
            }
            for q in video.questions
        ]
    write_json(root / "json" / f"{TASK}.json", rows)
    return ids


def mlvu_file(video: Video) -> str:
    """Path of a video below the benchmark's folder."""
    return f"video/{TASK}/{_stem(video)}.mp4"


Writer = Callable[[Path, Sequence[Video]], SourceIds]
FORMATS: dict[str, tuple[Writer, Callable[[Video], str]]] = {
    "nextqa": (nextqa, nextqa_file),
    "llava_video": (llava_video, llava_file),
    "videomme": (videomme, videomme_file),
    "mlvu": (mlvu, mlvu_file),
}
