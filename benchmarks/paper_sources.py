"""Files of the paper's size in the published layouts, where config/paper.yaml looks for them; all of it is made up.

962,000 training questions and the benchmarks' own, about 170,000 videos. The videos are hard links to a few copies of
one real, tiny file, so that every folder has as many names as a full download and takes no space.
`python -m benchmarks.paper_sources FOLDER 1.0` writes them; `tests/support/paper_fixtures.py` has the odd rows.
"""

import csv
import itertools
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from refocus.config.overlay import load

from tests.support.grey_video import write_greys

ROOT = Path(__file__).resolve().parents[1]
SIZES = {  # questions and videos; those of LLaVA-Video-178K and VISTA-400K are what is left of the paper's 962K
    "nextqa": (34_132, 3_870),
    "llava_video": (489_588, 115_000),
    "activitynetqa": (32_000, 3_200),
    "perceptiontest": (7_392, 2_184),
    "cinepile": (298_888, 9_396),
    "vista": (100_000, 33_000),
    "videomme": (2_700, 900),
    "longvideobench": (1_337, 753),
    "mlvu": (2_174, 1_122),
    "videommmu": (900, 300),
    "videommmu_before": (300, 300),
}
LEAST = 24  # questions and videos of each set, whatever the share
LINKS = 20_000  # names of one file; ext4 allows 65,000
LETTERS = "ABCDEFGHIJ"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
TEXT = """
the a person child dog red blue green cup table door window garden street holds opens moves watches after before while
near behind slowly again first last picture colour plays carries looks walks ball book chair lamp river
"""
WORDS = TEXT.split()


