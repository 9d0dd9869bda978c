"""Video-MMMU: three tracks in two forms. Rows are synthetic, in the published form."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.ingest import SourceFiles, read_source
from refocus.qa.records import OPEN

ROW = {
    "id": "validation_Art_Theory_7",
    "link_selected": "https://www.youtube.com/watch?v=XXXXXXXXXXX&t=3",
    "question": "<image 1> Which one?",
    "options": [f"choice {number}" for number in range(14)],
    "answer": "N",
    "question_type": "multiple-choice",
}
OPEN_ROW = {**ROW, "id": "new_Energy_and_Power_2", "options": [], "answer": "12.97", "question_type": "open"}


def as_json(folder, track, *rows):
    path = folder / f"{track.lower()}_video.json"
    path.write_text(json.dumps({track: {str(number): row for number, row in enumerate(rows)}}))
    return path


def read(*paths, root, **options):
    return read_source(SourceFiles("set", "videommmu", paths, root, options=options))


def test_rows_of_every_track(tmp_path):
    """The same id in three tracks is three questions about one clip; letters go to N."""
    tracks = ("Perception", "Comprehension", "Adaptation")
    plain = {name: value for name, value in ROW.items() if name != "question_type"}
    found = read(*(as_json(tmp_path, track, plain) for track in tracks), root=tmp_path)
    assert [question.source_id for question in found.questions] == [f"{track}/{ROW['id']}" for track in tracks]
    assert [question.category for question in found.questions] == list(tracks)
    assert len({question.qa_id for question in found.questions}) == 3
    assert len({question.clip_id for question in found.questions}) == 1
    assert all(question.video_path == "Art/validation_Art_Theory_7.mp4" for question in found.questions)
    assert all((question.answer_index, question.split) == (13, "test") for question in found.questions)
    flags = found.questions[2].flags
    assert {"track:Adaptation", "discipline:Art", "subject:Art_Theory", "question_type_missing"} <= set(flags)
    assert "youtube:XXXXXXXXXXX" in flags  # the lecture's, for the search for leaks
    assert "question_type_missing" not in found.questions[0].flags  # only one track of the git files has types


@pytest.mark.parametrize(
    ("answer", "text", "flag"),
    [
        ("12.97", "12.97", None),
        (5, "5", None),
        ("['24/7', '3.429']", "['24/7', '3.429']", "answer_list"),
        (["24/7", "3.429"], '["24/7", "3.429"]', "answer_list"),
        ("['24/7', '3.429', '3.43]", "['24/7', '3.429', '3.43]", "malformed_answer_list"),
        ("[" * 5000, "[" * 5000, "malformed_answer_list"),
        (r"\frac{1}{2}", r"\frac{1}{2}", None),
        ("C", "C", None),
    ],
)
def test_open_questions(tmp_path, answer, text, flag):
    """No options, index -1, the answer as published; lists that cannot be read are flagged and kept."""
    row = {**OPEN_ROW, "answer": answer}
    typeless = {**row, "id": "new_Energy_and_Power_3", "question_type": None}
    question, other = read(as_json(tmp_path, "Adaptation", row, typeless), root=tmp_path).questions
    assert (other.answer_index, other.answer_text) == (question.answer_index, question.answer_text)
    assert (question.options, question.answer_index, question.answer_text) == ((), OPEN, text)
    assert question.video_path == "Engineering/new_Energy_and_Power_2.mp4"
    assert {name for name in question.flags if "answer_list" in name} == ({flag} if flag else set())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "O"}, "answer_out_of_range"),
        ({"answer": "choice 1"}, "unparsable_answer"),
        ({"options": []}, "no_options"),
        ({"options": [], "question_type": "open", "answer": None}, "missing_field"),
        ({"options": "['a', 'b"}, "bad_field"),
        ({"options": "{1, 2}"}, "bad_field"),
        ({"id": None}, "missing_field"),
        ({"id": "../../x"}, "unsafe_path"),
    ],
)
def test_broken_rows(tmp_path, changes, reason):
    """Each is a reject of its track that names file, row and field."""
    found = read(as_json(tmp_path, "Adaptation", ROW, {**ROW, **changes}), root=tmp_path)
    assert len(found.questions) == 1
    (reject,) = found.rejects
    assert reject.reason == reason
    assert reject.source_id.startswith("Adaptation/")
    assert reject.detail.startswith("adaptation_video.json row 1: ")


def test_options_in_other_clothes(tmp_path):
    """A list written as text, and letters that all options carry."""
    rows = [
        {**ROW, "options": "['A. x', 'B. y']", "answer": "B"},
        {**ROW, "options": ["A. x", "B. y"], "answer": "B"},
    ]
    found = read(as_json(tmp_path, "Perception", *rows), root=tmp_path)
    assert [(question.options, question.answer_index) for question in found.questions] == [(("x", "y"), 1)] * 2


def test_the_parquet_of_a_track_is_told_by_its_folder(tmp_path):
    """The files themselves have one name; the picture's column is not read."""
    for track in ("Perception", "Adaptation"):
        (tmp_path / track).mkdir()
        row = {
            **{name: ROW[name] for name in ("id", "question", "options", "answer", "question_type")},
            "image": b"png",
        }
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / track / "test-00000-of-00001.parquet")
    paths = [tmp_path / track / "test-00000-of-00001.parquet" for track in ("Perception", "Adaptation")]
    found = read(*paths, root=tmp_path)
    assert [question.category for question in found.questions] == ["Perception", "Adaptation"]
    assert found.questions[0].source_id == f"Perception/{ROW['id']}"
    (tmp_path / "test.parquet").write_bytes(paths[0].read_bytes())
    with pytest.raises(RefocusError, match=r"test\.parquet.*Perception"):
        read(tmp_path / "test.parquet", root=tmp_path)


