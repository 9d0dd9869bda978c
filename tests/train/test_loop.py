"""The loop: it learns, it can be split over processes, and it can be killed."""

import json
import os
import shutil
import signal

import pytest
import torch
from refocus.core.errors import RefocusError, UsageError
from refocus.policy.frame_policy import FramePolicy
from refocus.train.optim import Optimiser, lr_factor
from refocus.train.parallel import launch
from refocus.train.run_log import read

from tests.support.tiny_policy import SMALL, build_policy
from tests.support.tiny_training import (
    COUNTS,
    RUNTIME,
    SETTINGS,
    LateFrames,
    build_trainer,
    die_second,
    outlive_first,
    train_and_save,
    train_until_stopped,
)  # fmt: skip


def change(settings=SETTINGS, runtime=None, **values):
    runtime = settings.runtime.model_copy(update=runtime or {})
    return settings.model_copy(update={**values, "runtime": runtime})


def weights(folder):
    return {name: t.clone() for name, t in FramePolicy.from_pretrained(folder / "out" / "policy").state_dict().items()}


def assert_same(one, two, **close):
    for name, tensor in one.items():
        if close:
            torch.testing.assert_close(tensor, two[name], **close, msg=lambda text, name=name: f"{name}: {text}")
        else:
            assert torch.equal(tensor, two[name]), name


def without_clock(path):
    return [{k: v for k, v in line.items() if not k.startswith(("time/", "tokens", "memory/"))} for line in read(path)]


def test_training_raises_the_reward(tmp_path):
    """A bandit: one frame of a clip pays. The policy finds it, and its entropy falls."""
    counts = [8, 8, 8]
    settings = change(
        max_steps=30, candidates=16, picks=1, lr_new=3e-3, lr_pretrained=1e-3, entropy_weight=0.05,
        validation_share=0.0, clips_per_batch=3, batch=9, runtime={"clips_per_micro_batch": 3, "checkpoint_every": 100},
    )  # fmt: skip
    reward_model = LateFrames(counts, target=5)
    build_trainer(
        tmp_path, settings, reward_model=reward_model, counts=counts, policy=build_policy(dtype=torch.float32)
    ).run()
    lines = read(tmp_path / "out" / "metrics.jsonl")
    assert sum(line["reward/mean"] for line in lines[:3]) / 3 < 0
    assert sum(line["reward/mean"] for line in lines[-5:]) / 5 > 0.9
    assert lines[-1]["policy/entropy_share"] < lines[0]["policy/entropy_share"]


def test_metrics_of_the_first_update(tmp_path):
    """The ratio is exactly 1, the sampler agrees with the parallel pass, learning rates follow the warm-up."""
    build_trainer(tmp_path, change(max_steps=2)).run()
    first = read(tmp_path / "out" / "metrics.jsonl")[0]
    assert first["policy/ratio_mean"] == first["policy/ratio_max"] == 1.0
    assert first["policy/logp_gap"] < 1e-9
    groups = [group for group in read(tmp_path / "out" / "groups.jsonl") if group["step"] == 0]
    assert first["groups"] == len(groups) > 1
    assert {len(group["picks"]) for group in groups} == {4}


@pytest.mark.parametrize("changes", [{}, {"updates": 2, "clip_eps": 0.2}, {"advantage_scale": "batch"}])
def test_micro_batches_do_not_change_the_update(tmp_path, changes):
    """One backward pass over everything equals several over parts, to float64 rounding (`test_ranks.assert_close`)."""
    for name, size in (("whole", 8), ("parts", 1)):
        settings = change(max_steps=2, runtime={"clips_per_micro_batch": size}, **changes)
        build_trainer(tmp_path / name, settings).run()
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"), rtol=0, atol=1e-10)


