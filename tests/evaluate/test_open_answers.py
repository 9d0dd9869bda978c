"""Replies to questions without options: what MMMU's rule accepts, and how they are asked and counted."""

import json

import pytest
from refocus.config.answer import AnswerSettings
from refocus.config.tables import TablesSettings
from refocus.evaluate.answering import answer_benchmark
from refocus.evaluate.answers import OPEN, Answer, AnswerSet
from refocus.evaluate.methods import method_of
from refocus.evaluate.open_answers import answers_open
from refocus.evaluate.scoring import outcomes, without_video
from refocus.qa.records import Question
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import to_markdown
from refocus.report.tables import table1
from refocus.select.picks import Selection

# reply, accepted, whether lmms-eval 0.7.2 (eval_open of parse_open_response) calls it right
REPLIES = [
    ("12.97", "12.97", True),
    ("12.971 grams", "12.97", True),  # two decimals
    ("12.98", "12.97", False),
    ("The answer is 13", "12.97", False),
    ("so x = 2.83 A", "2.83", True),
    ("It costs 7,243,000 dollars", "7243000", True),
    ("7.243e6", "7243000", True),
    ("There are 3 of 5 left", "5", True),  # every number behind the last `are ` counts
    ("5 of them. The answer is 4", "5", False),  # what stands before it does not
    ("the answer is A", "A", True),
    ("Apple", "A", False),  # one letter alone, not the first of a word
    ("red cars", "red car", True),
    ("it is blue", "red car", False),
    ("", "4", False),
    ("4", "['24/7', '3.429', '3.43]", False),  # a broken list is one text, as published
]


@pytest.mark.parametrize(("reply", "accepted", "right"), REPLIES)
def test_replies_are_judged_as_lmms_eval_judges_them(reply, accepted, right):
    assert answers_open(reply, accepted) is right


def test_any_answer_of_a_list_is_accepted():
    accepted = "['24/7', '3.429']"
    assert [answers_open(reply, accepted) for reply in ("it is 24/7", "3.43", "3.5")] == [True, True, False]


def test_published_open_answers_are_answered_by_themselves(shared_data):
    """Twenty in Video-MMMU's Adaptation track, the broken list included."""
    rows = json.loads((shared_data / "annotations/videommmu/adaptation_video.json").read_text())["Adaptation"].values()
    answers = [str(row["answer"]) for row in rows if not row["options"]]
    assert len(answers) == 20 and all(answers_open(answer, answer) for answer in answers)


def question(qa_id: str, options=(), answer: int = -1, text: str = "") -> Question:
    return Question(
        qa_id, "b", "test", "c", "c.mp4", None, None, "How?", options, answer, text, "Adaptation", qa_id, ()
    )


ASKED = [question("open", text="4"), question("choice", ("x", "y"), 1), question("one", ("x",), 0)]


class Writer:
    """Writes the same to every question."""

    def encode(self, images):
        return images

    def generate(self, features, rows, prompts, times_s, most):
        return ["(B) is 4" for _ in rows]


def answered(method: str):
    chosen = {1: {asked.qa_id: Selection((0,), (0.0,), (0,)) for asked in ASKED}}
    settings = AnswerSettings(method=method)
    return answer_benchmark(Writer(), ASKED, chosen, lambda *words: [0], method_of(settings, "videommmu"))[1]


def test_an_open_question_is_asked_where_the_lmm_writes():
    made = answered("generation")
    assert [made[asked.qa_id].correct for asked in ASKED] == [True, True, False]
    assert [made[asked.qa_id].prediction for asked in ASKED] == [-1, 1, -1]
    assert [made[asked.qa_id].flags for asked in ASKED] == [(), (), (OPEN,)]
    assert [outcome.qa_id for outcome in outcomes(ASKED, made)] == ["open", "choice"]


def test_an_open_question_without_its_video_is_missed_only_where_it_would_have_been_asked():
    unreadable = {asked.qa_id: Answer((), flags=("unreadable",)) for asked in ASKED[:2]}
    assert len(without_video(ASKED[:2], unreadable)) == 2
    assert [outcome.qa_id for outcome in without_video(ASKED[:2], {})] == ["choice"]
    flagged = {**unreadable, "open": Answer((), flags=("unreadable", OPEN))}
    assert [outcome.qa_id for outcome in without_video(ASKED[:2], flagged)] == ["choice"]


def test_the_table_counts_them_and_says_by_which_rule():
    data = BenchmarkData("b", "videommmu", tuple(ASKED[:2]))
    given = {asked.qa_id: answered("generation")[asked.qa_id] for asked in data.questions}
    made = AnswerSet("b", "lmm", "lmm", "uniform", 1, 0, given, "lmms_eval")
    text = to_markdown(table1(Results([data], [made]), 1, TablesSettings(bootstrap_resamples=0)))
    assert "(n=2)" in text and "100.0" in text
    assert "open questions judged as by lmms-eval 0.7.2" in text
    again = Results([data], [made]).counted_by("authors")
    assert again.answer("lmm", "uniform", "b", 1, "open").correct
    assert "Video-MMMU's authors" in to_markdown(table1(again, 1, TablesSettings(bootstrap_resamples=0)))


def test_likelihoods_keep_their_identity_and_generated_replies_have_a_version():
    assert "replies" not in AnswerSettings().identity()
    assert AnswerSettings(method="generation").identity()["replies"] == 2
