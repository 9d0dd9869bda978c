"""What public checkpoints compute here is what their equations say, by an account of its own."""

import json
import logging
import math
import os

import pytest
import torch
import torch.nn.functional as F
from refocus.config.policy import PolicySettings
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.rollout import distributions
from safetensors.torch import load_file
from transformers import Mamba2Model, SiglipVisionConfig, SiglipVisionModel

from tests.support.tiny_public import (
    AFTER,
    BEFORE,
    FRAMES,
    PICKS,
    PROMPT,
    TOWER,
    VISION,
    build_tokenizer,
    write_mamba2,
    write_mamba2_hf,
    write_refocus,
    write_siglip,
    write_video_ma2mba,
)


class Account:
    """The released class by its equations, one token at a time, on a checkpoint's own tensors in float64.

    d width · e inner width · h heads of p · n state · c channels of the convolution
    """

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.w = {name: tensor.double() for name, tensor in load_file(folder / "model.safetensors").items()}

    def frames(self, images):
        """Penultimate layer, pooling, then two layers with a GELU: (f, q, d)."""
        tower = SiglipVisionModel(SiglipVisionConfig(**VISION, vision_use_head=False)).double().eval()
        inside = {name.removeprefix(TOWER): t for name, t in self.w.items() if name.startswith(TOWER)}
        left = tower.load_state_dict(inside, strict=False)
        assert not left.unexpected_keys and all(name.startswith("encoder.layers.2.") for name in left.missing_keys)
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
        with torch.no_grad():
            x = tower((pixels - 0.5) / 0.5, output_hidden_states=True).hidden_states[-2]
        x = torch.stack([self.pool(frame.view(7, 7, -1)).flatten(0, 1) for frame in x])
        w, b = (lambda i, kind: self.w[f"mm_model.mm_projector.{i}.{kind}"]), "bias"
        return F.gelu(x @ w(0, "weight").T + w(0, b)) @ w(2, "weight").T + w(2, b)

    def pool(self, grid):
        """(7, 7, c) -> (4, 4, c) at half-pixel centres, or (3, 3, c) by windows of 2."""
        if self.config["mm_spatial_pool_mode"] != "bilinear":
            reduce = {"average": torch.mean, "max": torch.amax}[self.config["mm_spatial_pool_mode"]]
            cell = lambda i, j: reduce(grid[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], dim=(0, 1))  # noqa: E731
            return torch.stack([torch.stack([cell(i, j) for j in range(3)]) for i in range(3)])
        rows = torch.zeros(4, 7, dtype=torch.float64)
        for i in range(4):
            centre = max((i + 0.5) * 7 / 4 - 0.5, 0.0)
            low = int(centre)
            rows[i, low] += 1 - (centre - low)
            rows[i, min(low + 1, 6)] += centre - low
        return torch.einsum("iy,jx,yxc->ijc", rows, rows, grid)

    def backbone(self, x):
        """(s, d) embeddings -> (s, d) normed outputs."""
        for i in range(self.config["n_layer"]):
            layer = f"backbone.layers.{i}."
            inside = {k.removeprefix(f"{layer}mixer."): t for k, t in self.w.items() if k.startswith(f"{layer}mixer.")}
            x = x + self.mixer(inside, rms(x) * self.w[f"{layer}norm.weight"])
        return rms(x) * self.w["backbone.norm_f.weight"]

    def mixer(self, w, u):
        """H <- exp(dt A) H + dt x B^T, y = H C + D x, then norm(y silu(z)), token by token."""
        ssm = self.config["ssm_cfg"]
        n, p, g = ssm["d_state"], ssm["headdim"], ssm["ngroups"]
        e = u.shape[1] * ssm["expand"]
        h = e // p
        z, xbc, dt = (u @ w["in_proj.weight"].T).split([e, e + 2 * g * n, h], -1)
        before = torch.cat([xbc.new_zeros(ssm["d_conv"] - 1, e + 2 * g * n), xbc])
        state, out = u.new_zeros(h, p, n), []
        for t in range(len(u)):
            window = before[t : t + ssm["d_conv"]]
            mixed = F.silu((window * w["conv1d.weight"][:, 0].T).sum(0) + w["conv1d.bias"])
            x, B, C = mixed.split([e, g * n, g * n])
            B, C = (v.view(g, n).repeat_interleave(h // g, 0) for v in (B, C))
            x, step = x.view(h, p), torch.log1p((dt[t] + w["dt_bias"]).exp())
            decay = (-step * w["A_log"].exp()).exp()
            state = decay[:, None, None] * state + step[:, None, None] * x[:, :, None] * B[:, None, :]
            out.append(((state * C[:, None, :]).sum(-1) + w["D"][:, None] * x).flatten())
        y = torch.stack(out) * F.silu(z)
        y = torch.cat([rms(part) for part in y.split(e // g, -1)], -1) * w["norm.weight"]
        return y @ w["out_proj.weight"].T

    def head(self, name, x):
        kind = self.config["value_head_norm" if name == "value_head" else "score_head_norm"]
        y = x @ self.w[f"{name}.weight"].T + self.w.get(f"{name}.bias", 0.0)
        if kind == "rmsnorm":
            y = y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        elif kind:
            y = y / y.norm(dim=-1, keepdim=True)
        return y * self.w.get("value_head_scale", 1.0) if name == "value_head" else y

    def log_probabilities(self, picks):
        """Algorithm 2 for one given candidate: (k, t)."""
        embedding, tokenizer = self.w["backbone.embedding.weight"], build_tokenizer()
        before, after = (embedding[tokenizer(text)["input_ids"]] for text in (BEFORE, AFTER))
        start = embedding[self.config["start_of_frame_token_id"]][None]
        frames = self.frames(FRAMES)
        prompt = torch.cat([before, frames.flatten(0, 1), after, start])
        ends = [len(before) + (i + 1) * frames.shape[1] - 1 for i in range(len(frames))]
        seen = self.backbone(prompt)[ends]
        keys, values = self.head("key_head", seen), self.head("value_head", seen)
        latents = self.backbone(torch.cat([prompt, values[picks[:-1]]]))[len(prompt) - 1 :]
        scale = {"softplus": F.softplus, "exp": torch.exp}[self.config["logit_scale_fn"]](self.w["logit_scale"])
        logits = (self.head("query_head", latents) * scale) @ keys.T
        if self.config["attention_scaling"]:
            logits = logits / math.sqrt(keys.shape[1])
        if not self.config["frame_replacement"]:
            for i in range(1, len(picks)):
                logits[i, picks[:i]] = -torch.inf
        return logits.log_softmax(-1)


def rms(x):
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def ours(folder, picks=PICKS):
    """(n, k, t) of the loaded policy, in float64."""
    policy = FramePolicy.from_pretrained(folder).double()
    with torch.no_grad():
        clips = policy.prefix([policy.encode(FRAMES)])
        asked = policy.ask(clips, [0], [PROMPT])
        return distributions(policy, clips, asked, torch.tensor([picks]))[0][0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attention_scaling": True},
        {"frame_replacement": False},
        {"logit_scale_fn": "exp"},
        {"logit_scale_type": "vector"},
        {"score_head_norm": True},
        {"score_head_norm": "rmsnorm", "attention_scaling": True},
        {"value_head_norm": True},
        {"value_head_norm": "rmsnorm", "frame_replacement": False},
        {"mm_spatial_pool_mode": "average", "use_rank_head": True},
        {"mm_spatial_pool_mode": "max"},
    ],
    ids=lambda changes: "-".join(f"{key}={value}" for key, value in changes.items()) or "plain",
)
def test_a_released_policy_computes_what_its_class_says(tmp_path, changes):
    """Every step's log-probabilities over the frames equal the equations of that variant."""
    folder = write_refocus(tmp_path, changes=changes)
    picks = PICKS if changes.get("frame_replacement", True) else PICKS[:1]
    account = Account(folder)
    expected = torch.stack([account.log_probabilities(candidate) for candidate in picks])
    assert expected.amax() - expected[expected > -torch.inf].amin() > 0.3, "a near-uniform policy would prove little"
    torch.testing.assert_close(ours(folder, picks), expected, rtol=1e-7, atol=1e-7)


def test_what_a_released_config_leaves_out_is_the_classs_default(tmp_path):
    """A config.json holds only what differs from the class: softplus of a scalar, no division, repeats, no norms."""
    folder = write_refocus(tmp_path)
    full = FramePolicy.from_pretrained(folder).config
    config = json.loads((folder / "config.json").read_text())
    names = ("logit_scale_fn", "logit_scale_type", "attention_scaling", "frame_replacement")
    names += ("score_head_norm", "value_head_norm", "use_rank_head")
    (folder / "config.json").write_text(json.dumps({key: config[key] for key in config if key not in names}))
    assert FramePolicy.from_pretrained(folder).config == full
    assert (full.scale, full.attention_scaling, full.replacement) == ("softplus", False, True)


def test_groups_of_the_state_space_are_read(tmp_path):
    folder = write_refocus(tmp_path, groups=2, layers=2)
    torch.testing.assert_close(ours(folder)[0], Account(folder).log_probabilities(PICKS[0]), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("layout", ["mamba_ssm", "transformers"])
def test_a_language_model_is_what_transformers_computes(tmp_path, layout):
    """Both layouts of the same weights equal `Mamba2Model`, text after text."""
    vision = str(write_siglip(tmp_path / "siglip"))
    oracle = Mamba2Model.from_pretrained(write_mamba2_hf(tmp_path / "hf")).double().eval()
    folder = tmp_path / "hf"
    if layout == "mamba_ssm":
        folder = write_mamba2(tmp_path / "ssm")
        build_tokenizer().save_pretrained(folder)
    policy = FramePolicy.from_pretrained(folder, PolicySettings(vision=vision)).double()
    ids = torch.randint(0, 67, (2, 21), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = oracle(input_ids=ids).last_hidden_state
        hidden, _ = policy.backbone(policy.embed(ids))
    torch.testing.assert_close(hidden, expected, rtol=1e-4, atol=1e-5)  # theirs computes in float32


def test_a_supervised_base_brings_all_but_the_heads(tmp_path, caplog):
    """Tower, connector and backbone are the checkpoint's; the heads are new, the same for everyone, and said so."""
    folder = write_video_ma2mba(tmp_path)
    with caplog.at_level(logging.WARNING):
        policy = FramePolicy.from_pretrained(folder)
    assert "heads" in caplog.text and "connector" not in caplog.text
    assert (policy.config.prompt, policy.config.scale) == ("paper", "plain")
    assert policy.config.attention_scaling and not policy.config.replacement
    assert policy.config.start_of_frame == 67
    account = Account(folder)
    with torch.no_grad():
        tokens = policy.double().frame_tokens(policy.encode(FRAMES))
    torch.testing.assert_close(tokens, account.frames(FRAMES), rtol=1e-7, atol=1e-7)
    assert not any(p.requires_grad for p in policy.vision.parameters())
    assert all(p.requires_grad for name, p in policy.named_parameters() if not name.startswith("vision."))
    again = FramePolicy.from_pretrained(folder)
    assert torch.equal(again.heads.key.weight, policy.heads.key.weight.float())
    again.initialise_selection(PolicySettings(reinit_layers=1), 0)


def test_a_public_policy_survives_saving(tmp_path):
    """Saved in our layout and read again it says the same, and the folder holds no pickle."""
    folder = write_refocus(tmp_path / "public", changes={"value_head_norm": True, "logit_scale_type": "vector"})
    FramePolicy.from_pretrained(folder).save_pretrained(tmp_path / "own")
    assert torch.equal(ours(folder), ours(tmp_path / "own"))
    a, b = (FramePolicy.from_pretrained(path) for path in (folder, tmp_path / "own"))
    assert a.config == b.config
    names = set(os.listdir(tmp_path / "own")) - {"SHA256SUMS"}
    assert {os.path.splitext(name)[1] for name in names} == {".json", ".safetensors"}
