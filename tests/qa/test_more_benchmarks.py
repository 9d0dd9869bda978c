"""LVBench, CG-Bench, EgoSchema, MVBench, TempCompass: rows in the shape of the published files."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.config.ingest import IngestSettings
from refocus.qa.evidence import read_evidence
from refocus.qa.ingest import SourceFiles, ingest, read_source

from tests.support.videos import constant, write_video


def read(format, path, root=None):
    return read_source(SourceFiles("set", format, (path,), root or path.parent))


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def touch(root, name):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()


def lvbench(uid, **changes):
    row = {"uid": uid, "question": "What year?\n(A) 1636\n(B) 1366\n(C) 1363\n(D) 1633", "answer": "D"}
    return {
        **row,
        "question_type": ["key information retrieval", "reasoning"],
        "time_reference": "00:15-01:02:19",
        **changes,
    }


def test_lvbench_lines_are_videos_with_questions(tmp_path):
    """A broken question costs itself, a broken line its video."""
    good = {
        "key": "Cm73ma6Ibcs",
        "type": "cartoon",
        "video_info": {"fps": 25.0},
        "qa": [lvbench("0"), lvbench("1", answer="E")],
    }
    lines = [good, {"key": "Cm73ma6Ibcs", "qa": "none"}, [1]]
    lines.append({**good, "qa": [lvbench("2", time_reference="throughout", question_type="summary"), 7]})
    path = tmp_path / "video_info.meta.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    found = read("lvbench", path)
    one, two = found.questions
    assert (one.source_id, one.question, one.answer_text) == ("0", "What year?", "1633")
    assert one.category == "key information retrieval" and one.video_path == "Cm73ma6Ibcs.mp4"
    assert one.flags == ("question_type:key information retrieval", "question_type:reasoning", "type:cartoon")
    assert found.raw[one.qa_id].evidence == ((15.0, 3739.0),)
    assert (two.category, two.flags[0]) == ("summary", "evidence_unread") and two.qa_id not in found.raw
    assert [(reject.source_id, reject.reason) for reject in found.rejects] == [
        ("1", "answer_out_of_range"),
        ("video_info.meta_1", "bad_field"),
        ("video_info.meta_2", "bad_row"),
        ("video_info.meta_3", "bad_row"),
    ]
    assert found.rejects[0].detail.startswith("video_info.meta.jsonl row 0 qa 1: ")


def test_lvbench_rows_may_be_questions(tmp_path):
    pq.write_table(pa.Table.from_pylist([{"key": "Cm73ma6Ibcs", **lvbench("0")}]), tmp_path / "test.parquet")
    assert read("lvbench", tmp_path / "test.parquet").questions[0].answer_text == "1633"


CGBENCH = {"qid": 3, "video_uid": "V1", "question": "what?", "choices": ["a cup", "a hat"], "right_answer": "B"}
CGBENCH |= {"answer": "a hat", "clue_intervals": [[3, 5.5], [8, 9]], "domain": "Sports", "sub_category": "Entity"}


def test_cgbench_rows(tmp_path):
    """Letter and text agree, one is enough, clues are evidence and no bounds of the clip."""
    touch(tmp_path, "cg_videos_720p/V1.mp4")
    rows = [CGBENCH, {**CGBENCH, "right_answer": None}, {**CGBENCH, "answer": "A HAT, of course"}]
    rows += [{**CGBENCH, "answer": "a cup"}, {**CGBENCH, "right_answer": None, "answer": None}]
    found = read("cgbench", write(tmp_path / "cgbench.json", rows))
    assert [q.answer_text for q in found.questions] == ["a hat"] * 3
    one = found.questions[0]
    assert (one.source_id, one.category, one.flags, one.start_s) == ("3", "Entity", ("domain:Sports",), None)
    assert one.video_path == "cg_videos_720p/V1.mp4"
    assert found.raw[one.qa_id].evidence == ((3.0, 5.5), (8.0, 9.0))
    assert [reject.reason for reject in found.rejects] == ["answer_mismatch", "no_answer"]


def test_egoschema_questions_and_answers(tmp_path):
    """Questions without a published answer are rejects, as are answers that nothing asks for."""
    row = {"google_drive_id": "x", "question": "what?", **{f"option {n}": f"text {n}" for n in range(5)}}
    write(tmp_path / "questions.json", [{"q_uid": "u1", **row}, {"q_uid": "u2", **row}])
    write(tmp_path / "subset_answers.json", {"u1": 3, "u9": 0})
    touch(tmp_path, "videos/u1.mp4")
    found = read("egoschema", tmp_path / "questions.json")
    assert [(q.source_id, q.answer_text, q.video_path) for q in found.questions] == [("u1", "text 3", "videos/u1.mp4")]
    assert [(r.source_id, r.reason) for r in found.rejects] == [("u2", "no_answer"), ("u9", "no_question")]


def test_egoschema_copy(tmp_path):
    row = {"question_idx": "7", "video_idx": "u1", "question": "what?", "option": ["A. a", "B. b"], "answer": "1"}
    pq.write_table(pa.Table.from_pylist([row, {**row, "answer": None}]), tmp_path / "test.parquet")
    found = read("egoschema", tmp_path / "test.parquet")
    assert [(q.answer_text, q.video_path) for q in found.questions] == [("b", "u1.mp4")]
    assert [reject.reason for reject in found.rejects] == ["no_answer"]


@pytest.mark.parametrize(
    ("task", "place"),
    [
        ("action_sequence", "video/star/Charades_v1_480/x.mp4"),
        ("object_shuffle", "perception/videos/x.mp4"),
        ("moving_count", "x.mp4"),
    ],
)
def test_mvbench_rows(tmp_path, task, place):
    """Each task finds its videos, bounded where the row has bounds."""
    touch(tmp_path, place)
    row = {"video": "x.mp4", "question": "what?", "candidates": ["a", "b"], "answer": "b"}
    path = write(tmp_path / "json" / f"{task}.json", [row, {**row, "start": 0.5, "end": 7.25}, {**row, "answer": "c"}])
    found = read("mvbench", path, tmp_path)
    assert [(q.video_path, q.start_s, q.end_s) for q in found.questions] == [(place, None, None), (place, 0.5, 7.25)]
    assert [(q.source_id, q.category, q.answer_index) for q in found.questions] == [
        (f"{task}_{n}", task, 1) for n in (0, 1)
    ]
    assert [reject.reason for reject in found.rejects] == ["answer_not_an_option"] and not found.missing


def test_tempcompass_rows(tmp_path):
    """Of the JSON file and of the copy the same; a task without options is rejected."""
    asked = {"question": "What is happening?\nA. eating\nB. drinking", "answer": "B. drinking"}
    path = write(tmp_path / "multi-choice.json", {"1021488277": {"action": [asked], "order": "none"}, "2": []})
    found = read("tempcompass", path)
    (one,) = found.questions
    assert (one.question, one.options, one.answer_index) == ("What is happening?", ("eating", "drinking"), 1)
    assert (one.category, one.video_path) == ("action", "videos/1021488277.mp4")
    assert [reject.reason for reject in found.rejects] == ["bad_row", "bad_row"]
    rows = [
        {"video_id": "1021488277", "dim": "action", **asked},
        {"video_id": "2", "question": "Is it?", "answer": "yes"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "multi-choice.parquet")
    copy = read("tempcompass", tmp_path / "multi-choice.parquet")
    assert [q.qa_id for q in copy.questions] == [one.qa_id]
    assert [reject.reason for reject in copy.rejects] == ["no_options"]


def test_longvideobench_positions_are_evidence(tmp_path):
    """Numbers of the file's frames become seconds at the file's rate; what lies behind its end is no frame."""
    write_video(tmp_path / "videos" / "a.mp4", constant(3.0))
    row = {"video_path": "a.mp4", "question": "what?", "candidates": ["a", "b"], "correct_choice": 0}
    rows = [
        {**row, "id": "a_0", "position": [20, 5, 61388250]},
        {**row, "id": "b_0", "video_path": "gone.mp4", "position": [1]},
    ]
    path = write(tmp_path / "lvb_val.json", [*rows, {**row, "id": "a_1", "position": []}])
    found = ingest(SourceFiles("lvb", "longvideobench", (path,), tmp_path), tmp_path / "qa", IngestSettings())
    table = pq.read_table(tmp_path / "qa" / "lvb.evidence.parquet").to_pylist()
    first = found.questions[0]
    assert {row["qa_id"] for row in table} == {first.qa_id}
    rate = 1 / (table[0]["end_s"] - table[0]["start_s"])
    assert rate == pytest.approx(round(rate)) and [row["start_s"] * rate for row in table] == pytest.approx([5, 20])
    evidence = read_evidence(tmp_path / "qa" / "lvb.evidence.parquet", "lvb")
    assert len(evidence.of(first)) == 2 and not evidence.of(found.questions[1]) and not evidence.complete
    assert read_evidence(tmp_path / "qa" / "lvb.evidence.parquet", "other").complete  # so that the oracle refuses it


def test_real_positions_lie_inside_their_videos(shared_data, tmp_path):
    """Of 1,337 published rows all say which frames are asked about; at 30 a second all but one of these exist."""
    path = shared_data / "annotations" / "longvideobench" / "lvb_val.json"
    lasts = {row["id"]: row["duration"] for row in json.loads(path.read_text())}
    rows = read("longvideobench", path, tmp_path).raw.values()
    assert len(rows) == 1337
    beyond = [frame for row in rows for frame in row.evidence_frames if frame / 30 >= lasts[row.source_id]]
    assert beyond == [61388250]
