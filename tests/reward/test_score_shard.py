"""The reward pass: complete, resumable, never silent, each frame once."""

import math
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from refocus.config.reward import RewardSettings
from refocus.frames.index import ClipFrames
from refocus.lmm import Prompt
from refocus.qa.records import Question
from refocus.reward.margin import margins
from refocus.reward.margin_cache import MarginCache
from refocus.reward.score_shard import score_shard
from refocus.reward.windows import subsets

SETTINGS = RewardSettings(model="tiny", frames_per_subset=4)
OPTIONS = ("red", "green", "blue")


class FakeFrames:
    """Clips of random images; `failed` ones have none. `videos`: the digests of their files."""

    def __init__(self, lengths, failed=()):
        self.lengths, self.failed, self.reads = dict(lengths), set(failed), []
        self.videos = dict.fromkeys(lengths, "0" * 32)

    def clips(self):
        return [*self.lengths, *self.failed]

    def record(self, clip_id):
        if clip_id in self.failed:
            return ClipFrames(clip_id, "failed", "moov atom not found", 0, [], [])
        n = self.lengths[clip_id]
        times = [frame / 4 for frame in range(n)]
        return ClipFrames(clip_id, "ok", None, n, times, list(range(n)), video_digest=self.videos[clip_id])

    def images(self, clip_id, indices=None, size=None):
        self.reads.append(clip_id)
        random = np.random.default_rng([ord(letter) for letter in clip_id])
        every = random.integers(0, 256, (self.lengths[clip_id], size, size, 3), dtype=np.uint8)
        return every if indices is None else every[list(indices)]


def question(number, clip, **changes):
    base = Question(
        f"q{number:02}", "d", "train", clip, f"{clip}.mp4", None, None, "What colour is shown?", OPTIONS, 1, "green",
        "moment/colour", str(number), (),
    )  # fmt: skip
    return replace(base, **changes)


@pytest.fixture()
def frames():
    return FakeFrames({"a": 12, "b": 9, "c": 20})


@pytest.fixture()
def questions():
    texts = ("What colour is shown?", "What is the first colour?", "how many red?")
    clips = ("a", "b", "a", "c", "b", "a", "c")
    return [question(n, clip, question=texts[n % 3], answer_index=n % 3) for n, clip in enumerate(clips)]


def run(lmm, frames, questions, folder=None, settings=SETTINGS):
    return score_shard(lambda: lmm, frames, questions, settings, MarginCache(folder, settings.identity()))


def test_every_question_has_a_row_for_every_subset_of_its_clip(lmm, frames, questions):
    table = run(lmm, frames, questions).margins
    expected = [
        (q.qa_id, subset.index, list(subset.frames))
        for q in questions
        for subset in subsets(frames.lengths[q.clip_id], 4)
    ]
    found = zip(*(table[name].to_pylist() for name in ("qa_id", "subset", "frame_indices")), strict=True)
    assert list(found) == expected


def test_margins_and_logits_are_those_of_the_scorer(lmm, frames, questions):
    rows = run(lmm, frames, questions).margins.to_pylist()
    by_id = {q.qa_id: q for q in questions}
    for row in rows[::9]:
        asked = by_id[row["qa_id"]]
        images = frames.images(asked.clip_id, row["frame_indices"], 32)
        everything = list(range(len(images)))
        [raw] = lmm.score(lmm.encode(images), [(everything, 0)], [Prompt(asked.question, asked.options)])
        np.testing.assert_allclose(row["logits_raw"], raw, atol=1e-4)
        np.testing.assert_allclose(row["logits"], raw.logsumexp(-1), atol=1e-4)
        assert row["margin"] == pytest.approx(margins([row["logits"]], [asked.answer_index])[0], abs=1e-6)


