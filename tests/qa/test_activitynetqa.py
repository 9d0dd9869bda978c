"""ActivityNet-QA: two files joined by id, and open-ended rows made multiple choice. Rows are synthetic."""

import json
import random
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.config.ingest import IngestSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.adapters.distractors import AnswerPool
from refocus.qa.ingest import SourceFiles, ingest, read_source
from refocus.qa.records import read_questions

COLORS = ["black", "white", "red", "blue", "dark blue", "green"]


def asked(number, video="TIEzvhv6xaI", **changes):
    return {"video_name": video, "question": f"what {number}", "question_id": f"v_{video}_{number}", **changes}


def answered(number, answer, kind=4, video="TIEzvhv6xaI", **changes):
    return {"answer": answer, "type": kind, "question_id": f"v_{video}_{number}", **changes}


def write(folder, questions, answers, split="val"):
    paths = (folder / f"{split}_q.json", folder / f"{split}_a.json")
    for path, rows in zip(paths, (questions, answers), strict=True):
        path.write_text(json.dumps(rows), encoding="utf-8")
    return paths


def read(*paths, root=None, limit=None, **options):
    return read_source(SourceFiles("set", "activitynetqa", tuple(paths), root or paths[0].parent, limit, options))


def many(count=60):
    """Rows of one colour question each, and a yes/no row for every tenth."""
    questions = [asked(number) for number in range(count)]
    answers = [answered(n, "yes", 3) if n % 10 == 0 else answered(n, COLORS[n % len(COLORS)]) for n in range(count)]
    return questions, answers


def chosen(found):
    return {question.source_id: (question.options, question.answer_index) for question in found.questions}


def test_rows_become_multiple_choice_and_say_so(tmp_path):
    """Yes/no rows get two options, others as many as asked for; the right answer is marked and flagged."""
    questions = [asked(1), asked(2), asked(3), asked(4)]
    answers = [answered(1, "No.", 3), answered(2, "red"), answered(3, "blue"), answered(4, "café noir")]
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "v_TIEzvhv6xaI.webm").touch()
    found = read(*write(tmp_path, questions, answers, "train"), distractors=2)
    yes_no, *others = found.questions
    assert (yes_no.options, yes_no.answer_index, yes_no.flags) == (("yes", "no"), 1, ("converted:yes_no",))
    assert (yes_no.split, yes_no.category, yes_no.video_path) == ("train", "yes/no", "videos/v_TIEzvhv6xaI.webm")
    for question, answer in zip(others, ("red", "blue", "café noir"), strict=True):
        assert sorted(question.options) == ["blue", "café noir", "red"]
        assert question.answer_text == answer == question.options[question.answer_index]
        assert (question.flags, question.category) == (("converted:distractors",), "color")
    assert not found.rejects


def test_the_conversion_depends_on_neither_order_nor_limit(tmp_path):
    """Shuffled files and a limit give every row the same options; another seed gives others."""
    questions, answers = many()
    whole = chosen(read(*write(tmp_path, questions, answers)))
    random.Random(1).shuffle(questions)
    random.Random(2).shuffle(answers)
    paths = write(tmp_path, questions, answers)
    assert chosen(read(*paths)) == whole
    some = chosen(read(*paths, limit=7))
    assert len(some) == 7 and all(whole[name] == row for name, row in some.items())
    other = chosen(read(*paths, seed=1))
    assert other != whole and other.keys() == whole.keys()


def test_a_new_row_leaves_most_questions_as_they_are(tmp_path):
    pool = [(f"row{number}", f"answer{number % 97}") for number in range(1000)]
    before, after = AnswerPool(pool), AnswerPool([*pool, ("new", "something else")])
    rows = [(name, answer) for name, answer in pool[:300]]
    changed = sum(before.choices(*row, 3, 0) != after.choices(*row, 3, 0) for row in rows)
    assert changed < 10


def test_wrong_options_are_as_frequent_as_their_answers():
    """An answer of 70 % of the rows is offered nearly always, one of 0.1 % nearly never; places are even."""
    pool = AnswerPool([(f"row{n}", "male" if n % 10 < 7 else f"rare{n}") for n in range(1000)])
    drawn = [pool.choices(f"q{n}", "female", 3, 0) for n in range(1000)]
    assert sum("male" in options for options, _ in drawn) > 900
    assert max(Counter(o for options, _ in drawn for o in options if o.startswith("rare")).values()) < 60
    places = Counter(right for _, right in drawn)
    assert len(places) == 4 and min(places.values()) > 200


