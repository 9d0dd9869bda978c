"""Perception Test: questions inside their videos, and ends that must not be seen. Rows are synthetic."""

import json
import logging

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.core.errors import RefocusError
from refocus.qa.ingest import SourceFiles, read_source
from refocus.qa.records import write_questions

METADATA = {
    "split": "train",
    "video_id": "video_1",
    "frame_rate": 29.97,
    "num_frames": 700,
    "resolution": [1080, 1920],
    "audio_samples": 1,
    "audio_sample_rate": 48_000,
    "is_cup_game": 0,
    "is_camera_moving": 0,
}


def item(number=0, **changes):
    return {
        "id": number,
        "question": "Where is the ball?",
        "options": ["left cup", "right cup", "no cup"],
        "answer_id": 1,
        "area": "physics",
        "reasoning": "predictive",
        "tag": ["object permanence", "occlusion"],
        **changes,
    }


def entry(*items, **metadata):
    return {"metadata": {**METADATA, **metadata}, "mc_question": list(items), "object_tracking": []}


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def read(*paths, root=None, **options):
    return read_source(SourceFiles("set", "perceptiontest", tuple(paths), root or paths[0].parent, None, options))


def test_rows(tmp_path):
    """Key, split, groups and video of a question."""
    path = write(tmp_path / "mc_question_train.json", {"video_1": entry(item(0), item(7, answer_id=0))})
    write(tmp_path / "cut_frame_mapping_train.json", {"video_1": -1})
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "video_1.MP4").touch()
    first, second = read(path).questions
    assert (first.source_id, second.source_id, first.clip_id) == ("video_1_0", "video_1_7", second.clip_id)
    assert (first.video_path, first.start_s, first.end_s) == ("videos/video_1.MP4", None, None)
    assert (first.options, first.answer_index) == (("left cup", "right cup", "no cup"), 1)
    assert (first.split, first.category) == ("train", "Physics")
    assert first.flags == ("reasoning:Predictive", "tag:object permanence", "tag:occlusion")


def test_the_end_is_cut_where_the_mapping_says(tmp_path):
    """Frame numbers become seconds by the video's own rate; -1, 0 and frames past the end cut nothing."""
    path = write(
        tmp_path / "all_valid.json",
        {
            "video_1": entry(item(), split="valid", frame_rate=25),
            "video_2": entry(item(), split="valid"),
            "video_3": entry(item(), split="valid"),
            "video_4": entry(item(), split="valid"),
            "video_5": entry(item(), split="valid"),
        },
    )
    cuts = {"video_1": 60, "video_2": 300, "video_3": -1, "video_4": 700, "other": "x"}
    write(tmp_path / "cut_frame_mapping_valid.json", cuts)
    found = read(path)
    ends = [question.end_s for question in found.questions]
    assert ends == [2.4, pytest.approx(300 / 29.97), None, None, None]
    assert [q.flags[0] for q in found.questions[:3]] == ["cut_frame:60", "cut_frame:300", "reasoning:Predictive"]
    assert {question.split for question in found.questions} == {"valid"}


def test_the_mapping_may_be_named_or_missing(tmp_path, caplog):
    """One that lies elsewhere is used; without any, every row says so and the log too; test videos come cut."""
    path = write(tmp_path / "mc_question_train.json", {"video_1": entry(item(), frame_rate=10)})
    (tmp_path / "misc").mkdir()
    cuts = write(tmp_path / "misc" / "cut_frame_mapping_train.json", {"video_1": 55})
    assert read(path, cuts).questions[0].end_s == 5.5
    with caplog.at_level(logging.WARNING):
        (question,) = read(path).questions
    assert (question.end_s, question.flags[0]) == (None, "no_cut_mapping")
    assert "cut_frame_mapping_train.json" in caplog.text
    caplog.clear()
    test = write(tmp_path / "mc_question_test.json", {"video_1": entry(item(), split="test")})
    assert "no_cut_mapping" not in read(test).questions[0].flags
    assert "cut_frame" not in caplog.text


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "bad_row"),
        (item(1, id=None), "missing_field"),
        (item(1, id=1.5), "bad_field"),
        (item(1, question=None), "missing_field"),
        (item(1, question=" \n"), "empty_question"),
        (item(1, options="abc"), "bad_field"),
        (item(1, options=[]), "no_options"),
        (item(1, options=["a", None, "c"]), "bad_field"),
        (item(1, answer_id=None), "no_answer"),
        (item(1, answer_id=3), "answer_out_of_range"),
        (item(1, answer_id=-1), "answer_out_of_range"),
        (item(1, answer_id=True), "bad_field"),
        (item(1, answer_id="B"), "bad_field"),
        (item(1, area=[3]), "bad_field"),
    ],
)
def test_broken_questions(tmp_path, row, reason):
    """A broken item is one reject that names file, video, place and field; its neighbours stay."""
    path = write(tmp_path / "mc_question_train.json", {"video_1": entry(item(0), row, item(2))})
    found = read(path)
    assert [question.source_id for question in found.questions] == ["video_1_0", "video_1_2"]
    (reject,) = found.rejects
    assert reject.reason == reason
    assert reject.detail.startswith("mc_question_train.json video_1 mc_question 1: ")
    changed = {"bad_row": "None", "no_options": "options", "empty_question": "question"}
    assert changed.get(reason, "") in reject.detail


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "bad_row"),
        ([item()], "bad_row"),
        ({"metadata": METADATA, "mc_question": {"0": item()}}, "bad_field"),
        ({"metadata": METADATA, "mc_question": None}, "bad_field"),
        ({"metadata": [], "mc_question": [item()]}, "bad_field"),
        (entry(item(), split=[3]), "bad_field"),
        (entry(item(), frame_rate=0), "bad_field"),
        (entry(item(), frame_rate="30"), "bad_field"),
        (entry(item(), frame_rate=None), "bad_field"),
    ],
)
def test_broken_videos(tmp_path, value, reason):
    """An entry that is no video, or one that must be cut and cannot be, is one reject."""
    path = write(tmp_path / "mc_question_train.json", {"video_1": value, "video_2": entry(item())})
    write(tmp_path / "cut_frame_mapping_train.json", {"video_1": 60})
    found = read(path)
    assert [question.source_id for question in found.questions] == ["video_2_0"]
    assert [reject.reason for reject in found.rejects] == [reason]
    assert "mc_question_train.json video_1" in found.rejects[0].detail


