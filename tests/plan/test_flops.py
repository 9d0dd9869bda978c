"""The plan's equations against counters of a model that runs: a tiny random InternVL over all subsets of a clip."""

import copy

import numpy as np
import pytest
import torch
from refocus.config.plan import PlanSettings
from refocus.config.reward import RewardSettings
from refocus.frames.index import ClipFrames
from refocus.lmm.prompts import Prompt, internvl_prefix, internvl_suffix
from refocus.plan.flops import Flops, policy_frame_flops, policy_prefix_flops, triangle
from refocus.plan.model_shapes import PUBLISHED, lmm_shape
from refocus.plan.prompt_tokens import prompt_tokens
from refocus.plan.reward_layout import SCHEMES, QuestionGroup, layout, reward_work
from refocus.qa.records import Question
from refocus.reward.score_shard import ClipTask, score_clip
from refocus.reward.windows import subsets
from torch.utils.flop_counter import FlopCounterMode

from tests.support.tiny_policy import build_features, build_policy

SETTINGS = RewardSettings(frames_per_subset=8)
FRAMES = 40
ASKED = [
    Prompt("What colour is the circle?", ("red", "green", "blue")),
    Prompt("How many?", ("red", "green")),
    Prompt("What is shown first, before the last circle disappears?", ("circle", "square", "red", "yellow")),
]


def attended(query, key, value, dropout_p=0.0, is_causal=False, *, attn_mask=None, out_val=None, **_):
    """FLOP of attention over the pairs that are attended, which PyTorch's own formula takes to be all."""
    q, k = query.shape[-2], key.shape[-2]
    pairs = query.shape[0] * (triangle(k) - triangle(k - q) if is_causal else q * k)
    if attn_mask is not None:
        seen = attn_mask if attn_mask.dtype == torch.bool else attn_mask == 0
        pairs = int(seen.expand(query.shape[0], 1, q, k).sum())
    return 4 * pairs * query.shape[1] * query.shape[-1]


attended._get_raw = True


def counted(work) -> float:
    """FLOP that `work()` computes."""
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attended}
    )
    with torch.no_grad(), counter:
        work()
    return counter.get_total_flops()


class Reference:
    """The four schemes, run on the model as plainly as can be; each gives the logits of every (subset, question)."""

    def __init__(self, lmm):
        self.model, self.tokenize = lmm.model, lambda text: lmm.tokenizer(text, add_special_tokens=False).input_ids
        self.per_frame = lmm.tokens_per_frame
        self.pixels = torch.randn(FRAMES, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        self.chosen = [subset.frames for subset in subsets(FRAMES, SETTINGS.frames_per_subset)]
        self.suffixes = [self.tokenize(internvl_suffix(prompt)) for prompt in ASKED]

    def prefix(self, n):
        return self.tokenize(internvl_prefix(n, self.per_frame))

    def naive(self):
        return [
            self.model(
                input_ids=torch.tensor([self.prefix(len(frames)) + suffix]),
                pixel_values=self.pixels[list(frames)],
                logits_to_keep=1,
            ).logits[0, 0]
            for frames in self.chosen
            for suffix in self.suffixes
        ]

    def vision_once(self):
        features = self.features()
        return [
            self.model(
                inputs_embeds=torch.cat([self.embed(frames, features), self.words(suffix)], 1), logits_to_keep=1
            ).logits[0, 0]
            for frames in self.chosen
            for suffix in self.suffixes
        ]

    def shared_prefix(self):
        features, logits = self.features(), []
        for frames in self.chosen:
            cache = self.cache()
            self.decode(self.embed(frames, features), cache)
            logits += self.ask(cache)
        return logits

    def prefix_tree(self):
        features = self.features()
        root = self.cache()
        self.decode(self.words(self.prefix(0)), root)
        caches = {(): root}
        for frames in self.chosen:
            for depth in range(1, len(frames) + 1):
                if frames[:depth] not in caches:
                    cache = copy.deepcopy(caches[frames[: depth - 1]])
                    start = len(self.prefix(depth - 1))
                    self.decode(self.embed(frames[:depth], features)[:, start:], cache)
                    caches[frames[:depth]] = cache
        return [logits for frames in self.chosen for logits in self.ask(copy.deepcopy(caches[frames]))]

    def features(self):
        """Of the frames that some subset has, by frame."""
        needed = sorted({frame for frames in self.chosen for frame in frames})
        encoded = self.model.get_image_features(self.pixels[needed], return_dict=True).pooler_output
        return dict(zip(needed, encoded, strict=True))

    def embed(self, frames, features):
        ids = torch.tensor([self.prefix(len(frames))])
        x = self.words(ids[0].tolist())
        x[ids == self.model.config.image_token_id] = torch.cat([features[frame] for frame in frames])
        return x

    def words(self, ids):
        return self.model.get_input_embeddings()(torch.tensor([ids]))

    def cache(self):
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)

    def decode(self, x, cache):
        return self.model.model.language_model(inputs_embeds=x, past_key_values=cache).last_hidden_state

    def ask(self, cache):
        for suffix in self.suffixes:
            hidden = self.decode(self.words(suffix), cache)[:, -1]
            cache.crop(-len(suffix))
            yield self.model.get_output_embeddings()(hidden)[0]