def test_options_that_could_be_right_as_well_are_not_offered():
    """Another spelling of the answer, a part of it or more than it."""
    pool = AnswerPool(
        [("1", "Short Hair."), ("2", "hair"), ("3", "very short hair"), ("4", "hat"), ("5", "short  hair")]
    )
    assert pool.choices("q", "short hair", 3, 0)[0] in (("hat", "short hair"), ("short hair", "hat"))


@pytest.mark.parametrize(("convert", "kept"), [("distractors", 60), ("yes_no_only", 6), ("drop", 0)])
def test_what_is_left_out_is_a_reject_that_says_why(tmp_path, convert, kept):
    found = read(*write(tmp_path, *many()), convert=convert)
    assert (len(found.questions), len(found.rejects)) == (kept, 60 - kept)
    assert all(r.reason == "dropped" and f"convert: {convert}" in r.detail for r in found.rejects)


def test_dropping_everything_is_no_failure_but_a_wrong_file_is(tmp_path):
    """The tables are there and empty if that was asked for."""
    paths = write(tmp_path, *many())
    source = SourceFiles("set", "activitynetqa", paths, tmp_path, options={"convert": "drop"})
    ingest(source, tmp_path / "out", IngestSettings(), shards=2)
    assert read_questions(tmp_path / "out" / "set.parquet") == []
    assert (tmp_path / "out" / "shards" / "set" / "000001.qa.parquet").is_file()
    wrong = write(tmp_path, [{"video": "x"}], [])
    with pytest.raises(RefocusError, match="none of 1 row"):
        ingest(SourceFiles("set", "activitynetqa", wrong, tmp_path), tmp_path / "out", IngestSettings())


def test_every_row_of_both_files_is_accounted_for(tmp_path):
    """One question or reject per question row, and one reject per answer that nothing asks for; details say where."""
    questions = [
        asked(1),
        asked(2),  # no answer
        asked(3),  # answer is a list
        asked(4),  # type is no type
        asked(5, question=7),
        asked(6, video_name=None),
        "text",
        asked(7, question_id=12),
        asked(8, question="two\nlines of text"),
        asked(9),  # answered twice, differently
        asked(10),  # answered twice, the same
        asked(11),
        asked(11, question="another question"),
        asked(12),
        asked(12),
        asked(13, video_name="../../etc/passwd"),
        asked(14),  # neither yes nor no
        asked(15),  # the only answer of its type
        asked(16, question="lone \ud800"),
        asked(17),  # its answer cannot be stored
        asked(18, question_id="0042"),
        asked(19, question_id="\ud800"),
        asked(20),  # blank answer
    ]
    answers = [
        *(answered(n, color) for n, color in enumerate(("red", "blue", "green", "white"), 100)),
        *(answered(n, "black") for n in (1, 8, 9, 10, 10, 11, 12, 16)),
        answered(9, "white"),
        answered(3, [5]),
        answered(4, "red", 9),
        *(answered(n, "red") for n in (5, 6, 13)),
        answered(14, "maybe", 3),
        answered(15, "gym", 6),
        answered(17, "bad \ud800"),
        answered(18, "red", "4", question_id="0042"),
        answered(19, "red", question_id="\ud800"),
        answered(20, "  "),
        "text",
        {"answer": "red", "type": 4},
    ]
    found = read(*write(tmp_path, questions, answers))
    ids = [question.source_id.removeprefix("v_TIEzvhv6xaI_") for question in found.questions]
    assert ids == ["1", "8", "10", "12", "12", "0042"]
    assert len({question.qa_id for question in found.questions}) == len(ids)
    assert {q.question for q in found.questions} >= {"two\nlines of text"}
    ours = [reject for reject in found.rejects if "val_q.json row" in reject.detail.split(":")[0]]
    assert len(ids) + len(ours) == len(questions)
    reasons = {reject.source_id.removeprefix("v_TIEzvhv6xaI_"): reject.reason for reject in ours}
    assert reasons == {
        "2": "no_answer",
        "3": "bad_field",
        "4": "bad_field",
        "5": "bad_field",
        "6": "missing_field",
        "val_q_6": "bad_row",
        "12": "no_answer",
        "9": "ambiguous_answer",
        "11": "duplicate_id",
        "13": "unsafe_path",
        "14": "unparsable_answer",
        "15": "no_distractors",
        "16": "bad_text",
        "17": "bad_text",
        "?": "bad_text",
        "20": "empty_answer",
    }
    theirs = [(r.source_id, r.reason) for r in found.rejects if r not in ours]
    assert Counter(reason for _, reason in theirs) == {"no_question": 4, "bad_row": 2}
    assert "answer: [5] is not text" in next(r.detail for r in ours if r.source_id.endswith("_3"))
    assert "val_a.json row 13" in next(r.detail for r in ours if r.source_id.endswith("_3"))


