"""Every format, whatever its files hold: no row crashes an adapter, and each ends as a question or as a reject."""

import csv
import json
import re
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refocus.config.formats import BUILT_IN, TABLES
from refocus.core.errors import UsageError
from refocus.qa.adapters import adapter
from refocus.qa.adapters.conversations import TAILS
from refocus.qa.raw_question import build
from refocus.qa.records import Question, Reject, read_questions, write_questions
from refocus.qa.video_finder import VideoFinder

pytestmark = pytest.mark.slow

PLACE = re.compile(r" (?:row|mc_question) (\d+)")
TEXT = st.text(st.characters(), max_size=8)
WORDS = st.sampled_from(
    ["", "A", "b", "(C) red", "A. red", "red", "3", "-1", "1e3", "²", "['a', 'b]", "[]", "N/A", "open"]
)
PATHS = st.sampled_from(
    ["a.mp4", "-x/b.mp4", "../up.mp4", "/abs.mp4", "c\0.mp4", "", "\ud800.mp4", "n" * 300, "x/" * 99]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | TEXT | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "video", "from", "0"]), inner),
    max_leaves=5,
)
LISTS = st.lists(WORDS, max_size=16) | st.just(["a", "b"]) | WORDS
SAID = WORDS | st.builds(
    "\n".join, st.lists(st.sampled_from(["<image>", "what?", "A. red", "B) blue", "(C) c", "Options:", *TAILS]))
)
TURNS = st.lists(JSON | st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt", "x"]), "value": SAID | JSON}))
ASKED = {"id": TEXT | JSON, "question": WORDS | JSON, "options": LISTS | JSON, "answer": WORDS | JSON}
LETTERED = st.sampled_from(["what?\n(A) red\n(B) blue", "what?\nA. red\nB. blue"])
VALUES = {
    "lvbench": {"uid": TEXT | JSON, "key": PATHS | JSON, "question": LETTERED | JSON, "answer": WORDS | JSON}
    | {"question_type": JSON, "time_reference": JSON | st.just("00:15-00:19"), "qa": st.none()},
    "cgbench": {"qid": JSON, "video_uid": PATHS | JSON, "question": WORDS | JSON, "choices": LISTS | JSON}
    | {"right_answer": WORDS | JSON, "answer": WORDS | JSON, "clue_intervals": JSON | st.just([[1, 2.5]])},
    "egoschema": {"q_uid": st.just("a") | TEXT | JSON, "question": WORDS | JSON, "option 0": WORDS | JSON}
    | {"option 1": WORDS | JSON},
    "mvbench": {"video": PATHS | JSON, "question": WORDS | JSON, "candidates": LISTS | JSON, "answer": WORDS | JSON}
    | {"start": JSON, "end": WORDS | JSON},
    "tempcompass": {"question": LETTERED | JSON, "answer": WORDS | JSON},
    "llava_video": {"id": JSON, "video": PATHS | JSON, "data_source": JSON, "conversations": TURNS | JSON},
    "vista": {"image": PATHS | JSON, "conversations": TURNS | JSON},
    "mlvu": {"video": PATHS | JSON, "question": WORDS | JSON, "candidates": LISTS | JSON, "answer": WORDS | JSON}
    | {"question_type": WORDS | JSON},
    "longvideobench": {"id": TEXT | JSON, "video_path": PATHS | JSON, "question": WORDS | JSON}
    | {"candidates": LISTS | JSON, "option0": WORDS | JSON, "option2": WORDS | JSON, "correct_choice": JSON}
    | {"question_category": WORDS | JSON, "duration_group": JSON},
    "videommmu": {**ASKED, "question_type": WORDS | JSON},
    "activitynetqa": {
        "video_name": PATHS | JSON,
        "question": WORDS | JSON,
        "question_id": st.sampled_from("abc") | JSON,
    },
    "jsonl": {**ASKED, "video": PATHS | JSON, "option_a": WORDS | JSON, "option_b": WORDS | JSON}
    | {"start": WORDS | JSON, "end": JSON, "evidence": JSON | st.just("0:15-0:19; 1:05"), "category": JSON},
    "perceptiontest": {"id": JSON, "question": WORDS | JSON, "options": LISTS | JSON, "answer_id": JSON, "tag": JSON},
}
TABLE = ["video", "question", "answer", "start", "end", "evidence", "category", "id"]
CELLS = {
    "csv": [*TABLE, "option_a", "option_b", "option_c"],
    "parquet": TABLE,
    "nextqa": ["video", "question", "answer", "qid", "type", "a0", "a1", "a2", "a3", "a4"],
    "videomme": ["duration", "videoID", "question_id", "task_type", "question", "answer"],
    "cinepile": ["yt_clip_link", "question", "answer_key", "movie_name"],
}


def as_json(name, wrap=lambda rows: rows):
    def write(folder, rows):
        (folder / name).write_text(json.dumps(wrap(rows)))
        return [folder / name]

    return write


def as_activitynetqa(folder, rows):
    (folder / "val_a.json").write_text(json.dumps([{"question_id": "a", "answer": "yes", "type": 3}]))
    return [*as_json("val_q.json")(folder, rows), folder / "val_a.json"]


def as_csv(format):
    def write(folder, rows):
        with (folder / "val.csv").open("w", newline="", encoding="utf-8", errors="surrogatepass") as handle:
            writer = csv.writer(handle)
            writer.writerow(CELLS[format])
            writer.writerows([row[name] for name in CELLS[format]] for row in rows)
        return [folder / "val.csv"]

    return write


def as_egoschema(folder, rows):
    (folder / "subset_answers.json").write_text('{"a": 1}')
    return as_json("questions.json")(folder, rows)


def as_lines(folder, rows):
    (folder / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [folder / "val.jsonl"]


def as_parquet(lists, **numbers):
    def write(folder, rows):
        columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]} if rows else {}
        columns[lists] = pa.array([["red", None, "A"]] * len(rows), pa.list_(pa.string()))
        columns |= {name: pa.array([value] * len(rows)) for name, value in numbers.items()}
        pq.write_table(pa.table(columns), folder / "test.parquet")
        return [folder / "test.parquet"] if rows else []

    return write


