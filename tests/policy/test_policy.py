"""The policy: prompts, prefix, questions, heads, initialisation, files."""

import dataclasses

import numpy as np
import pytest
import torch
from refocus.config.policy import PolicySettings
from refocus.core.errors import RefocusError, UsageError
from refocus.lmm.prompts import Prompt
from refocus.policy.config import PolicyConfig
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.heads import entropy, log_policy
from refocus.policy.initialise import reinitialised
from refocus.policy.policy_prompt import after_frames, before_frames
from refocus.policy.vision import Connector
from torch import nn
from transformers import SiglipVisionConfig, SiglipVisionModel

from tests.support.tiny_policy import PROMPTS, SMALL, VISION, build_features, build_policy

TIGHT = {"rtol": 1e-9, "atol": 1e-11}


@pytest.fixture
def policy():
    return build_policy()


def test_prompts_are_the_golden_strings():
    """B.6.2 around two frames, in both variants, and without option lines for open questions."""
    prompt = Prompt("{question}", ("{option A}", "{option B}"))
    made = {name: before_frames(name) + "{F1}{F2}" + after_frames(name, prompt) for name in ("paper", "released")}
    assert made["paper"] == (
        "<|system|>You are a helpful AI assistant.<|endoftext|>\n<|user|>\n{F1}{F2}\n{question}\nA. {option A}\n"
        "B. {option B}\n<|endoftext|>"
    )
    assert made["released"] == (
        "<|system|>You are a helpful AI assistant.<|endoftext|><|user|>{F1}{F2}\n{question}\nA. {option A}\n"
        "B. {option B}<|endoftext|>"
    )
    assert after_frames("paper", Prompt("Why?")) == "\nWhy?\n<|endoftext|>"


def test_one_prefix_is_the_naive_concatenation(policy):
    """Keys, values and the first latent equal one long sequence per question, with the same gradients."""
    features = build_features(policy, [5])[0].requires_grad_()
    clips = policy.prefix([features])
    asked = policy.ask(clips, [0, 0, 0], PROMPTS)
    policy_parameters = [p for p in policy.parameters() if p.requires_grad]
    frames = policy.frame_tokens(features).flatten(0, 1)
    system = policy.embed(policy.tokenize(before_frames("paper")))
    latents = []
    for prompt in PROMPTS:
        question = policy.embed(torch.tensor([*policy.question_ids(prompt), SMALL.start_of_frame]))
        hidden, _ = policy.backbone(torch.cat([system, frames, question])[None])
        ends = [len(system) + (i + 1) * SMALL.tokens_per_frame - 1 for i in range(5)]
        torch.testing.assert_close(clips.keys, policy.heads.key(hidden[:, ends]), **TIGHT)
        torch.testing.assert_close(clips.values, policy.heads.value(hidden[:, ends]), **TIGHT)
        latents.append(hidden[0, -1])
    torch.testing.assert_close(asked.latent, torch.stack(latents), **TIGHT)
    ours = torch.autograd.grad(asked.latent.sin().sum(), [features, *policy_parameters], allow_unused=True)
    naive = torch.autograd.grad(torch.stack(latents).sin().sum(), [features, *policy_parameters], allow_unused=True)
    for a, b in zip(ours, naive, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, **TIGHT)


def test_clips_in_a_batch_do_not_see_each_other(policy):
    """A padded batch of clips and questions equals each clip and question alone."""
    features = build_features(policy, [3, 9, 1])
    clips = policy.prefix(features)
    asked = policy.ask(clips, [2, 0, 1], PROMPTS)
    assert clips.mask.sum(1).tolist() == [3, 9, 1]
    for row, clip in enumerate([2, 0, 1]):
        alone = policy.prefix([features[clip]])
        t = len(features[clip])
        torch.testing.assert_close(clips.keys[clip, :t], alone.keys[0], **TIGHT)
        torch.testing.assert_close(clips.values[clip, :t], alone.values[0], **TIGHT)
        one = policy.ask(alone, [0], [PROMPTS[row]])
        torch.testing.assert_close(asked.latent[row], one.latent[0], **TIGHT)
        for a, b in zip((*asked.state.ssm, *asked.state.conv), (*one.state.ssm, *one.state.conv), strict=True):
            torch.testing.assert_close(a[row], b[0], **TIGHT)