def test_answers_lie_beside_or_are_named(tmp_path):
    """Answers of the same name beside the questions are found; two splits go in one call; strays are refused."""
    val = write(tmp_path, *many(20))
    train = write(tmp_path, [asked(1, "-abcdefghij")], [answered(1, "no", 3, "-abcdefghij")], "train")
    both = read(val[0], *train)
    assert chosen(both) == chosen(read(*val)) | chosen(read(*train))
    assert Counter(question.split for question in both.questions) == {"val": 20, "train": 1}
    assert both.questions[-1].video_path == "v_-abcdefghij.mp4"
    with pytest.raises(RefocusError, match=r"train_a\.json.*train_q\.json"):
        read(*val, train[1])
    other = tmp_path / "other"
    other.mkdir()
    moved = train[1].rename(other / "train_a.json")
    assert len(read(train[0], moved).questions) == 1
    with pytest.raises(RefocusError, match=r"train_a\.json: no such annotation file"):
        read(train[0])


@pytest.mark.parametrize("text", ["{}", "[{]", '"x"', "[1e999999, " + "9" * 5000 + "]", "[" * 100_000])
def test_files_that_are_no_list_of_rows_are_named(tmp_path, text):
    paths = write(tmp_path, *many(3))
    paths[1].write_text(text)
    with pytest.raises(RefocusError, match=r"val_a\.json"):
        read(*paths)


def test_the_parquet_copy_gives_the_same_questions(tmp_path):
    """One table with both halves, its types as text."""
    questions, answers = many()
    rows = [{**q, **a, "type": str(a["type"])} for q, a in zip(questions, answers, strict=True)]
    path = tmp_path / "test-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist([*rows, {**rows[0], "question_id": None}]), path)
    found = read(path)
    assert chosen(found) == chosen(read(*write(tmp_path, questions, answers)))
    assert {question.split for question in found.questions} == {"test"}
    assert [reject.reason for reject in found.rejects] == ["missing_field"]


@pytest.mark.parametrize(
    ("options", "named"),
    [({"convert": "llm"}, "convert"), ({"distractors": 0}, "distractors"), ({"seeds": 1}, "'seeds'")],
)
def test_options_that_do_not_fit_are_named(tmp_path, options, named):
    with pytest.raises(UsageError, match=named) as caught:
        read(*write(tmp_path, *many(3)), **options)
    assert "split, convert, distractors, seed" in str(caught.value)


COUNTS = {"distractors": (18_000, 0), "yes_no_only": (4_041, 13_959), "drop": (0, 18_000)}


@pytest.mark.parametrize("convert", COUNTS)
def test_real_annotations_give_the_published_counts(shared_data, tmp_path, convert):
    """18,000 questions on 1,800 videos, 4,041 of them yes/no."""
    folder = shared_data / "annotations" / "activitynetqa"
    found = read(folder / "val_q.json", folder / "val_a.json", root=tmp_path, convert=convert)
    assert (len(found.questions), len(found.rejects)) == COUNTS[convert]
    assert len({question.qa_id for question in found.questions}) == len(found.questions)
    if convert != "drop":
        assert Counter(question.flags for question in found.questions)[("converted:yes_no",)] == 4_041
        assert len({question.clip_id for question in found.questions}) == 1_800
        assert {len(q.options) for q in found.questions if q.category != "yes/no"} <= {4}
