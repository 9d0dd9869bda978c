"""One batch on several processes: the same update as on one, however it is split."""

import multiprocessing
from importlib.util import find_spec

import pytest
import torch
from refocus.train.parallel import launch
from refocus.train.run_log import read
from safetensors.torch import load_file

from tests.support.tiny_training import RUNTIME, SETTINGS, train_in_parts, train_several, train_until_it_fails

pytestmark = pytest.mark.slow

EIGHT = SETTINGS.model_copy(
    update={
        "batch": 8,
        "clips_per_batch": None,
        "max_steps": 3,
        "runtime": RUNTIME.model_copy(update={"clips_per_micro_batch": 1}),
    }
)
CASES = {
    "questions one by one": {},
    "uneven shares": {"clips_per_batch": 3, "runtime": {"validate_every": 3}},
    "a process without a group": {"clips_per_batch": 1, "batch": 3},
    "one scale for the batch": {"advantage_scale": "batch"},
    "groups left out": {"zero_variance": "mask", "candidates": 2},
    "groups drawn again": {"zero_variance": "resample", "candidates": 2},
    "two updates": {"updates": 2, "clip_eps": 0.2},
    "one pick, so that the value head has no gradient": {"picks": 1, "weight_decay": 0.5},
}


def changed(settings, runtime=None, **values):
    runtime = settings.runtime.model_copy(update=runtime or {})
    return settings.model_copy(update={**values, "runtime": runtime})


def final(folder):
    """The weights of the last checkpoint, float64."""
    return load_file(max((folder / "work").glob("step-*")) / "policy.safetensors")


def assert_close(one, two):
    """Weights that differ by no more than rounding: a gradient near 0 is off by 1e-16 of its terms, of size 1; AdamW
    divides that by its eps of 1e-8 and takes a step of lr_new, 1e-4: 1e-12 a step, and a hundred times that passes."""
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=0, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


def test_one_process_with_eight_questions_is_two_with_four(tmp_path):
    """In float64 to 1e-10, for every way to normalise and to split; ddp and zero1 agree in every bit."""
    for processes in (1, 2):
        jobs = {tmp_path / str(processes) / name: changed(EIGHT, **changes) for name, changes in CASES.items()}
        if processes == 2:
            jobs[tmp_path / "ddp"] = changed(EIGHT, {"strategy": "ddp"})
        launch(train_several, jobs, processes, "cpu")
    for name in CASES:
        assert_close(final(tmp_path / "1" / name), final(tmp_path / "2" / name))
        one, two = (read(tmp_path / n / name / "out" / "metrics.jsonl") for n in "12")
        for a, b in zip(one, two, strict=True):
            for key in (key for key in a if not key.startswith(("time/", "tokens", "memory/"))):
                assert a[key] == pytest.approx(b[key], abs=1e-9), (name, key)
    assert any(line["groups"] < 8 for line in read(tmp_path / "1" / "groups left out" / "out" / "metrics.jsonl"))
    sharded, whole = final(tmp_path / "2" / "questions one by one"), final(tmp_path / "ddp")
    assert all(torch.equal(tensor, whole[name]) for name, tensor in sharded.items())
    shares = [
        load_file(path) for path in sorted((tmp_path / "2" / "two updates" / "work" / "step-00000003").glob("optim*"))
    ]
    everything = load_file(tmp_path / "ddp" / "work" / "step-00000003" / "optimiser-00000.safetensors")
    assert len(shares) == 2 and not shares[0].keys() & shares[1].keys()
    assert shares[0].keys() | shares[1].keys() == everything.keys()


def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    """Killed with two and continued by one, killed with one and continued by two: the same end."""
    settings = changed(EIGHT, {"clips_per_micro_batch": 8}, batch=4, clips_per_batch=2, max_steps=5)
    launch(train_several, {tmp_path / "whole": settings}, 1, "cpu")
    for before, after in ((2, 1), (1, 2)):
        folder = tmp_path / f"{before}-{after}"
        launch(train_until_it_fails, (folder, settings, 3), before, "cpu")
        assert [path.name for path in (folder / "work").glob("step-*")] == ["step-00000002"]
        launch(train_several, {folder: settings}, after, "cpu")
        assert_close(final(tmp_path / "whole"), final(folder))
        steps = [line["step"] for line in read(folder / "out" / "metrics.jsonl")]
        assert steps == list(range(5))


@pytest.mark.skipif(find_spec("deepspeed") is None, reason="needs the extra `deepspeed`")
def test_deepspeed_makes_the_same_updates_and_checkpoints(tmp_path):
    """Within rounding of torch's ZeRO-1; each goes on from the other's checkpoint, and from its own bit for bit."""
    zero1 = changed(EIGHT, {"clips_per_micro_batch": 8}, batch=4, clips_per_batch=2, max_steps=4)
    deepspeed = changed(zero1, {"strategy": "deepspeed"})
    begun = {"again": deepspeed, "to": zero1, "from": deepspeed}
    ended = {"zero1": zero1, "deepspeed": deepspeed, "again": deepspeed, "to": deepspeed, "from": zero1}
    jobs = [(tmp_path / name, settings, 2) for name, settings in begun.items()]
    apart(train_in_parts, jobs + [(tmp_path / name, settings, 4) for name, settings in ended.items()])
    lines = {name: read(tmp_path / name / "out" / "metrics.jsonl") for name in ended}
    for name in ended:
        assert [line["step"] for line in lines[name]] == [0, 1, 2, 3]
        norms = [line["grad_norm"] for line in lines["zero1"]]  # all far above clip_norm
        assert [line["grad_norm"] for line in lines[name]] == pytest.approx(norms, rel=1e-4)
        for key, tensor in final(tmp_path / "zero1").items():
            torch.testing.assert_close(tensor, final(tmp_path / name)[key], rtol=0, atol=1e-6, msg=f"{name}: {key}")
        for key, tensor in moments(tmp_path / "zero1").items():
            torch.testing.assert_close(
                tensor, moments(tmp_path / name)[key], rtol=1e-3, atol=1e-6, msg=f"{name}: {key}"
            )
    for look in (final, moments):
        assert all(torch.equal(t, look(tmp_path / "again")[key]) for key, t in look(tmp_path / "deepspeed").items())


def moments(folder):
    """All processes' moments in the last checkpoint."""
    shares = max((folder / "work").glob("step-*")).glob("optimiser-*")
    return {key: tensor for share in shares for key, tensor in load_file(share).items()}


def apart(work, job):
    """Two processes, neither of them this one: DeepSpeed keeps a group of processes for as long as one lives."""
    process = multiprocessing.get_context("spawn").Process(target=launch, args=(work, job, 2, "cpu"))
    process.start()
    process.join()
    assert process.exitcode == 0
