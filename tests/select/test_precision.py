"""The precision a policy is asked in: float32 to the bit where a CPU is told nothing, bfloat16 where it is told so."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from refocus.config.likelihood import LikelihoodSettings
from refocus.config.select import SelectSettings
from refocus.core.errors import UsageError
from refocus.core.files import settings_of
from refocus.frames.frame_store import FrameStore
from refocus.select.likelihood import likelihoods
from refocus.select.policy_frames import PolicyFrameSelector, load_policy_selector
from refocus.select.policy_selector import ask_policy

from tests.support.asked_videos import build_asked_videos
from tests.support.tiny_policy import PROMPTS, build_policy

K = 4
PRECISIONS = ("auto", "float32", "bfloat16")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)


@pytest.fixture
def policy():
    return build_policy(0, torch.float32)


@pytest.fixture
def computed_in(policy):
    """The types that the policy's matrix products have had, tower and backbone alike."""
    seen = {"vision": set(), "backbone": set(), "heads": set()}
    for name, kinds in seen.items():
        for module in getattr(policy, name).modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(lambda module, given, made, kinds=kinds: kinds.add(made.dtype))
    return seen


def _select(policy, images, precision):
    return ask_policy(policy, images, PROMPTS, K, [1, 2, 3], SelectSettings(precision=precision))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_frames_are_picked_in_the_precision_that_is_set(policy, images, computed_in, precision):
    _select(policy, images, precision)
    assert set.union(*computed_in.values()) == {getattr(torch, precision)} and all(computed_in.values())
    assert {parameter.dtype for parameter in policy.parameters()} == {torch.float32}


def test_on_a_cpu_nothing_said_is_float32_to_the_bit(policy, images):
    plain = policy.pick(images, PROMPTS, K, [1, 2, 3])
    for precision in ("auto", "float32"):
        made = _select(policy, images, precision)
        assert [list(picks.order) for picks in made] == plain.order.tolist()
        assert [list(picks.score) for picks in made] == plain.score.tolist()
    narrow = [picks.score for picks in _select(policy, images, "bfloat16")]
    assert narrow != [tuple(score) for score in plain.score.tolist()]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return build_asked_videos(tmp_path_factory.mktemp("asked"), ("even.mp4",))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_likelihoods_have_the_precision_of_picks(policy, computed_in, bench, precision):
    """So that a curve is of the same policy as the picks beside it."""
    store = FrameStore.open([bench.index])
    made = likelihoods(policy, store, bench.questions, K, LikelihoodSettings(samples=2, precision=precision))
    assert set.union(*computed_in.values()) == {torch.bfloat16 if precision == "bfloat16" else torch.float32}
    assert all(row.marginal.sum() == pytest.approx(1, abs=1e-5) for row in made.values()) and made


def test_a_selection_says_in_which_precision_it_was_picked(bench, tmp_path):
    """And nothing where that is float32, so that its digest is that of tables from before there was a choice."""
    build_policy(0, torch.float32).save_pretrained(tmp_path / "policy")
    digests, named = {}, {}
    for precision in PRECISIONS:
        words = ["--model", tmp_path / "policy", "--device", "cpu", "--precision", precision]
        table = pq.read_table(bench.select("refocus/demo", 2, tmp_path / precision, *words))
        digests[precision] = table["selector_digest"][0].as_py()
        named[precision] = settings_of(table.schema).get("precision")
    assert digests["auto"] == digests["float32"] != digests["bfloat16"]
    assert named == {"auto": None, "float32": None, "bfloat16": "bfloat16"}


def test_a_video_is_read_and_asked_about_in_that_precision(policy, computed_in, bench):
    selector = PolicyFrameSelector(policy, SelectSettings(precision="bfloat16"))
    picked = selector.select(bench.videos / "even.mp4", "which colour", n_frames=2)
    assert set.union(*computed_in.values()) == {torch.bfloat16} and all(computed_in.values())
    assert sum(picked.likelihood.values) == pytest.approx(1, abs=1e-3)


def test_what_was_read_in_another_precision_is_refused(bench, tmp_path):
    """Its digest and that of the picks tell the precisions apart; float32 is what it was before there was a choice."""
    build_policy(0, torch.float32).save_pretrained(tmp_path)
    selectors = {name: load_policy_selector(tmp_path, SelectSettings(precision=name)) for name in PRECISIONS}
    for told in ("digest", "reader"):
        auto, wide, narrow = (getattr(selectors[name], told) for name in PRECISIONS)
        assert auto == wide != narrow
    with pytest.raises(UsageError, match="was read by another selector"):
        selectors["float32"].select(selectors["bfloat16"].encode(bench.videos / "even.mp4"), "which colour")
