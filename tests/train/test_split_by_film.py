"""The validation slice is split by film, from published annotation files to what a run trains on."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from refocus.config.filter import FilterSettings
from refocus.config.ingest import IngestSettings
from refocus.config.train import TrainSettings
from refocus.filter.pairs import write_filtered
from refocus.filter.variance import variances
from refocus.qa.formats import formats_noted
from refocus.qa.ingest import SourceFiles, ingest
from refocus.qa.records import read_questions
from refocus.train.data import TrainingSet, build, held_back

SETTINGS = TrainSettings(picks=4)


def ingested(name: str, format: str, annotations: list[Path], folder: Path) -> Path:
    """The questions of annotation files whose videos are not needed."""
    videos = folder / "videos" / name
    videos.mkdir(parents=True, exist_ok=True)
    ingest(SourceFiles(name, format, tuple(annotations), videos), folder / "qa", IngestSettings())
    return folder / "qa" / f"{name}.parquet"


def in_llava_video(videos: dict[str, str], folder: Path) -> Path:
    """LLaVA-Video-178K's own question about each of these NExT-QA videos, id → place, in its published form."""
    bucket = "0_30_s_academic_v0_1"
    text = "<image>\nWhat happens?\nA. Much.\nB. Little.\nPlease respond with only the letter of the correct answer."
    turns = [{"from": "human", "value": text}, {"from": "gpt", "value": "A."}]
    rows = [
        {"id": place, "conversations": turns, "data_source": bucket, "video": f"academic_source/NextQA/{place}.mp4"}
        for place in videos.values()
    ]
    path = folder / bucket / f"{bucket}_mc_qa_processed.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(rows))
    return path


def split(questions: list[Path], folder: Path, noted: bool = True) -> TrainingSet:
    """What is trained on and what is held back, when every question passes the filter.

    Args:
        noted: whether the pairs say which adapter read each data set; if not, every file is a film by itself.
    """
    ids = [question.qa_id for path in questions for question in read_questions(path)]
    columns = {
        "qa_id": ids * 8,
        "subset": [n for n in range(8) for _ in ids],
        "margin": [float(n % 2) for n in range(8) for _ in ids],
    }
    rewards = pa.table(columns).sort_by([("qa_id", "ascending"), ("subset", "ascending")])
    pq.write_table(rewards, folder / "rewards.parquet")
    write_filtered(folder / "filtered", questions, variances([folder / "rewards.parquet"], 1), FilterSettings())
    pairs = folder / "filtered" / "pairs.parquet"
    return build(read_questions(pairs), lambda _: 48, SETTINGS, formats_noted(pairs) if noted else {})


def videos_on_both_sides(made: TrainingSet) -> tuple[int, int]:
    """How many of NExT-QA's held-back videos are trained on in any data set, and how many are held back."""
    held, trained = ({Path(question.video_path).stem for question in part} for part in (made.validation, made.train))
    return len(held & trained), len(held)


def write_nextqa(folder: Path, ids: list[str]) -> list[Path]:
    """A small NExT-QA in its published form."""
    names = ["video", "question", "answer", "qid", "type", "a0", "a1", "a2", "a3", "a4"]
    rows = [[video, "why does he jump", 1, 0, "CW", "joy", "fear", "cold", "a dare", "a fall"] for video in ids]
    with (folder / "train.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([names, *rows])
    (folder / "map_vid_vidorID.json").write_text(json.dumps({video: f"1164/{video}" for video in ids}))
    return [folder / "train.csv", folder / "map_vid_vidorID.json"]


def test_a_film_that_two_data_sets_have_is_never_on_both_sides(tmp_path):
    ids = [str(3238737500 + number) for number in range(60)]
    ours = ingested("nextqa", "nextqa", write_nextqa(tmp_path, ids), tmp_path)
    theirs = in_llava_video({video: f"1164/{video}" for video in ids}, tmp_path)
    made = split([ours, ingested("llava", "llava_video", [theirs], tmp_path)], tmp_path)
    assert videos_on_both_sides(made) == (0, 3)
    assert {question.dataset for question in made.validation} == {"nextqa", "llava"}


def test_the_slice_does_not_depend_on_which_of_its_data_sets_come_along(tmp_path):
    """A film has one place in the order, whichever data sets and paths it is met under."""
    ids = [str(3238737500 + number) for number in range(60)]
    ours = ingested("nextqa", "nextqa", write_nextqa(tmp_path, ids), tmp_path)
    theirs = ingested("llava", "llava_video", [in_llava_video({i: f"1164/{i}" for i in ids}, tmp_path)], tmp_path)
    held = [
        {Path(question.video_path).stem for question in split(files, tmp_path).validation}
        for files in ([ours], [theirs], [ours, theirs], [theirs, ours])
    ]
    assert held == held[:1] * 4 and len(held[0]) == 3


def test_no_held_back_video_of_the_real_nextqa_is_trained_on_inside_llava_video(shared_data, tmp_path):
    folder = shared_data / "annotations/nextqa"
    with (folder / "val.csv").open(newline="") as handle:
        ids = {row["video"] for row in csv.DictReader(handle)}
    places = json.loads((folder / "map_vid_vidorID.json").read_text())
    ours = ingested("nextqa", "nextqa", [folder / "val.csv", folder / "map_vid_vidorID.json"], tmp_path)
    theirs = in_llava_video({video: places[video] for video in sorted(ids)}, tmp_path)
    files = [ours, ingested("llava_video", "llava_video", [theirs], tmp_path)]
    both, held = videos_on_both_sides(split(files, tmp_path))
    assert both == 0, f"{both} of {held} held-back videos are trained on"
    assert held == len(held_back([("nextqa", video) for video in ids], SETTINGS.validation_share))
    assert videos_on_both_sides(split(files, tmp_path, noted=False)) == (57, 57), "what a split by path does"