def test_question_only_clips(tmp_path):
    """The score before the lecture: the Adaptation track about the clips of its pictures."""
    (tmp_path / "question_only").mkdir()
    (tmp_path / "question_only" / f"{ROW['id']}_image.MP4").touch()
    paths = [as_json(tmp_path, track, ROW) for track in ("Perception", "Adaptation")]
    found = read(*paths, root=tmp_path, visual="question_only")
    (question,) = found.questions
    assert question.video_path == f"question_only/{ROW['id']}_image.MP4"
    assert question.source_id == f"Adaptation/{ROW['id']}"
    assert [reject.reason for reject in found.rejects] == ["no_question_clip"]
    with pytest.raises(UsageError, match="visual"):
        read(*paths, root=tmp_path, visual="picture")


@pytest.mark.parametrize(
    ("text", "named"), [('[{"id": 1}]', "object"), ('{"Art": {}}', "Art"), ('{"Adaptation": "no"}', "Adaptation")]
)
def test_files_that_are_no_tracks_are_named(tmp_path, text, named):
    """With what was expected."""
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(RefocusError, match=rf"a\.json.*{named}"):
        read(tmp_path / "a.json", root=tmp_path)


def test_a_row_whose_number_repeats_is_not_lost(tmp_path):
    """JSON objects may repeat a key; both rows are read."""
    row = json.dumps(ROW)
    (tmp_path / "a.json").write_text(f'{{"Adaptation": {{"0": {row}, "0": {row}}}}}')
    assert len({question.qa_id for question in read(tmp_path / "a.json", root=tmp_path).questions}) == 2


def test_unknown_subjects_are_looked_for_everywhere(tmp_path):
    """A new subject costs nothing but its discipline."""
    (tmp_path / "Science").mkdir()
    (tmp_path / "Science" / "new_Robotics_1.mp4").touch()
    (question,) = read(as_json(tmp_path, "Adaptation", {**ROW, "id": "new_Robotics_1"}), root=tmp_path).questions
    assert question.video_path == "Science/new_Robotics_1.mp4"


def test_the_published_distribution(shared_data, tmp_path):
    """Open and typeless rows, options per row, the broken list, six disciplines."""
    found = read(shared_data / "annotations" / "videommmu" / "adaptation_video.json", root=tmp_path)
    count = [len(question.options) for question in found.questions]
    assert (count.count(0), count.count(10), max(count)) == (20, 196, 10)
    assert sum("question_type_missing" in question.flags for question in found.questions) == 1
    assert sum("duplicate_options" in question.flags for question in found.questions) == 5
    (broken,) = [question for question in found.questions if "malformed_answer_list" in question.flags]
    assert broken.source_id == "Adaptation/validation_Math_15"
    folders = {question.video_path.split("/")[0] for question in found.questions}
    assert folders == {"Art", "Business", "Engineering", "Humanities", "Medicine", "Science"}