def test_pooling_before_the_last_layer_is_pooling_after_it():
    """The connector equals MLP, then bilinear pooling, on an odd grid where 7 becomes 4."""
    config = dataclasses.replace(SMALL, vision={**VISION, "image_size": 56})
    connector = Connector(config).double()
    x = torch.randn(2, 49, 16, dtype=torch.float64)
    full = connector.fc2(nn.functional.gelu(connector.fc1(x))).transpose(1, 2).view(2, 16, 7, 7)
    pooled = nn.functional.interpolate(full, size=(4, 4), mode="bilinear").flatten(2).transpose(1, 2)
    torch.testing.assert_close(connector(x), pooled, **TIGHT)
    assert config.tokens_per_frame == 16
    assert PolicyConfig().tokens_per_frame == 196


def test_the_tower_stops_before_its_last_layer(policy):
    """Features are the hidden states of SigLIP's penultimate layer, frozen, in evaluation mode."""
    policy.float().train()
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    full = SiglipVisionModel(SiglipVisionConfig(**VISION)).eval()
    assert not full.load_state_dict(policy.vision.state_dict(), strict=False).unexpected_keys
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    hidden = full(pixels, output_hidden_states=True).hidden_states
    torch.testing.assert_close(policy.encode(images), hidden[-2], rtol=1e-4, atol=1e-5)
    assert not policy.vision.training
    assert not any(p.requires_grad for p in policy.vision.parameters())
    assert policy.encode(images[:0]).shape == (0, 16, 16)


def test_initialisation_is_b2():
    """Two new layers with gamma 0.1, final norm 1, orthogonal heads with gains 1, 1, 0.1, scale 1; the rest kept."""
    torch.manual_seed(3)
    policy = FramePolicy(SMALL)
    for parameter in policy.backbone.parameters():
        parameter.data += 0.3
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    mark = torch.get_rng_state()
    policy.initialise_selection(PolicySettings(), seed=1)
    assert torch.equal(mark, torch.get_rng_state())
    for block in list(policy.backbone.layers)[1:]:
        assert torch.equal(block.mixer.norm.weight, torch.full((32,), 0.1))
        assert torch.equal(block.norm.weight, torch.ones(16))
        assert torch.equal(block.mixer.D, torch.ones(4))
        assert (block.mixer.A_log.exp() >= 1).all() and (block.mixer.A_log.exp() <= 16).all()
        dt = nn.functional.softplus(block.mixer.dt_bias)
        assert (dt >= 9e-4).all() and (dt <= 0.11).all()
        assert block.mixer.out_proj.weight.abs().max() <= 1 / (32**0.5 * 3**0.5)
    assert torch.equal(policy.backbone.norm_f.weight, torch.ones(16))
    for head, gain in ((policy.heads.key, 1.0), (policy.heads.query, 1.0), (policy.heads.value, 0.1)):
        torch.testing.assert_close(head.weight @ head.weight.T, gain**2 * torch.eye(16), rtol=0, atol=1e-5)
    assert policy.heads.key.bias is None and policy.heads.query.bias is None
    assert policy.heads.value.bias.abs().max() == 0
    assert policy.heads.scale.item() == 1.0
    after = policy.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not {name for name in changed if name.startswith(("vision.", "connector.", "backbone.layers.0."))}
    rows = (
        (before["backbone.embedding.weight"] != after["backbone.embedding.weight"]).any(1).nonzero().flatten().tolist()
    )
    assert rows == [SMALL.start_of_frame]
    new = reinitialised(policy, 2)
    assert {"heads.scale", "backbone.norm_f.weight", "backbone.layers.1.mixer.A_log"} <= new
    assert "backbone.layers.0.norm.weight" not in new
    with pytest.raises(UsageError, match="reinit_layers"):
        policy.initialise_selection(PolicySettings(reinit_layers=4), seed=1)


def test_heads_that_begin_alike_score_a_frame_by_its_likeness_to_the_latent():
    """The first scores are inner products: two heads of their own would give them any values."""
    policy = FramePolicy(SMALL)
    policy.initialise_selection(PolicySettings(reinit_layers=0, query_init="key", key_gain=2.0, query_gain=3.0), seed=1)
    frames, heads = torch.randn(1, 7, 16), policy.heads
    scores = heads.scores(heads.key(frames), frames)
    torch.testing.assert_close(scores, 6.0 / heads.divisor * frames @ frames.transpose(1, 2), rtol=1e-4, atol=1e-4)


