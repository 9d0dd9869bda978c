"""The scorer computes what a prefix tree and one suffix per question and subset need, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refocus.config.reward import RewardSettings
from refocus.lmm import Prompt, load_lmm
from refocus.reward.margin_cache import MarginCache
from refocus.reward.score_shard import score_shard

from tests.reward.test_equality import OneClip, questions
from tests.reward.test_score_shard import question
from tests.support.reference import sixteen_subsets
from tests.support.tiny_lmm import BUILDERS

WRAPPED_512 = 416  # frame slots of the tree over the 16 subsets of 512 frames, of 512 without sharing


def frame_tokens(place, frame=None):
    """`Frame`, the digits of its number, `:`, ` `, `<img>`, four features, `</img>`, newline."""
    return 10 + len(str(place + 1))


TOKENS = {
    "internvl": frame_tokens,
    "llava_onevision": lambda place, frame: 4,
    "qwen2_5_vl": lambda place, frame: 4,
    "qwen3_vl": lambda place, frame: 9 + len(f"{frame / 4:.1f}"),  # `<`, its second, ` seconds`, `>`, two marks
}


def tree_tokens(lists, system, one_frame):
    """Tokens of a prefix tree by its definition: every distinct beginning adds its last frame."""
    beginnings = {tuple(frames[: n + 1]) for frames in lists for n in range(len(frames))}
    return system + sum(one_frame(len(beginning) - 1, beginning[-1]) for beginning in beginnings)


def run(lmm, n_frames, asked, scheme="wrapped"):
    rows = [question(i, "c", question=text, options=options) for i, (text, options, _) in enumerate(asked)]
    rows = [row if row.answer_index < len(row.options) else question(0, "c") for row in rows]
    return score_shard(
        lambda: lmm, OneClip(n_frames), rows, RewardSettings(model="tiny", windows=scheme), MarginCache(None, {})
    )


def test_nine_questions_on_the_longest_clip_cost_a_tree_and_their_suffixes(lmm):
    texts = [(f"What colour is {'the ' * i}circle?", ("red", "green"), 0) for i in range(9)]
    run(lmm, 512, texts)
    lists = [frames for _, frames in sixteen_subsets(512, "wrapped")]
    system = len(lmm.tokenizer(lmm.family.prefix(0, 4)).input_ids)
    suffix = sum(len(lmm.tokenizer(lmm.family.suffix(Prompt(text, options))).input_ids) for text, options, _ in texts)
    assert lmm.work.frames == len({frame for frames in lists for frame in frames})
    assert lmm.work.slots == WRAPPED_512
    assert lmm.work.prefix_tokens == tree_tokens(lists, system, frame_tokens)
    assert lmm.work.suffix_tokens == 16 * suffix


@pytest.mark.parametrize("scheme", ["wrapped", "literal"])
@pytest.mark.parametrize("n_frames", [1, 7, 8, 31, 120])
@pytest.mark.parametrize("family", TOKENS)
@pytest.mark.parametrize("batch_tokens", [1, 2000])
def test_no_clip_costs_more_than_two_percent_beyond_that(lmm, tmp_path, family, n_frames, scheme, batch_tokens):
    if family != "internvl":
        lmm = load_lmm(BUILDERS[family](tmp_path))
    lmm.batch_tokens = batch_tokens
    texts = [(text, ("red", "green"), 0) for text, _, _ in questions(3, n_frames)]
    run(lmm, n_frames, texts, scheme)
    lists = [frames for _, frames in sixteen_subsets(n_frames, scheme)]
    system = len(lmm.tokenizer(lmm.family.prefix(0, 4)).input_ids)
    suffix = sum(len(lmm.tokenizer(lmm.family.suffix(Prompt(text, options))).input_ids) for text, options, _ in texts)
    asked = {tuple(frames) for frames in lists}  # equal subsets are one
    least = tree_tokens(lists, system, TOKENS[family]) + len(asked) * suffix
    assert lmm.work.frames == len({frame for frames in lists for frame in frames})
    assert least <= lmm.work.prefix_tokens + lmm.work.suffix_tokens <= 1.02 * least


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 200), st.integers(1, 3), st.integers(1, 3000))
def test_memory_stays_within_the_budget_and_one_path_beside_it(lmm_folder, n_frames, count, budget):
    lmm = load_lmm(lmm_folder, batch_tokens=budget)
    run(lmm, n_frames, [(text, ("red", "green"), 0) for text, _, _ in questions(count, n_frames)])
    longest = max(len(frames) for _, frames in sixteen_subsets(n_frames, "wrapped"))
    path = 512 + sum(map(frame_tokens, range(longest)))  # system message and questions are shorter than 512 tokens
    assert lmm.work.peak_tokens <= path + 2 * max(budget, path)