@pytest.fixture
def planned(lmm_folder):
    """Shape, prompt tokens and the planned work of every scheme, from the model's folder alone."""
    shape, _ = lmm_shape(str(lmm_folder))
    tokens = prompt_tokens(str(lmm_folder), shape, SETTINGS.frames_per_subset, PlanSettings())
    lengths = [tokens.count(prompt) for prompt in ASKED]
    group = QuestionGroup(FRAMES, 1, len(ASKED), sum(lengths), sum(map(triangle, lengths)))
    return shape, tokens, reward_work(group, SETTINGS, tokens.starts)


@pytest.mark.parametrize("scheme", [name for name, _ in SCHEMES])
def test_planned_flops_are_those_that_a_model_computes(lmm, planned, scheme):
    shape, _, work = planned
    found = counted(getattr(Reference(lmm), scheme))
    assert work[scheme].flops(shape) == pytest.approx(found, rel=1e-3)


def test_the_schemes_that_are_compared_give_the_same_logits(lmm):
    """So that what is counted is the same work done in four ways."""
    reference = Reference(lmm)
    with torch.no_grad():
        naive = torch.stack(reference.naive())
        for scheme in ("vision_once", "shared_prefix", "prefix_tree"):
            torch.testing.assert_close(torch.stack(getattr(reference, scheme)()), naive, atol=1e-4, rtol=0)


def test_frames_and_tokens_are_those_counted_by_hand(lmm, planned):
    _, tokens, work = planned
    reference = Reference(lmm)
    lengths = [len(reference.prefix(n)) for n in range(SETTINGS.frames_per_subset + 1)]
    assert list(tokens.starts) == lengths
    asked = sum(map(len, reference.suffixes))
    prefixes = [lengths[len(frames)] for frames in reference.chosen]
    beginnings = {frames[:n] for frames in reference.chosen for n in range(1, len(frames) + 1)}
    by_hand = {
        "naive": 3 * sum(prefixes) + 16 * asked,
        "vision_once": 3 * sum(prefixes) + 16 * asked,
        "shared_prefix": sum(prefixes) + 16 * asked,
        "prefix_tree": lengths[0] + sum(lengths[len(b)] - lengths[len(b) - 1] for b in beginnings) + 16 * asked,
    }
    assert {name: part.tokens for name, part in work.items()} == by_hand
    unique = len({frame for frames in reference.chosen for frame in frames})
    assert [part.frames for part in work.values()] == [3 * sum(map(len, reference.chosen)), unique, unique, unique]
    assert {part.rows for part in work.values()} == {48}