def test_ids_and_texts_survive(tmp_path):
    """Videos of other tasks alone ask nothing; a video or an id that occurs twice is read twice."""
    rows = [
        '"001": ' + json.dumps(entry(item("0042", question="où est\nla balle ?"))),
        '"-x": ' + json.dumps(entry(item(0), item(0), item(0, question="again?"))),
        '"tracks": {"metadata": {}, "object_tracking": [1]}',
        '"none": ' + json.dumps(entry()),
        '"001": ' + json.dumps(entry(item(1))),
        '"../up": ' + json.dumps(entry(item(1))),
        '"\\ud800": ' + json.dumps(entry(item(1))),
        '"odd": ' + json.dumps(entry(item(1, area="\ud800", reasoning="a\0", tag=["\ud800", 3, "two\nlines"]))),
    ]
    found = read(write(tmp_path / "all_train.json", "{" + ", ".join(rows) + "}"))
    assert [q.source_id for q in found.questions] == ["001_0042", "-x_0", "-x_0", "-x_0", "001_1", "odd_1"]
    assert len({question.qa_id for question in found.questions}) == 6
    write_questions(tmp_path / "out.parquet", found.questions, "ingest")
    assert found.questions[-1].flags[-1] == "tag:two lines"
    assert found.questions[0].question == "où est\nla balle ?"
    assert found.questions[1].video_path == "-x.mp4"
    assert [reject.reason for reject in found.rejects] == ["unsafe_path", "bad_text"]


def test_a_frame_that_is_no_number_costs_its_video(tmp_path):
    path = write(tmp_path / "mc_question_train.json", {"video_1": entry(item()), "video_2": entry(item())})
    write(tmp_path / "cut_frame_mapping_train.json", {"video_1": "soon", "video_2": "60"})
    found = read(path)
    assert [question.flags[0] for question in found.questions] == ["cut_frame:60"]
    assert "cut_frame_mapping_train.json: video_1: 'soon'" in found.rejects[0].detail


def test_the_parquet_copy(tmp_path):
    """Answers and ids as text; it has no frame rate, so a video that must be cut is refused rather than shown whole."""
    rows = [
        {**item(), "video_name": f"video_{number}", "question_id": number, "answer_id": "2"} for number in ("1", "2")
    ]
    path = tmp_path / "mc_question_val" / "validation-00000-of-00001.parquet"
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), path)
    cuts = write(tmp_path / "cut_frame_mapping_valid.json", {"video_1": -1, "video_2": 60})
    found = read(path, cuts, root=tmp_path)
    (question,) = found.questions
    assert (question.source_id, question.answer_index, question.split) == ("video_1_1", 2, "valid")
    assert [(r.source_id, r.reason) for r in found.rejects] == [("2", "bad_field")]
    assert "frame_rate" in found.rejects[0].detail


@pytest.mark.parametrize("name", ["mc_question_train.json", "cut_frame_mapping_train.json"])
def test_files_of_another_kind_are_named(tmp_path, name):
    path = write(tmp_path / "mc_question_train.json", {"video_1": entry(item())})
    write(tmp_path / name, [])
    with pytest.raises(RefocusError, match=f"{name}: expected a JSON object"):
        read(path)
    with pytest.raises(RefocusError, match=r"nowhere\.json"):
        read(tmp_path / "nowhere.json")
