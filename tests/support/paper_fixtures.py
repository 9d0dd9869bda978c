"""Small data in the published layouts of all ten sets, at the very paths that config/paper.yaml names, and tiny models.

Every set has usable questions, an odd row that must be rejected, and a question whose video is not there. The
videos are
the same few in all sets, 12 seconds long: 48 frames at 4 per second, more than the 32 that are picked.
"""

import csv
import itertools
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from refocus.config.root import Root

from tests.support.videos import constant, write_video

SECONDS, FPS, SIZE = 12.0, 8.0, (72, 96)
VIDEOS = 4
WORDS = ("red", "green", "blue", "yellow", "circle", "square")
MOMENTS = ("before the circle", "after the square", "first", "last", "when the square disappears")
LETTERS = "ABCDEFGHIJ"
COPIED = "1164/3238737531"  # a video of NExT-QA that LLaVA-Video-178K has too, with a question about it
LEAKED = "lqy3ECfSkSQ"  # a video of ActivityNet that Video-MME has too
BY_LETTER = "Please respond with only the letter of the correct answer."
IN_FULL = "Please provide your answer by stating the letter followed by the full option."


@dataclass(frozen=True)
class Asked:
    """One question; all with equal `number` and `count` are the same."""

    number: int
    count: int

    @property
    def text(self) -> str:
        what = f"{WORDS[self.number % 6]} {WORDS[self.number // 6 % 6]}"
        return f"What {what} is shown {MOMENTS[self.number % 5]}"

    @property
    def options(self) -> list[str]:
        return [(WORDS[i % 6] + " circle" * (i // 6)) for i in range(self.number, self.number + self.count)]

    @property
    def right(self) -> int:
        return self.number % self.count

    @property
    def letter(self) -> str:
        return LETTERS[self.right]

    @property
    def answer(self) -> str:
        return self.options[self.right]

    def listed(self, form: str) -> list[str]:
        """The options with letters, such as `A. red` for the form `{}. {}`."""
        return [form.format(letter, option) for letter, option in zip(LETTERS, self.options, strict=False)]


@dataclass
class Part:
    """One data set below its folder, and what is to come of its rows."""

    root: Path
    video_files: Iterator[Path]
    rows: int = 0  # input rows, as its adapter counts them
    odd: dict[str, str] = field(default_factory=dict)  # source id of a reject → reason
    gone: int = 0  # questions whose video is not there

    def video_file(self, *paths: str) -> None:
        """Puts a video at each path."""
        for place in (self.root / path for path in paths):
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(next(self.video_files), place)

    def ask(self, count: int) -> Asked:
        """A question that this part has not asked before, with so many options."""
        self.rows += 1
        return Asked(self.rows - 1, count)


def write_videos(folder: Path) -> list[Path]:
    """H.264 videos in which every second looks different."""
    video_files = []
    for seed in range(VIDEOS):
        rng = np.random.default_rng(seed)
        scenes = np.kron(rng.integers(0, 256, (int(SECONDS), 3, 4, 3), np.uint8), np.ones((1, 24, 24, 1), np.uint8))
        times = constant(SECONDS, FPS)
        video_files.append(write_video(folder / f"{seed}.mp4", times, SIZE, [scenes[int(time)] for time in times]))
    return video_files


def write_sources(root: Root, home: Path) -> dict[str, Part]:
    """Writes what a configuration uses below a working directory; name → its part."""
    video_files = itertools.cycle(write_videos(home / "videos"))
    parts = {}
    for name in [*root.use.datasets, *root.use.benchmarks]:
        parts[name] = Part(home / root.source(name).videos, video_files)
        WRITERS[name](parts[name], [home / path for path in root.source(name).annotations])
    return parts


def save(path: Path, value: Any) -> None:
    """JSON, or rows as CSV or parquet, by the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(value), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as handle:
            rows = csv.DictWriter(handle, value[0].keys(), lineterminator="\n")
            rows.writeheader()
            rows.writerows(value)
    else:
        path.write_text(json.dumps(value))


def talk(question: str, answer: str) -> list[dict[str, str]]:
    """A human turn and its answer."""
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def nextqa(part: Part, paths: list[Path]) -> None:
    copied = COPIED.split("/")[1]
    rows = []
    for video, qid in [(copied, 0), (copied, 1), ("2440175990", 0), ("2440175990", 1), ("9999999999", 0)]:
        q = part.ask(5)
        head = {"video": video, "frame_count": 96, "width": 96, "height": 72, "question": q.text.lower()}
        options = {f"a{place}": option for place, option in enumerate(q.options)}
        rows.append({**head, "answer": q.right, "qid": qid, "type": "TN", **options})
    rows.append({**rows[0], "answer": "seven", "qid": 9})
    part.rows, part.odd, part.gone = len(rows), {f"{copied}_9": "unparsable_answer"}, 1
    part.video_file(f"NExTVideo/{COPIED}.mp4", "NExTVideo/2440175990.mp4")  # as released, and as on Hugging Face
    save(paths[0], rows)
    save(paths[1], {copied: COPIED, "2440175990": "0001/2440175990", "9999999999": "0002/9999999999"})


def llava_video(part: Part, paths: list[Path]) -> None:
    for number, path in enumerate(paths):
        bucket = path.parent.name
        video = f"liwei_youtube_videos/videos/youtube_video_2024/ytb_Ab_{number:08d}.mp4"
        if "academic" in bucket:
            video = f"academic_source/Charades/Q{number}4US.mp4" if number else f"academic_source/NextQA/{COPIED}.mp4"
        first, second = (Asked(0, 5) if not number else part.ask(4)), part.ask(4)
        turns = talk("\n".join([f"<image>\n{first.text}?", *first.listed("{}. {}"), BY_LETTER]), f"{first.letter}.")
        full = f"{second.letter}. {second.answer}"
        turns += talk("\n".join([f"{second.text}?", *second.listed("{}. {}"), IN_FULL]), full)
        rows = [{"id": path.stem, "conversations": turns, "data_source": bucket, "video": video}]
        part.video_file(f"{bucket}/{video}")
        if not number:
            wrong = {"from": "gpt", "value": f"{LETTERS[(second.right + 1) % 4]}. {second.answer}"}
            rows.append({**rows[0], "id": "odd", "conversations": [turns[2], wrong]})
            rows.append({**rows[0], "id": "gone", "conversations": turns[2:], "video": "academic_source/ego4d/1.mp4"})
        save(path, rows)
    part.rows, part.odd, part.gone = part.rows + 3, {"odd:0": "answer_mismatch"}, 1


def activitynetqa(part: Part, paths: list[Path]) -> None:
    asked, answered = [], []
    for answer, kind in [("yes", 3), ("no", 3), ("red", 4), ("blue", 4), ("green", 4), ("circle", 5), ("square", 5)]:
        video = LEAKED if len(asked) % 2 else "K_OuJFz4rLc"
        name = f"v_{video}_{len(asked)}"
        asked.append({"video_name": video, "question": f"{part.ask(4).text}?", "question_id": name})
        answered.append({"answer": answer, "type": kind, "question_id": name})
    asked.append({**asked[0], "question_id": "v_K_OuJFz4rLc_99"})  # nobody has answered it
    asked.append({"video_name": "00000000000", "question": "is it blue?", "question_id": "v_00000000000_1"})
    answered.append({"answer": "yes", "type": 3, "question_id": "v_00000000000_1"})
    part.rows, part.odd, part.gone = len(asked), {"v_K_OuJFz4rLc_99": "no_answer"}, 1
    part.video_file(f"v_{LEAKED}.mp4", "v1-3/train_val/v_K_OuJFz4rLc.mp4")
    save(paths[0], asked)
    save(paths[1], answered)


def perceptiontest(part: Part, paths: list[Path]) -> None:
    videos = {}
    for video, count in [("video_1234", 3), ("video_77", 3), ("video_9", 1)]:
        facts = {"split": "train", "video_id": video, "frame_rate": FPS, "num_frames": round(SECONDS * FPS)}
        items = []
        for number, q in enumerate([part.ask(3) for _ in range(count)]):
            item = {"id": number, "question": f"{q.text}?", "options": q.options, "answer_id": q.right}
            items.append({**item, "area": "physics", "reasoning": "predictive", "tag": ["occlusion"]})
        videos[video] = {"metadata": facts, "mc_question": items, "object_tracking": []}
    videos["video_77"]["mc_question"].append({**items[0], "id": 3, "answer_id": 3})
    part.rows, part.odd, part.gone = part.rows + 1, {"video_77_3": "answer_out_of_range"}, 1
    part.video_file("video_1234.mp4", "video_77.mp4")
    save(paths[0], videos)
    save(paths[1], {"video_1234": 80, "video_77": -1})  # the first must not be seen from second 10 on


def cinepile(part: Part, paths: list[Path]) -> None:
    dead = [f"dead000000{number}" for number in range(4)]  # more than decode tolerates without a limit of its own
    places = ("{id}.mp4", "{id}/{id}.mp4", "The Square_watch?v={id}.mp4")  # lmms-eval's, molmo2's, the notebook's
    for number, (path, place) in enumerate(zip(paths, places, strict=True)):
        video, rows = f"Ci_ne-{number:05d}", []
        part.video_file(place.format(id=video))
        for clip in [video, video, *(dead if not number else ())]:
            q = part.ask(5)
            row = {"movie_name": "The Square", "year": 1999, "genre": ["Drama"], "yt_clip_title": "A clip"}
            row |= {"yt_clip_link": f"https://www.youtube.com/watch?v={clip}", "movie_scene": "", "subtitles": ""}
            row |= {"question": f"{q.text}?", "choices": q.options, "answer_key": q.answer}
            row |= {"answer_key_position": q.right, "question_category": "Character and\nRelationship Dynamics"}
            rows.append({**row, "hard_split": "False", "visual_reliance": "True"})
        if not number:
            part.odd = {f"{path.stem}_{len(rows)}": "bad_field"}
            rows.append({**rows[0], "yt_clip_link": "https://example.org/"})
        save(path, rows)
    part.rows, part.gone = part.rows + 1, len(dead)


def vista(part: Part, paths: list[Path]) -> None:
    for number, path in enumerate(paths):
        subset, video_files, rows = path.stem, [f"CPLa78IpO9{number}_{cut}_17to138.mp4" for cut in range(2)], []
        for video_file in (video_files[0], video_files[0], video_files[1]):
            q = part.ask(4)
            said = talk("\n".join([f"{q.text}?", *q.listed("({}) {}")]), f"({q.letter}) {q.answer}")
            rows.append({"image": video_file, "conversations": said})
        if not number:
            rows.append({**rows[0], "conversations": talk("Describe the video.", "A circle.")})
            rows.append({**rows[0], "image": "CPLa78IpO99_0_17to138.mp4"})
            part.rows, part.odd, part.gone = part.rows + 2, {f"{subset}_3:0": "no_options"}, 1
        save(path, rows)
        tar = part.root / subset / f"{subset}_0.tar"
        tar.parent.mkdir()
        with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
            for video_file in video_files:
                archive.add(next(part.video_files), arcname=video_file)


def videomme(part: Part, paths: list[Path]) -> None:
    rows = []
    for number, (video, length) in enumerate([("-Ab3456789_", "short"), (LEAKED, "medium"), ("gone0000000", "long")]):
        for k in range(3):
            q = part.ask(4)
            row = {"video_id": f"{number + 1:03d}", "duration": length, "domain": "Knowledge", "sub_category": "Art"}
            row |= {"url": f"https://www.youtube.com/watch?v={video}", "videoID": video}
            row |= {"question_id": f"{number + 1:03d}-{k + 1}", "task_type": "Counting Problem"}
            rows.append({**row, "question": f"{q.text}?", "options": q.listed("{}. {}"), "answer": q.letter})
    rows[2]["answer"], part.odd, part.gone = "E", {"001-3": "answer_out_of_range"}, 3
    part.video_file("data/-Ab3456789_.mp4", f"data/{LEAKED}.mp4")
    save(paths[0], rows)


def longvideobench(part: Part, paths: list[Path]) -> None:
    rows = []
    places = [("86CxyhFV9MI", 600), ("@user-7262468242692689194", 15), ("gone0000000", 3600)]
    for video, group in places:  # the second is of TikTok: its file is not called as the video
        file = f"{video.removeprefix('@user-')}.mp4"
        for number in range(1 if group == 3600 else 2):
            q = part.ask(5 - number)
            row = {"video_id": video, "question": f"{q.text}?", "question_wo_referring_query": "What?"}
            row |= {"candidates": q.options, "correct_choice": q.right, "position": [3], "topic_category": "Art"}
            row |= {"question_category": "S2E", "level": "L1-Perception", "id": f"{video}_{number}", "view_count": 1}
            row |= {"video_path": file, "subtitle_path": f"{video}_en.json", "duration_group": group}
            rows.append({**row, "starting_timestamp_for_subtitles": 0, "duration": SECONDS})
        if group != 3600:
            part.video_file(f"videos/{file}")
    rows.append({**rows[0], "id": "86CxyhFV9MI_9", "correct_choice": 5})
    part.rows, part.odd, part.gone = len(rows), {"86CxyhFV9MI_9": "answer_out_of_range"}, 1
    save(paths[0], rows)


def mlvu(part: Part, paths: list[Path]) -> None:
    for path in paths:
        task, rows = path.stem.split("_", 1)[1], []
        for number in range(1, 3):
            q = part.ask(4)
            row = {"video": f"{task}_{number}.mp4", "duration": SECONDS, "question": f"{q.text}?"}
            kind = "findNeedle" if task == "needle" else task
            rows.append({**row, "candidates": q.options, "answer": q.answer, "question_type": kind})
        part.video_file(*(f"video/{path.stem}/{row['video']}" for row in rows[: 1 if task == "ego" else 2]))
        if task in ("needle", "topic_reasoning"):  # both as published
            change = {"answer": "catching the drone"} if task == "needle" else {"question": ""}
            rows.append({**rows[0], **change})
        save(path, rows)
    odd = {"2_needle_2": "answer_not_an_option", "7_topic_reasoning_2": "empty_question"}
    part.rows, part.odd, part.gone = part.rows + 2, odd, 1


def videommmu(part: Part, paths: list[Path]) -> None:
    names = ["validation_Art_Theory_2", "test_Finance_9", "dev_Math_3"]
    for path in paths:
        track, rows = path.parent.name, []
        for number, name in enumerate(names):
            q = part.ask(4 if track == "Comprehension" else 10)
            row = {"id": name, "link_selected": f"https://www.youtube.com/watch?v=MMMU{number}000000&t=3s"}
            row |= {"question": q.text, "options": q.options, "answer": q.letter}
            rows.append({**row, "question_type": "multiple-choice"} if track == "Adaptation" else row)
        if track == "Adaptation":
            rows.append({**rows[0], "id": "new_Art_7", "options": [], "answer": "['4']", "question_type": "open"})
            rows.append({**rows[0], "id": "test_Art_8", "answer": "Z"})
        save(path, rows)
    part.rows, part.odd, part.gone = part.rows + 2, {"Adaptation/test_Art_8": "answer_out_of_range"}, 3
    part.video_file("Art/validation_Art_Theory_2.mp4", "Business/test_Finance_9.mp4", "Art/new_Art_7.mp4")


def videommmu_before(part: Part, paths: list[Path]) -> None:
    """The rows that `videommmu` wrote for Adaptation, about clips of their pictures."""
    part.rows, part.odd, part.gone = 5, {"Adaptation/test_Art_8": "answer_out_of_range"}, 1
    names = ("validation_Art_Theory_2", "test_Finance_9", "new_Art_7")
    part.video_file(*(f"question_only/{name}_image.mp4" for name in names))


WRITERS: dict[str, Callable[[Part, list[Path]], None]] = {
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