def test_start_of_frame_is_drawn_with_the_papers_spread():
    """N(0, 0.02) for the start token's row, seen on a wide one."""
    policy = FramePolicy(dataclasses.replace(SMALL, width=512))
    policy.initialise_selection(PolicySettings(), seed=0)
    row = policy.backbone.embedding.weight[SMALL.start_of_frame]
    assert abs(row.std().item() - 0.02) < 0.003 and abs(row.mean().item()) < 0.003


def test_initialisation_follows_its_seed():
    """One seed, one initialisation."""
    heads = []
    for seed in (0, 0, 1):
        policy = FramePolicy(SMALL)
        policy.initialise_selection(PolicySettings(), seed)
        heads.append(policy.heads.key.weight)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saving_and_loading(tmp_path, dtype):
    """A folder read back gives the same config, prompts and weights (to half precision where asked for)."""
    policy = build_policy(dtype=torch.float32)
    policy.save_pretrained(tmp_path, dtype)
    again = FramePolicy.from_pretrained(tmp_path)
    assert again.config == policy.config
    assert again.question_ids(PROMPTS[0]) == policy.question_ids(PROMPTS[0])
    for name, tensor in again.state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, policy.state_dict()[name].to(dtype).float(), rtol=0, atol=0)


def test_broken_folders_are_named(tmp_path):
    """A missing file, an unknown key and a foreign tensor are usage errors that say so."""
    policy = build_policy(dtype=torch.float32)
    with pytest.raises(UsageError, match=r"no config\.json"):
        FramePolicy.from_pretrained(tmp_path)
    policy.save_pretrained(tmp_path)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"width"', '"widht"'))
    with pytest.raises(RefocusError, match=r"config\.json is not what was written"):
        FramePolicy.from_pretrained(tmp_path)
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.raises(UsageError, match="widht"):
        FramePolicy.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text.replace('"layers": 3', '"layers": 4'))
    with pytest.raises(UsageError, match=r"missing tensors backbone\.layers\.3"):
        FramePolicy.from_pretrained(tmp_path)


def test_logits_are_scaled_as_the_paper_says():
    """K q s / sqrt(d) with s = 4 as set, whatever function of the parameter s is; without the division if so asked."""
    keys, latents = torch.randn(1, 5, 16, dtype=torch.float64), torch.randn(1, 2, 16, dtype=torch.float64)
    for variant, factor in (
        ({}, 4.0 / 16**0.5),
        ({"attention_scaling": False}, 4.0),
        ({"scale": "softplus"}, 4.0 / 16**0.5),
        ({"scale": "exp", "scale_shape": "vector"}, 4.0 / 16**0.5),
    ):
        policy = build_policy(**variant)
        expected = torch.einsum("qtd,qmd->qmt", keys, policy.heads.query(latents)) * factor
        torch.testing.assert_close(policy.heads.scores(keys, latents), expected, rtol=1e-6, atol=1e-8)


def test_entropy_of_a_uniform_policy_is_log_of_what_is_left():
    """Eq. 6 at equal scores is log|A| over the available frames, and its gradient is finite and zero."""
    logits = torch.zeros(2, 7, dtype=torch.float64, requires_grad=True)
    available = torch.tensor([[True] * 4 + [False] * 3, [False] * 6 + [True]])
    value = entropy(log_policy(logits, available))
    torch.testing.assert_close(value, torch.tensor([4.0, 1.0], dtype=torch.float64).log(), **TIGHT)
    grad = torch.autograd.grad(value.sum(), logits)[0]
    assert grad.isfinite().all() and grad.abs().max() < 1e-12


def test_a_row_without_frames_left_is_harmless():
    """No NaN in value or gradient where every frame is taken."""
    logits = torch.randn(3, dtype=torch.float64, requires_grad=True)
    value = entropy(log_policy(logits, torch.zeros(3, dtype=torch.bool)))
    assert value == 0
    assert torch.autograd.grad(value, logits)[0].abs().max() == 0