@dataclass
class Part:
    """One set: how much of it there is to be, and where."""

    root: Path
    original: Path
    questions: int
    videos: int
    random: random.Random
    linked: int = 0
    copy: Path = field(init=False)

    def link(self, *paths: str) -> None:
        """A video at each path."""
        for path in paths:
            if self.linked % LINKS == 0:
                self.copy = self.original.with_name(f"{self.root.name}.{self.linked}{self.original.suffix}")
                shutil.copyfile(self.original, self.copy)
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.copy, place)
            self.linked += 1

    def text(self, words: int) -> str:
        """Words without a meaning."""
        return " ".join(self.random.choices(WORDS, k=words))

    def asked(self, count: int) -> tuple[str, list[str], int]:
        """A question, so many options, and which of them is right."""
        return self.text(11).capitalize() + "?", [self.text(4) for _ in range(count)], self.random.randrange(count)

    def shared(self) -> Iterator[tuple[int, int]]:
        """Every video's number and how many of the questions are about it."""
        ends = [self.questions * number // self.videos for number in range(self.videos + 1)]
        yield from enumerate(end - start for start, end in itertools.pairwise(ends))


def write_sources(home: Path, share: float = 1.0) -> dict[str, tuple[int, int]]:
    """Writes everything below a working directory; set → how many questions and videos it has."""
    root = load([ROOT / "config.yaml", ROOT / "config" / "paper.yaml"])
    (home / "originals").mkdir(parents=True)
    original = write_greys(home / "originals" / "video.mp4", range(8))
    written = {}
    for name in [*root.use.datasets, *root.use.benchmarks]:
        questions, videos = (max(LEAST, round(share * size)) for size in SIZES[name])
        part = Part(home / root.source(name).videos, original, questions, videos, random.Random(name))
        paths = [home / path for path in root.source(name).annotations]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        written[name] = WRITERS[name](part, paths), part.linked
    return written


def youtube(number: int, salt: int = 0) -> str:
    """Eleven letters that no other number has."""
    number = (number + salt * 1_000_003 + 1) * 0x9E3779B97F4A7C15 % 2**64
    return "".join(ALPHABET[number >> 6 * place & 63] for place in range(11))


def nextqa(part: Part, paths: list[Path]) -> int:
    head = [
        "video",
        "frame_count",
        "width",
        "height",
        "question",
        "answer",
        "qid",
        "type",
        "a0",
        "a1",
        "a2",
        "a3",
        "a4",
    ]
    places = {}
    with paths[0].open("w", newline="") as handle:
        rows = csv.writer(handle, lineterminator="\n")
        rows.writerow(head)
        for video, count in part.shared():
            name = str(2_400_000_000 + video)
            places[name] = f"{video % 100:04d}/{name}"
            part.link(f"NExTVideo/{places[name]}.mp4")
            for qid in range(count):
                question, options, right = part.asked(5)
                rows.writerow([name, 900, 640, 480, question.lower().rstrip("?"), right, qid, "TN", *options])
    paths[1].write_text(json.dumps(places))
    return part.questions


def llava_video(part: Part, paths: list[Path]) -> int:
    rows: list[list[dict[str, Any]]] = [[] for _ in paths]
    for video, count in part.shared():
        file = video % len(paths)
        bucket = paths[file].parent.name
        name = f"liwei_youtube_videos/videos/youtube_video_2024/ytb_{youtube(video)}.mp4"
        if "academic" in bucket:
            name = f"academic_source/Charades/{video:06d}US.mp4"
        turns = [turn for _ in range(count) for turn in _talk(part, "{}. {}", "{}. {}")]
        turns[0]["value"] = "<image>\n" + turns[0]["value"]
        rows[file].append({"id": f"{video:06d}", "conversations": turns, "data_source": bucket, "video": name})
        part.link(f"{bucket}/{name}")
    for path, file_rows in zip(paths, rows, strict=True):
        path.write_text(json.dumps(file_rows))
    return part.questions


def _talk(part: Part, listed: str, answer: str) -> list[dict[str, str]]:
    question, options, right = part.asked(4)
    lines = [question, *(listed.format(letter, option) for letter, option in zip(LETTERS, options, strict=False))]
    lines.append("Please respond with only the letter of the correct answer.")
    said = answer.format(LETTERS[right], options[right])
    return [{"from": "human", "value": "\n".join(lines)}, {"from": "gpt", "value": said}]


def activitynetqa(part: Part, paths: list[Path]) -> int:
    asked, answered = [], []
    for video, count in part.shared():
        name = youtube(video, 1)
        part.link(f"v_{name}.mp4")
        for number in range(count):
            kind = part.random.choice((3, 3, 4, 6))
            answer = part.random.choice(("yes", "no") if kind == 3 else WORDS)
            key = f"v_{name}_{number}"
            asked.append({"video_name": name, "question": part.text(8), "question_id": key})
            answered.append({"answer": answer, "type": kind, "question_id": key})
    paths[0].write_text(json.dumps(asked))
    paths[1].write_text(json.dumps(answered))
    return part.questions


def perceptiontest(part: Part, paths: list[Path]) -> int:
    videos, cuts = {}, {}
    for video, count in part.shared():
        name = f"video_{video}"
        part.link(f"{name}.mp4")
        items = []
        for number in range(count):
            question, options, right = part.asked(3)
            item = {"id": number, "question": question, "options": options, "answer_id": right, "area": "physics"}
            items.append({**item, "reasoning": "predictive", "tag": ["occlusion"]})
        facts = {"split": "train", "video_id": name, "frame_rate": 30.0, "num_frames": 690}
        videos[name] = {"metadata": facts, "mc_question": items, "object_tracking": []}
        cuts[name] = 600 if video % 4 == 0 else -1
    paths[0].write_text(json.dumps(videos))
    paths[1].write_text(json.dumps(cuts))
    return part.questions


def cinepile(part: Part, paths: list[Path]) -> int:
    rows: list[list[dict[str, Any]]] = [[] for _ in paths]
    same = {"movie_name": "A film", "year": 1999, "genre": ["Drama"], "yt_clip_title": "A clip", "movie_scene": ""}
    for video, count in part.shared():
        name = youtube(video, 2)
        part.link(f"{name}.mp4")
        for _ in range(count):
            question, options, right = part.asked(5)
            row = {**same, "yt_clip_link": f"https://www.youtube.com/watch?v={name}", "subtitles": "Nothing is said."}
            row |= {"question": question, "choices": options, "answer_key": options[right], "hard_split": "False"}
            row |= {"answer_key_position": right, "question_category": "Temporal", "visual_reliance": "True"}
            rows[video * len(paths) // part.videos].append(row)
    for path, file_rows in zip(paths, rows, strict=True):
        pq.write_table(pa.Table.from_pylist(file_rows), path)
    return part.questions


def vista(part: Part, paths: list[Path]) -> int:
    """The videos lie unpacked in the folders of their subsets."""
    rows: list[list[dict[str, Any]]] = [[] for _ in paths]
    for video, count in part.shared():
        file = video % len(paths)
        name = f"{youtube(video, 3)}_{video}_17to138.mp4"
        part.link(f"{paths[file].stem}/{name}")
        rows[file] += [{"image": name, "conversations": _talk(part, "({}) {}", "({}) {}")} for _ in range(count)]
    for path, file_rows in zip(paths, rows, strict=True):
        path.write_text(json.dumps(file_rows))
    return part.questions


def videomme(part: Part, paths: list[Path]) -> int:
    rows = []
    for video, count in part.shared():
        name = youtube(video, 4)
        part.link(f"data/{name}.mp4")
        for number in range(count):
            question, options, right = part.asked(4)
            row = {"video_id": f"{video:03d}", "duration": "short", "domain": "Knowledge", "sub_category": "Art"}
            row |= {"url": f"https://www.youtube.com/watch?v={name}", "videoID": name, "task_type": "Counting Problem"}
            row |= {"question_id": f"{video:03d}-{number}", "question": question, "answer": LETTERS[right]}
            rows.append({**row, "options": [f"{a}. {b}" for a, b in zip(LETTERS, options, strict=False)]})
    pq.write_table(pa.Table.from_pylist(rows), paths[0])
    return part.questions


def longvideobench(part: Part, paths: list[Path]) -> int:
    rows = []
    for video, count in part.shared():
        name = youtube(video, 5)
        part.link(f"videos/{name}.mp4")
        for number in range(count):
            question, options, right = part.asked(5)
            row = {"video_id": name, "question": question, "candidates": options, "correct_choice": right}
            row |= {"position": [3], "topic_category": "Art", "question_category": "S2E", "level": "L1-Perception"}
            row |= {"id": f"{name}_{number}", "video_path": f"{name}.mp4", "duration_group": 600}
            rows.append({**row, "starting_timestamp_for_subtitles": 0, "duration": 0.8})
    paths[0].write_text(json.dumps(rows))
    return part.questions


def mlvu(part: Part, paths: list[Path]) -> int:
    rows: list[list[dict[str, Any]]] = [[] for _ in paths]
    for video, count in part.shared():
        file = video % len(paths)
        task = paths[file].stem.split("_", 1)[1]
        name = f"{task}_{video}.mp4"
        part.link(f"video/{paths[file].stem}/{name}")
        for _ in range(count):
            question, options, right = part.asked(4)
            row = {"video": name, "duration": 0.8, "question": question, "candidates": options}
            rows[file].append({**row, "answer": options[right], "question_type": task})
    for path, file_rows in zip(paths, rows, strict=True):
        path.write_text(json.dumps(file_rows))
    return part.questions


def videommmu(part: Part, paths: list[Path]) -> int:
    """A third of the questions in each track, about the same videos."""
    count = part.questions // 3
    names = [f"test_Finance_{number}" for number in range(count)]
    part.link(*(f"Business/{name}.mp4" for name in names))
    for path in paths:
        rows = []
        for number, name in enumerate(names):
            question, options, right = part.asked(10)
            row = {"id": name, "link_selected": f"https://www.youtube.com/watch?v={youtube(number, 6)}"}
            row |= {"question": question, "options": options, "answer": LETTERS[right]}
            rows.append({**row, "question_type": "multiple-choice"} if path.parent.name == "Adaptation" else row)
        pq.write_table(pa.Table.from_pylist(rows), path)
    return count * 3


def videommmu_before(part: Part, paths: list[Path]) -> int:
    """The rows that `videommmu` wrote for Adaptation, about clips of their pictures."""
    names = pq.read_table(paths[0], columns=["id"])["id"].to_pylist()
    part.link(*(f"question_only/{name}_image.mp4" for name in names))
    return len(names)


WRITERS: dict[str, Callable[[Part, list[Path]], int]] = {
    writer.__name__: writer
    for writer in (
        nextqa,
        llava_video,
        activitynetqa,
        perceptiontest,
        cinepile,
        vista,
        videomme,
        longvideobench,
        mlvu,
        videommmu,
        videommmu_before,
    )
}

if __name__ == "__main__":
    print(json.dumps(write_sources(Path(sys.argv[1]), float(sys.argv[2]))))  # noqa: T201
