"""Memory: the budget is found from it, halved when it runs out, and its end is one line that says what to do."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from refocus.core.errors import RefocusError
from refocus.lmm import Prompt, load_lmm
from refocus.lmm import token_budget as budget

QUESTIONS = [Prompt("What colour is the circle?", ("red", "green", "blue")), Prompt("how many red?", ("red", "last"))]
ROWS = [((start, start + 1, start + 2), number) for start in range(6) for number in range(2)]


class SmallMemory:
    """Stands for a GPU: a pass over more than `most` tokens raises what torch raises."""

    def __init__(self, run, most):
        self.run, self.most, self.refused = run, most, 0

    def __call__(self, x, *args, **kwargs):
        if x.shape[0] * x.shape[1] > self.most:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7.25 GiB")
        return self.run(x, *args, **kwargs)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)


@pytest.mark.slow
def test_running_out_of_memory_halves_the_budget_and_changes_no_value(lmm, images, monkeypatch):
    features = lmm.encode(images)
    expected = lmm.score(features, ROWS, QUESTIONS)
    small = SmallMemory(lmm._passes._decode, 150)
    monkeypatch.setattr(lmm._passes, "_decode", small)
    found = lmm.score(features, ROWS, QUESTIONS)
    assert small.refused
    for row, other in zip(found, expected, strict=True):
        torch.testing.assert_close(row, other, atol=1e-5, rtol=0)
    refused = small.refused
    lmm.score(features, ROWS, QUESTIONS)
    assert small.refused == refused and lmm.batch_tokens < budget.CPU_TOKENS  # what did not fit is not tried again
    assert lmm._passes._held == 0


@pytest.mark.slow
def test_the_vision_tower_is_given_fewer_frames_when_memory_runs_out(lmm, images, monkeypatch):
    expected, encoded = lmm.encode(images), lmm.work.frames
    monkeypatch.setattr(lmm, "_encode", SmallMemory(lmm._encode, 3 * 32))
    torch.testing.assert_close(lmm.encode(images), expected, atol=1e-5, rtol=0)
    assert lmm.work.frames == 2 * encoded


@pytest.mark.slow
def test_a_pass_that_cannot_get_smaller_ends_with_the_mend(lmm, images, monkeypatch):
    features = lmm.encode(images)
    monkeypatch.setattr(lmm._passes, "_decode", SmallMemory(lmm._passes._decode, 0))
    with pytest.raises(RefocusError, match="bfloat16"):
        lmm.score(features, ROWS, QUESTIONS)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    calls = []

    def run(tokens):
        calls.append(tokens)
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes"):
        budget.retrying(run, 64, 1, calls.append)
    assert calls == [64]


def test_budgets_are_halved_down_to_the_least():
    tried = []

    def run(tokens):
        tried.append(tokens)
        assert len(tried) < 9, "no end"
        raise MemoryError

    with pytest.raises(RefocusError):
        budget.retrying(run, 100, 30, lambda tokens: None)
    assert tried == [100, 50, 30]


def test_a_gpus_budget_follows_its_free_memory_and_the_models_bytes(lmm, monkeypatch):
    config, gpu = lmm.model.config, torch.device("cuda")
    monkeypatch.setattr(budget, "free_bytes", lambda device: 10**9)
    costs = max(budget.token_bytes(config, 4), budget.patch_bytes(config, 4))
    assert budget.automatic(config, 4, gpu) == pytest.approx(0.7e9 / costs, rel=1e-3)
    assert budget.automatic(config, 2, gpu) == pytest.approx(2 * budget.automatic(config, 4, gpu), rel=1e-3)
    assert budget.automatic(config, 4, torch.device("cpu")) == budget.CPU_TOKENS
    monkeypatch.setattr(budget, "free_bytes", lambda device: 100 * costs)
    assert budget.automatic(config, 4, torch.device("cpu")) == 70


def test_token_bytes_of_the_8b_model_hold_its_56_kib_of_keys_and_values_twice():
    shape = {"num_hidden_layers": 28, "hidden_size": 3584, "num_attention_heads": 28, "num_key_value_heads": 4}
    text = SimpleNamespace(**shape, intermediate_size=18944)
    cost = budget.token_bytes(SimpleNamespace(get_text_config=lambda decoder: text), 2)
    assert 2 * 56 * 1024 < cost < 400 * 1024


def test_free_memory_of_this_machine_is_a_plausible_number():
    assert 2**20 < budget.free_bytes(torch.device("cpu")) < 2**46


def test_a_given_budget_is_kept(lmm_folder):
    assert load_lmm(lmm_folder, batch_tokens=77).batch_tokens == 77