def test_killed_and_resumed_is_never_killed(tmp_path):
    """SIGTERM in the middle saves; going on gives the same weights, metrics and groups bit for bit."""

    class Terminated(LateFrames):
        def __call__(self, asked, subsets):
            if self.calls == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().__call__(asked, subsets)

    for name, reward_model in (("whole", LateFrames(COUNTS)), ("killed", Terminated(COUNTS))):
        trainer = build_trainer(tmp_path / name, reward_model=reward_model, policy=build_policy(dtype=torch.float32))
        if name == "whole":
            trainer.run()
            continue
        with pytest.raises(RefocusError, match="after step 3 of 6"):
            trainer.run()
        assert not (tmp_path / name / "out" / "policy").exists()
        build_trainer(tmp_path / name, policy=build_policy(dtype=torch.float32)).run()
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    for log in ("metrics.jsonl", "groups.jsonl"):
        whole, killed = (without_clock(tmp_path / name / "out" / log) for name in ("whole", "killed"))
        assert whole == killed


def test_a_crash_between_checkpoints_loses_only_the_steps_since(tmp_path):
    """What was logged after the checkpoint is cut off, half a line included, and done again."""

    class Crashes(LateFrames):
        def __call__(self, asked, subsets):
            if self.calls == 3:
                raise RuntimeError("power cut")
            return super().__call__(asked, subsets)

    build_trainer(tmp_path / "whole").run()
    with pytest.raises(RuntimeError, match="power cut"):
        build_trainer(tmp_path / "crashed", reward_model=Crashes(COUNTS)).run()
    with (tmp_path / "crashed" / "work" / "metrics.jsonl").open("a") as log:
        log.write('{"step": 3, "rew')
    build_trainer(tmp_path / "crashed").run()
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "crashed"))
    assert [line["step"] for line in read(tmp_path / "crashed" / "out" / "metrics.jsonl")] == list(range(6))


def test_a_finished_run_only_writes_its_outputs_again(tmp_path):
    """Outputs deleted, checkpoints kept: nothing is trained."""
    build_trainer(tmp_path).run()
    before = weights(tmp_path)
    for name in ("metrics.jsonl", "policy/model.safetensors"):
        (tmp_path / "out" / name).unlink()
    reward_model = LateFrames(COUNTS)
    build_trainer(tmp_path, reward_model=reward_model).run()
    assert reward_model.calls == 0
    assert_same(before, weights(tmp_path))
    assert len(read(tmp_path / "out" / "metrics.jsonl")) == 6


def test_another_runs_checkpoint_is_refused(tmp_path):
    """The message names the keys that differ."""
    identity = {"train": {"entropy_weight": 0.01, "picks": 2}, "questions": "abc"}
    build_trainer(tmp_path, change(max_steps=2), identity=identity).run()
    other = {"train": {"entropy_weight": 0.02, "picks": 2}, "questions": "abd"}
    with pytest.raises(UsageError, match=r"train\.entropy_weight, questions differ"):
        build_trainer(tmp_path, change(max_steps=2), identity=other).run()


def test_only_the_newest_checkpoints_stay(tmp_path):
    """`keep` of them, and no drafts."""
    build_trainer(tmp_path, change(runtime={"keep_checkpoints": 1})).run()
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == ["groups.jsonl", "metrics.jsonl", "step-00000006"]


def test_validation_compares_with_uniform_frames(tmp_path):
    """Before the first step and at the end, with the uniform baseline beside it."""
    build_trainer(tmp_path, change(max_steps=3, runtime={"validate_every": 2, "tensorboard": True})).run()
    found = [line for line in read(tmp_path / "out" / "metrics.jsonl") if "validation/accuracy" in line]
    assert [line["step"] for line in found] == [0, 1, 2]
    assert len({line["validation/reward_uniform"] for line in found}) == 1
    assert list((tmp_path / "out" / "tensorboard").iterdir())


def test_a_run_without_validation_leaves_no_best_of_an_earlier_one(tmp_path):
    """Beside the new policy it would pass for its own."""
    build_trainer(tmp_path, change(max_steps=1, runtime={"validate_every": 1})).run()
    assert (tmp_path / "out" / "best" / "config.json").is_file()
    shutil.rmtree(tmp_path / "work")
    build_trainer(tmp_path, change(max_steps=1, validation_share=0.0)).run()
    assert not (tmp_path / "out" / "best").exists()


