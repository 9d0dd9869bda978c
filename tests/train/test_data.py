"""What is trained on, in what order, and how a batch is split."""

from collections import Counter

import pytest
from refocus.config.train import TrainSettings
from refocus.core.errors import RefocusError
from refocus.train.data import Batches, build, held_back, micro_batches, rollout_seed, share_out

from tests.support.tiny_training import COUNTS, SETTINGS, questions, training_set


def test_every_question_is_trained_on_held_back_or_dropped_with_its_reason():
    """Nothing disappears: short clips, missing clips and open questions are counted."""
    asked = questions(COUNTS)
    asked[0] = asked[0].__class__(**{**asked[0].__dict__, "answer_index": -1, "options": ()})
    sizes = {"c0": 6, "c1": 2, "c2": 0, "c3": 7, "c4": 3}
    made = build(asked, sizes.__getitem__, SETTINGS)
    assert made.dropped == {"no options to compare": 1, "no more frames than picks": 3, "no frames": 3}
    assert len(made.train) + len(made.validation) + sum(made.dropped.values()) == len(asked)
    with pytest.raises(RefocusError, match="no more frames than picks"):
        build(asked[:3], lambda _: 2, SETTINGS)


def test_validation_is_split_by_video():
    """No video on both sides, the same split for every seed, none where no share is asked for."""
    made = training_set()
    assert {q.video_path for q in made.train} & {q.video_path for q in made.validation} == set()
    assert len({q.video_path for q in made.validation}) == 1
    assert training_set(SETTINGS.model_copy(update={"seed": 5})).validation == made.validation
    assert held_back([("a", "1"), ("a", "2")], 0.0) == set()
    assert len(held_back([("a", str(i)) for i in range(200)], 0.05)) == 10


@pytest.mark.parametrize("clips", [None, 2])
def test_an_epoch_has_every_question_once(clips):
    """In any order mode; epochs differ, seeds differ, and a step's batch depends on nothing but seed and step."""
    asked = questions(COUNTS)
    settings = TrainSettings(batch=4, clips_per_batch=clips, epochs=2, picks=2)
    batches = Batches(asked, settings)
    epochs = [[batches[step] for step in range(e * batches.per_epoch, (e + 1) * batches.per_epoch)] for e in (0, 1)]
    for epoch in epochs:
        assert Counter(q.qa_id for batch in epoch for q in batch) == Counter(q.qa_id for q in asked)
        assert all(0 < len(batch) <= 4 for batch in epoch)
        if clips:
            assert all(len({q.clip_id for q in batch}) <= 2 for batch in epoch)
    assert epochs[0] != epochs[1]
    assert batches.steps == 2 * batches.per_epoch
    assert Batches(asked, settings)[5] == batches[5]
    assert Batches(asked, settings.model_copy(update={"seed": 1}))[0] != batches[0]


def test_a_batch_is_split_without_loss():
    """Shares and micro-batches partition the batch, keep a clip's questions together and balance frames."""
    asked = questions([10, 20, 30, 40])
    frames = {f"c{i}": n for i, n in enumerate([10, 20, 30, 40])}
    shares = share_out(asked, frames, 2)
    assert [sum(frames[c] for c in {q.clip_id for q in share}) for share in shares] == [50, 50]
    parts = [part for share in shares for part in micro_batches(share, frames, 1)]
    assert sorted(q.qa_id for part in parts for q in part) == sorted(q.qa_id for q in asked)
    assert all(len({q.clip_id for q in part}) == 1 for part in parts)
    assert share_out(asked[:3], frames, 2)[1] == [] and micro_batches([], frames, 4) == []


def test_rollout_seeds_differ_by_run_step_and_question():
    """And are the same in every process."""
    seeds = {rollout_seed(r, s, q) for r in range(3) for s in range(3) for q in ("a", "b")}
    assert len(seeds) == 18 and all(0 <= seed < 2**63 for seed in seeds)
    assert rollout_seed(0, 1, "a") == rollout_seed(0, 1, "a")