WRITERS = {
    "llava_video": as_json("a.json"),
    "vista": as_json("temporal_niah_mcq.json"),
    "mlvu": as_json("1_plotQA.json"),
    "longvideobench": as_json("lvb_val.json"),
    "videommmu": as_json("a.json", lambda rows: {"Adaptation": {str(number): row for number, row in enumerate(rows)}}),
    "perceptiontest": as_json("all_train.json", lambda rows: {"v": {"metadata": {}, "mc_question": rows}}),
    "activitynetqa": as_activitynetqa,
    "nextqa": as_csv("nextqa"),
    "csv": as_csv("csv"),
    "jsonl": as_lines,
    "lvbench": as_lines,
    "cgbench": as_json("cgbench.json"),
    "egoschema": as_egoschema,
    "mvbench": as_json("action_count.json"),
    "tempcompass": as_json("multi-choice.json", lambda rows: {"1": {"action": rows}}),
    "parquet": as_parquet("options"),
    "videomme": as_parquet("options"),
    "cinepile": as_parquet("choices", answer_key_position=0),
}


def rows_for(format):
    """Lists of rows: of any shape where the file is JSON, of any text where it is a table."""
    if format in VALUES:
        return st.lists(JSON | st.fixed_dictionaries({}, optional=VALUES[format]), max_size=5)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    cell = text.map(lambda value: value.replace("\0", "")) | WORDS
    return st.lists(st.fixed_dictionaries(dict.fromkeys(CELLS[format], cell)), max_size=5)


@pytest.fixture(scope="module", autouse=True)
def no_fsync():
    """Six hundred files that need not survive a power cut."""
    with mock.patch("os.fsync"):
        yield


@pytest.mark.parametrize("format", BUILT_IN)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_row_ends_in_exactly_one_of_the_two(tmp_path_factory, format, data):
    """Rows are counted by the place their drafts and rejects name; everything can be written and read back."""
    folder = tmp_path_factory.mktemp("rows")
    rows = data.draw(rows_for(format))
    paths = WRITERS[format](folder, rows)
    try:
        read = list(adapter(format).read(paths, {}))
    except UsageError as error:
        assert format in TABLES
        if missing := re.search(r"no column '(\w+)'", str(error)):  # one that none of the rows has
            assert all(missing[1] not in row for row in rows if isinstance(row, dict))
            return
        # answers that look as if they counted from one
        read = list(adapter(format).read(paths, {"answers": "index"}))
    places = [row.detail if isinstance(row, Reject) else row.where for row in read]
    first = 1 if format in ("nextqa", "csv") else 0
    found = [int(PLACE.search(place)[1]) - first for place in places if not place.startswith(("val_a.json", "answers"))]
    assert sorted(set(found)) == list(range(len(rows)))
    if format not in ("llava_video", "vista"):  # there, a row holds several questions
        assert len(found) == len(rows)  # the keys of answers aside
    out = list(build("set", read, VideoFinder(folder)))
    assert len(out) == len(read)
    questions = [row for row in out if isinstance(row, Question)]
    assert all(row.reason and row.detail for row in out if not isinstance(row, Question))
    assert all(question.options or format == "videommmu" for question in questions)
    write_questions(folder / "q.parquet", questions, "ingest")
    assert read_questions(folder / "q.parquet") == questions