def test_each_used_frame_is_encoded_once_whatever_the_number_of_questions(lmm, frames, questions):
    run(lmm, frames, questions)
    used = {c: len({f for s in subsets(n, 4) for f in s.frames}) for c, n in frames.lengths.items()}
    assert lmm.work.frames == sum(used.values())
    assert sorted(frames.reads) == ["a", "b", "c"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test catches it."""


@pytest.mark.fault("killed", "reward", "finished clips are kept")
def test_a_killed_job_computes_only_the_clips_it_lacks(lmm, frames, questions, tmp_path, monkeypatch):
    whole = run(lmm, frames, questions)
    score, calls = lmm.score, []

    def dies_at_the_third_clip(*args):
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        return score(*args)

    monkeypatch.setattr(lmm, "score", dies_at_the_third_clip)
    with pytest.raises(Killed):
        run(lmm, frames, questions, tmp_path)
    frames.reads.clear()
    resumed = run(lmm, frames, questions, tmp_path)
    assert frames.reads == ["c"]
    assert resumed.margins.equals(whole.margins)


def test_a_finished_store_needs_no_frames_at_all(lmm, frames, questions, tmp_path):
    first = run(lmm, frames, questions, tmp_path)
    frames.reads.clear()
    assert run(lmm, frames, questions, tmp_path).margins.equals(first.margins)
    assert frames.reads == []


def test_no_model_is_loaded_where_nothing_is_left_to_score(lmm, frames, questions, tmp_path):
    """An empty shard, one that was scored before, and one of which nothing can be scored."""

    def never():
        raise AssertionError("the model was loaded")

    first = run(lmm, frames, questions, tmp_path)
    again = score_shard(never, frames, questions, SETTINGS, MarginCache(tmp_path, SETTINGS.identity()))
    assert again.margins.equals(first.margins) and again.skipped == first.skipped
    lost = [question(0, "nowhere")]
    for asked in ([], lost):
        found = score_shard(never, frames, asked, SETTINGS, MarginCache(None, SETTINGS.identity()))
        assert found.margins.num_rows == 0 and [row.reason for row in found.skipped] == ["clip_missing"] * len(asked)


def test_new_questions_of_a_known_clip_are_the_only_ones_scored(lmm, frames, questions, tmp_path):
    run(lmm, frames, questions[:4], tmp_path)
    before = lmm.work.suffix_tokens
    grown = run(lmm, frames, questions, tmp_path)
    assert lmm.work.suffix_tokens - before < before
    assert grown.margins["qa_id"].unique().to_pylist() == [q.qa_id for q in questions]
    np.testing.assert_allclose(grown.margins["margin"], run(lmm, frames, questions).margins["margin"], atol=1e-5)


def test_a_question_that_is_gone_leaves_no_rows(lmm, frames, questions, tmp_path):
    run(lmm, frames, questions, tmp_path)
    assert run(lmm, frames, questions[:2], tmp_path).margins["qa_id"].unique().to_pylist() == ["q00", "q01"]


@pytest.mark.fault("input replaced or corrected", "reward", "corrected answers change the margins")
def test_a_corrected_answer_changes_margins_without_scoring_again(lmm, frames, questions, tmp_path):
    run(lmm, frames, questions, tmp_path)
    frames.reads.clear()
    corrected = [replace(q, answer_index=(q.answer_index + 1) % 3) for q in questions]
    found = run(lmm, frames, corrected, tmp_path)
    assert frames.reads == []
    np.testing.assert_allclose(found.margins["margin"], run(lmm, frames, corrected).margins["margin"], atol=1e-6)


@pytest.mark.parametrize("damage", ["cut", "bit", "settings", "frames", "video"])
@pytest.mark.fault(
    "damaged input or result",
    "reward",
    "stored margins that are cut, flipped, or of other frames or settings are computed anew",
)
def test_units_that_do_not_fit_are_computed_again(lmm, frames, questions, tmp_path, damage):
    settings = SETTINGS
    run(lmm, frames, questions, tmp_path)
    if damage == "cut":
        file = tmp_path / "b.parquet"
        file.write_bytes(file.read_bytes()[:-30])
    elif damage == "bit":
        data = bytearray((tmp_path / "b.parquet").read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / "b.parquet").write_bytes(data)
    elif damage == "video":  # under the same name and times
        frames.videos["b"] = "1" * 32
    elif damage == "settings":
        settings = RewardSettings(model="tiny", frames_per_subset=3)
    else:
        frames.lengths["b"] = 11
    frames.reads.clear()
    found = run(lmm, frames, questions, tmp_path, settings)
    assert frames.reads == (["a", "b", "c"] if damage == "settings" else ["b"])
    assert found.margins.num_rows == run(lmm, frames, questions, None, settings).margins.num_rows


def test_units_of_frames_whose_content_is_not_known_are_used_as_before(lmm, frames, questions, tmp_path):
    """An index of an earlier version names no content; margins of that version stay until decode runs again."""
    frames.videos = dict.fromkeys(frames.lengths)
    run(lmm, frames, questions, tmp_path)
    frames.reads.clear()
    run(lmm, frames, questions, tmp_path)
    assert frames.reads == []
    frames.videos = dict.fromkeys(frames.lengths, "0" * 32)
    run(lmm, frames, questions, tmp_path)
    assert sorted(frames.reads) == ["a", "b", "c"]


def test_every_question_is_scored_or_listed_with_its_reason(lmm, questions):
    frames = FakeFrames({"a": 12, "b": 9, "c": 20, "empty": 0}, failed={"broken"})
    odd = [
        question(20, "broken"),
        question(21, "unknown"),
        question(22, "empty"),
        question(23, "a", options=(), answer_index=-1),
        question(24, "a", options=tuple("abcdefgh")),
        question(25, "a", answer_index=3),
    ]
    result = run(lmm, frames, questions + odd)
    assert [(row.qa_id, row.reason) for row in result.skipped] == [
        ("q20", "clip_failed"), ("q21", "clip_missing"), ("q22", "no_frames"),
        ("q23", "open_question"), ("q24", "options"), ("q25", "bad_answer"),
    ]  # fmt: skip
    assert result.skipped[0].detail == "moov atom not found"
    assert result.margins["qa_id"].unique().to_pylist() == [q.qa_id for q in questions]


def test_a_shard_of_questions_with_more_options_than_the_model_has_letters_is_all_skipped(lmm, frames):
    """How many letters there are is known once the model is loaded; then nothing is left to score."""
    found = run(lmm, frames, [question(0, "a", options=tuple("abcdefgh"), answer_index=0)])
    assert not found.margins.num_rows and [skipped.reason for skipped in found.skipped] == ["options"]


def test_questions_with_nan_logits_keep_their_rows_and_are_listed(lmm, frames, questions, monkeypatch):
    score = lmm.score

    def with_a_nan(*args):
        return [torch.full_like(raw, math.nan) if n == 3 else raw for n, raw in enumerate(score(*args))]

    monkeypatch.setattr(lmm, "score", with_a_nan)
    result = run(lmm, frames, questions)
    assert [(row.qa_id, row.reason) for row in result.skipped] == [(f"q0{n}", "not_finite") for n in (0, 1, 3)]
    bad = [row for row in result.margins.to_pylist() if math.isnan(row["margin"])]
    assert [(row["qa_id"], row["subset"]) for row in bad] == [("q00", 3), ("q01", 3), ("q03", 3)]
    assert all(len(row["logits"]) == 3 for row in bad)


def test_an_infinite_logit_is_no_margin_of_one(lmm, frames, questions, monkeypatch):
    score = lmm.score

    def with_infinities(*args):
        found = score(*args)
        found[0][questions[0].answer_index] = math.inf  # the right option, of whose margin tanh would make 1
        found[1][2] = math.inf
        found[2][:] = -math.inf
        return found

    monkeypatch.setattr(lmm, "score", with_infinities)
    result = run(lmm, frames, questions[:1])
    assert [(row.qa_id, row.reason, row.detail[0]) for row in result.skipped] == [("q00", "not_finite", "3")]


def test_the_log_says_how_long_the_model_waited_for_frames(lmm, frames, questions, caplog):
    with caplog.at_level("INFO"):
        run(lmm, frames, questions)
    assert "the model waited for frames in" in caplog.text


def test_a_clip_of_one_frame_has_the_subsets_that_hold_it(lmm):
    table = run(lmm, FakeFrames({"x": 1}), [question(0, "x")]).margins
    assert table["subset"].to_pylist() == [6, 7, 8, 9, 10, 11, 12, 13]


def test_units_are_ordinary_tables(lmm, frames, questions, tmp_path):
    result = run(lmm, frames, questions, tmp_path)
    assert sum(pq.read_table(file).num_rows for file in tmp_path.glob("*.parquet")) == result.margins.num_rows


def test_a_tokenizer_that_cannot_read_the_questions_is_said(lmm, frames, caplog):
    run(lmm, frames, [question(0, "a", question="What colour is shown?")])
    assert "unknown to the LMM" not in caplog.text
    run(lmm, frames, [question(0, "a", question="Quelle heure affiche cette horloge ancienne ?")])
    assert "unknown to the LMM" in caplog.text
