"""Answers belong to their frames; a video is read once; the prediction is the highest option logit."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from refocus.core.errors import RefocusError
from refocus.evaluate.answering import answer_benchmark, check_answers, check_videos
from refocus.evaluate.answers import OPEN, UNREADABLE, Answer, AnswerSet, read_answers, write_answers
from refocus.qa.records import Question
from refocus.qa.video_root import VideoRoot
from refocus.select.picks import Selection
from refocus.select.selections import ALONE
from refocus.video.probe import VideoError


class Lmm:
    """Its logits spell out what it saw: option 0 sums the frames' brightness, option 1 is 10 + the question's index."""

    def __init__(self):
        self.encoded, self.scored = [], []

    def encode(self, images):
        self.encoded.append(images[:, 0, 0, 0].tolist())
        return torch.from_numpy(images[:, 0, 0, 0].astype("float32"))

    def score(self, features, rows, prompts, times_s):
        self.scored += [(tuple(frames), question) for frames, question in rows]
        made = []
        for frames, question in rows:
            values = [float(features[list(frames)].sum()), 10.0 + question]
            made.append(torch.tensor(values)[:, None].expand(2, 2) - torch.log(torch.tensor(2.0)))
        return made


def question(qa_id: str, clip: str = "a", options=("x", "y"), answer: int = 0) -> Question:
    return Question(qa_id, "bench", "test", clip, f"{clip}.mp4", None, None, "?", options, answer, "x", "k", qa_id, ())


def frames(*indices: int, flags: tuple[str, ...] = ()) -> Selection:
    return Selection(indices, tuple(0.5 * index for index in indices), indices, flags=flags)


class Pixels:
    """Frame i is an image of brightness i; remembers what was read."""

    def __init__(self):
        self.read = []

    def __call__(self, question, indices, times):
        self.read.append((question.video_path, tuple(indices), tuple(times)))
        if question.clip_id == "broken":
            raise VideoError("moov atom not found")
        if question.clip_id == "damaged":
            raise RefocusError("0.tar: frames 1 to 1 are damaged")
        return np.stack([np.full((2, 2, 3), index, np.uint8) for index in indices])


def test_logits_that_are_no_numbers_are_no_answer_a(monkeypatch):
    lmm = Lmm()
    made = [torch.tensor([[torch.nan], [1.0]]).expand(2, 2)]
    monkeypatch.setattr(lmm, "score", lambda *args: made)
    with pytest.raises(RefocusError, match="question 7: the LMM's logits are not finite"):
        answer_benchmark(lmm, [question("7")], {1: {"7": frames(3)}}, Pixels())


def test_a_video_is_read_and_encoded_once_for_all_questions_and_numbers_of_frames():
    lmm, pixels = Lmm(), Pixels()
    chosen = {2: {"1": frames(3, 9), "2": frames(9, 12)}, 1: {"1": frames(9), "2": frames(12)}}
    answer_benchmark(lmm, [question("1"), question("2")], chosen, pixels)
    assert pixels.read == [("a.mp4", (3, 9, 12), (1.5, 4.5, 6.0))]
    assert lmm.encoded == [[3, 9, 12]]


def test_logits_are_those_of_exactly_the_picked_frames():
    chosen = {2: {"1": frames(3, 9), "2": frames(0, 2)}}
    made = answer_benchmark(Lmm(), [question("1"), question("2", answer=1)], chosen, Pixels())[2]
    assert made["1"].logits == pytest.approx((12, 10)) and made["1"].frame_indices == (3, 9)
    assert (made["1"].prediction, made["1"].correct, made["1"].raw_reply) == (0, True, "A")
    assert made["2"].logits == pytest.approx((2, 11))
    assert (made["2"].prediction, made["2"].correct, made["2"].raw_reply) == (1, True, "B")


def test_other_frames_give_another_answer_and_equal_frames_are_scored_once():
    lmm = Lmm()
    chosen = {2: {"1": frames(1, 2)}, 3: {"1": frames(1, 2)}, 4: {"1": frames(8, 9)}}
    made = answer_benchmark(lmm, [question("1")], chosen, Pixels())
    assert [made[n]["1"].raw_reply for n in (2, 3, 4)] == ["B", "B", "A"]
    assert len(lmm.scored) == 2


def test_a_video_that_cannot_be_read_and_questions_that_cannot_be_asked_are_flagged():
    asked = [question("1"), question("2", "broken"), question("3", "c", options=()), question("4", "d")]
    chosen = {1: {"1": frames(11), "2": frames(1), "3": frames(1), "4": frames(flags=(ALONE,))}}
    made = answer_benchmark(Lmm(), asked, chosen, Pixels())[1]
    assert [made[qa].flags for qa in "1234"] == [(), (UNREADABLE,), (OPEN,), (ALONE,)]
    assert [made[qa].prediction for qa in "1234"] == [0, -1, -1, -1]
    assert list(made) == list("1234")


@pytest.mark.fault("damaged input or result", "answer", "damaged stored frames stop the job")
def test_damaged_stored_frames_stop_the_job():
    """They are our own file, and decoding again mends it; a wrong answer would stay."""
    with pytest.raises(RefocusError, match="damaged"):
        answer_benchmark(Lmm(), [question("1", "damaged")], {1: {"1": frames(1)}}, Pixels())


@pytest.mark.fault(
    "input missing or unreadable", "answer", "more lost videos than tolerated: status 1, and no table is written"
)
def test_too_many_videos_without_an_answer_fail_the_job(tmp_path, caplog):
    """Missing ones before it begins, those that go away meanwhile at its end; clips without picks do not count."""
    asked = [question(str(n), clip) for n, clip in enumerate(("a", "b", "c", "d", "no picks"))]
    chosen = {1: {str(n): frames(11) for n in range(4)} | {"4": frames()}}
    for clip in "abc":
        (tmp_path / f"{clip}.mp4").touch()
    check_videos(asked, chosen, VideoRoot(tmp_path), 0.25)
    assert "1 of 4 videos are not in" in caplog.text and "d.mp4" in caplog.text
    with pytest.raises(RefocusError, match=r"1 of 4 videos are not in .*: d\.mp4; .*\.max_failure_rate \(0\.2\)"):
        check_videos(asked, chosen, VideoRoot(tmp_path), 0.2)
    made = {1: {str(n): Answer((0,)) for n in range(4)} | {"4": Answer(())}}
    check_answers(asked, chosen, made, 0.0)
    made[1]["2"] = Answer((0,), flags=(UNREADABLE,))
    check_answers(asked, chosen, made, 0.25)
    with pytest.raises(RefocusError, match=r"1 of 4 videos could not be read: c\.mp4"):
        check_answers(asked, chosen, made, 0.2)


def test_a_question_without_a_selection_stops_the_job():
    with pytest.raises(RefocusError, match="question 2 has no selection of 4 frames"):
        answer_benchmark(Lmm(), [question("1"), question("2")], {4: {"1": frames(1)}}, Pixels())


def test_a_table_of_answers_reads_back_with_what_made_it(tmp_path):
    answers = answer_benchmark(Lmm(), [question("1")], {2: {"1": frames(3, 9)}}, Pixels())[2]
    made = AnswerSet("bench", "tiny", "assets/lmm", "refocus/demo", 2, 0, answers)
    write_answers(tmp_path / "n2.s0.parquet", made, {"version": 1})
    assert read_answers(tmp_path / "n2.s0.parquet") == made
    with pytest.raises(RefocusError, match=r"nothing\.parquet: no such file"):
        read_answers(tmp_path / "nothing.parquet")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda row: [row, row], "answers question 1 more than once"),
        (lambda row: [{**row, "correct": None}], "row 0 has no correct"),
        (lambda row: [{**row, "qa_id": None}], "row 0 has no qa_id"),
        (lambda row: [{**row, "logits": [float("nan"), 1.0]}], "some logits are no numbers"),
    ],
)
def test_a_table_of_answers_with_gaps_or_copies_is_refused(tmp_path, broken, said):
    path = tmp_path / "n2.s0.parquet"
    answers = answer_benchmark(Lmm(), [question("1")], {2: {"1": frames(3, 9)}}, Pixels())[2]
    write_answers(path, AnswerSet("bench", "tiny", "assets/lmm", "uniform", 2, 0, answers), {"version": 1})
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(broken(table.to_pylist()[0]), schema=table.schema), path)
    with pytest.raises(RefocusError, match=said):
        read_answers(path)


def test_frames_that_are_not_stored_count_as_shown_too():
    assert Answer((), frames_indices=(3, 9)).n_frames == Answer((0, 1), frames_indices=(3, 9)).n_frames == 2
    assert Answer((0, 1, 2)).n_frames == 3, "in a table from before frames_indices"