def test_a_scored_clip_costs_what_sharing_leaves(lmm, planned):
    """The reward pass costs what a tree without any waste costs."""
    shape, _, work = planned
    questions = tuple(
        Question(f"q{n}", "d", "train", "c", "c.mp4", None, None, prompt.question, prompt.options, 0, "", "", "", ())
        for n, prompt in enumerate(ASKED)
    )
    clip = ClipFrames("c", "ok", None, FRAMES, [n / 4 for n in range(FRAMES)], list(range(FRAMES)))
    task = ClipTask(clip, None, questions, tuple(subsets(FRAMES, 8)))
    images = np.random.default_rng(0).integers(0, 256, (len(task.needed), 32, 32, 3), dtype=np.uint8)
    found = counted(lambda: score_clip(lmm, images, task))
    assert found == pytest.approx(work["prefix_tree"].flops(shape), rel=0.02)


def test_a_policys_prefix_costs_what_the_plan_says():
    policy = build_policy(dtype=torch.float32, width=64, head_dim=16, state=16)
    features = build_features(policy, [12])
    found = counted(lambda: policy.prefix(features))
    text = len(policy.tokenize("<|system|>You are a helpful AI assistant.<|endoftext|>\n<|user|>\n"))
    assert policy_prefix_flops(policy.config, 12, text) == pytest.approx(found, rel=0.02)


def test_a_policys_tower_costs_what_the_plan_says():
    policy = build_policy(dtype=torch.float32)
    images = np.zeros((5, 32, 32, 3), np.uint8)
    assert 5 * policy_frame_flops(policy.config) == pytest.approx(counted(lambda: policy.encode(images)), rel=0.02)


def test_the_papers_reward_pass_at_full_scale():
    """962K questions on 300K clips of 512 frames, 8.5K tokens of frames, 170 of question, 8B, 790 TFLOP/s at 50 %."""
    starts = [8500 * n // 32 for n in range(33)]
    group = QuestionGroup(512, 300e3, 962e3, 962e3 * 170, 962e3 * triangle(170))
    work = reward_work(group, RewardSettings(), starts)
    shape = PUBLISHED["OpenGVLab/InternVL3-8B-hf"]
    hours = [part.flops(shape) / (790e12 * 0.5) / 3600 for part in work.values()]
    assert hours == pytest.approx([1641, 1414, 481, 401], rel=0.02)


@pytest.mark.parametrize("windows", ["wrapped", "literal"])
@pytest.mark.parametrize("n_frames", [1, 7, 8, 31, 240, 512])
def test_a_tree_holds_every_distinct_beginning_once(n_frames, windows):
    found = layout(n_frames, 32, windows, "midpoints")
    chosen = [subset.frames for subset in subsets(n_frames, 32, windows)]
    assert found.sizes == tuple(map(len, chosen))
    assert sorted(found.distinct) == sorted(map(len, set(chosen)))
    assert found.unique == len(set().union(*chosen))
    assert sum(found.branches) == len({frames[:n] for frames in chosen for n in range(1, len(frames) + 1)})
    assert max(found.sizes) <= sum(found.branches) <= sum(found.sizes)


def test_equal_subsets_are_computed_once_where_prefixes_are_shared():
    """A frame is eight subsets: two such clips with five questions of 100 tokens, prompts of 10 and then 30 tokens."""
    work = reward_work(QuestionGroup(1, 2, 5, 100, 1000), SETTINGS, [10, 30])
    alone = Flops(tokens=8 * (5 * 30 + 100), pairs=8 * (5 * triangle(30) + 30 * 100 + 1000), rows=8 * 5)
    shared = Flops(frames=2, tokens=2 * 30 + 100, pairs=2 * triangle(30) + 30 * 100 + 1000, rows=5)
    assert work == {
        "naive": Flops(frames=8 * 5) + alone,
        "vision_once": Flops(frames=2) + alone,
        "shared_prefix": shared,
        "prefix_tree": shared,
    }


def test_clips_without_questions_cost_nothing():
    work = reward_work(QuestionGroup(40, 5, 0, 0, 0), SETTINGS, list(range(0, 90, 10)))
    assert set(work.values()) == {Flops()}