def test_learning_rates_rise_then_fall_to_zero():
    """5 % warm-up, linear decay that would reach 0 one step after the last."""
    settings = change(lr_warmup=0.05)
    factors = [lr_factor(step, 100, settings) for step in range(101)]
    assert factors[:5] == sorted(factors[:5]) and max(factors) == factors[5] == 1.0 and factors[100] == 0
    steps = torch.tensor(factors[5:]).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, -1 / 95))
    assert lr_factor(99, 100, change(lr_decay="constant")) == 1.0


def test_two_learning_rates_and_the_start_tokens_row():
    """One step of Adam moves every weight by its group's rate; <start_of_frame> moves as new, its neighbours as old."""
    policy = build_policy(dtype=torch.float64)
    settings = change(lr_pretrained=1e-3, lr_new=1e-2, weight_decay=0.0, max_grad_norm=1e9)
    optimiser = Optimiser(policy, settings, reinit_layers=2)
    before = {name: p.detach().clone() for name, p in policy.named_parameters()}
    for parameter in optimiser.parameters.values():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step(1.0)
    moved = {name: (before[name] - p.detach()) for name, p in policy.named_parameters()}
    assert moved["backbone.layers.0.mixer.in_proj.weight"].max().item() == pytest.approx(1e-3, rel=1e-4)
    for name in ("backbone.layers.1.mixer.A_log", "backbone.norm_f.weight", "heads.query.weight", "heads.scale"):
        assert moved[name].max().item() == pytest.approx(1e-2, rel=1e-4)
    rows = moved["backbone.embedding.weight"].amax(1)
    assert rows[SMALL.start_of_frame].item() == pytest.approx(1e-2, rel=1e-4)
    assert rows[SMALL.start_of_frame + 1].item() == pytest.approx(1e-3, rel=1e-4)
    assert moved["vision.embeddings.patch_embedding.weight"].abs().max() == 0


def test_a_gradient_that_is_not_finite_skips_the_step():
    """No NaN ever reaches the weights."""
    policy = build_policy()
    optimiser = Optimiser(policy, SETTINGS, reinit_layers=2)
    before = {name: p.detach().clone() for name, p in policy.named_parameters()}
    for parameter in optimiser.parameters.values():
        parameter.grad = torch.full_like(parameter, torch.nan)
    optimiser.step(1.0)
    assert_same(before, dict(policy.named_parameters()))


def test_checkpoints_hold_no_pickles(tmp_path):
    """Only safetensors and JSON."""
    build_trainer(tmp_path, change(max_steps=2)).run()
    folder = tmp_path / "work" / "step-00000002"
    assert {p.suffix for p in folder.iterdir()} == {".safetensors", ".json"}
    assert json.loads((folder / "state.json").read_text())["step"] == 2
    assert RUNTIME.keep_checkpoints == 2


@pytest.mark.slow
@pytest.mark.fault("killed", "train", "one process of several: the others end too")
def test_a_worker_that_dies_ends_the_run(tmp_path):
    """The other processes stop with a message instead of waiting for ever."""
    with pytest.raises(RefocusError, match="worker process 1 died"):
        launch(die_second, None, 2, "cpu")


@pytest.mark.slow
def test_a_worker_that_does_not_listen_is_ended(tmp_path):
    """The first process's error is shown instead of waited with."""
    with pytest.raises(ValueError, match="the first one failed"):
        launch(outlive_first, tmp_path / "mark", 2, "cpu")
    assert not (tmp_path / "mark").exists()


@pytest.mark.slow
@pytest.mark.fault("told to end", "train", "all processes stop with a checkpoint")
def test_a_signal_to_one_process_stops_all_with_a_checkpoint(tmp_path):
    """And the run then goes on to the same end as one that was never stopped."""
    settings = change(max_steps=3)
    with pytest.raises(RefocusError, match=r"after step [12] of 3"):
        launch(train_until_stopped, (tmp_path / "stopped", settings), 2, "cpu")
    for name in ("stopped", "free"):
        launch(train_and_save, (tmp_path / name, settings), 2, "cpu")
    assert_same(weights(tmp_path / "free"), weights(tmp_path / "stopped"))
