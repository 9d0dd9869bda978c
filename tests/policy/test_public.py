"""Public checkpoints: what they compute here is what their equations say, by an account of its own."""

import json
import logging
import math
import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import Mamba2Model, SiglipVisionConfig, SiglipVisionModel

from pipeline.config.policy import PolicySettings
from pipeline.errors import UsageError
from pipeline.lmm.prompts import Prompt
from pipeline.policy.config import MAMBA2_SIZES, PolicyConfig
from pipeline.policy.files import Shards
from pipeline.policy.model import FramePolicy
from pipeline.policy.rollout import distributions
from tests.tiny_public import (
    SHAPE,
    VISION,
    build_tokenizer,
    write_mamba2,
    write_mamba2_hf,
    write_refocus,
    write_siglip,
    write_video_ma2mba,
)

PROMPT = Prompt("What colour is the circle?", ("red", "green"))
BEFORE = "<|system|>You are a helpful AI assistant.<|endoftext|><|user|>"
AFTER = "\nWhat colour is the circle?\nA. red\nB. green<|endoftext|>"
FRAMES = np.random.default_rng(0).integers(0, 255, (5, 30, 30, 3), dtype=np.uint8)
PICKS = [[3, 0, 4], [1, 1, 2]]
TOWER = "mm_model.vision_tower.vision_tower.vision_model."


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


def test_what_transformers_saves_is_read(tmp_path):
    """A `Mamba2ForCausalLM` saved by this version of transformers, infinities in its own spelling."""
    from transformers import Mamba2ForCausalLM

    Mamba2ForCausalLM.from_pretrained(write_mamba2_hf(tmp_path / "hf")).save_pretrained(tmp_path / "again")
    build_tokenizer().save_pretrained(tmp_path / "again")
    vision = PolicySettings(vision=str(write_siglip(tmp_path / "siglip")))
    a, b = (FramePolicy.from_pretrained(tmp_path / name, vision).backbone for name in ("hf", "again"))
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


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


def test_a_base_can_take_the_released_variant(tmp_path):
    """`policy.variant` sets prompt, factor, division and repeats at once; the factor starts at 1 in either."""
    settings = PolicySettings(variant="released", reinit_layers=1)
    policy = FramePolicy.from_pretrained(write_video_ma2mba(tmp_path), settings)
    policy.initialise_selection(settings, 0)
    config = policy.config
    assert (config.prompt, config.scale, config.attention_scaling, config.replacement) == (
        "released",
        "softplus",
        False,
        True,
    )
    keys, latents = torch.randn(1, 4, 32), torch.randn(1, 2, 32)
    torch.testing.assert_close(policy.heads.scores(keys, latents), policy.heads.query(latents) @ keys.mT)
    settings = PolicySettings(variant="released", prompt="paper")
    assert FramePolicy.from_pretrained(tmp_path, settings).config.prompt == "paper"


def test_a_language_model_needs_a_named_tower(tmp_path, caplog):
    """Without one it is refused; with one, its connector is new and said so; a second tower is refused."""
    folder = write_mamba2_hf(tmp_path / "lm")
    with pytest.raises(UsageError, match=r"without a vision tower.*policy\.vision"):
        FramePolicy.from_pretrained(folder)
    tower = write_siglip(tmp_path / "siglip", seed=7)
    policy = FramePolicy.from_pretrained(folder, PolicySettings(vision=str(tower)))
    assert "no connector, heads" in caplog.text
    weights = load_file(tower / "model.safetensors")
    name = "encoder.layers.1.mlp.fc2.weight"
    assert torch.equal(policy.vision.state_dict()[name], weights[f"vision_model.{name}"])
    assert policy.encode(FRAMES).shape == (5, 49, 16)
    with pytest.raises(UsageError, match="of its own"):
        FramePolicy.from_pretrained(write_video_ma2mba(tmp_path / "v"), PolicySettings(vision=str(tower)))
    (tower / "config.json").write_text('{"model_type": "clip_vision_model"}')
    with pytest.raises(UsageError, match="must be a SigLIP, not 'clip_vision_model'"):
        FramePolicy.from_pretrained(folder, PolicySettings(vision=str(tower)))


def test_a_checkpoint_without_its_tower_gets_the_one_it_names(tmp_path):
    folder = write_refocus(tmp_path / "full")
    whole = FramePolicy.from_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({k: t for k, t in tensors.items() if not k.startswith(TOWER)}, folder / "model.safetensors")
    again = FramePolicy.from_pretrained(folder)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("write", [write_refocus, write_video_ma2mba])
def test_shards_are_one_file_in_pieces(tmp_path, write, dtype):
    """Three files with an index give what one file gives; all in float32 whatever was stored."""
    one, three = write(tmp_path / "1", dtype=dtype), write(tmp_path / "3", dtype=dtype, shards=3)
    a, b = FramePolicy.from_pretrained(one), FramePolicy.from_pretrained(three)
    assert a.state_dict().keys() == b.state_dict().keys()
    for name, tensor in a.state_dict().items():
        assert tensor.dtype == torch.float32 and tensor.device.type == "cpu"
        assert torch.equal(tensor, b.state_dict()[name])
    assert a.vision.embeddings.position_ids.tolist() == [list(range(49))]


def test_a_public_policy_survives_saving(tmp_path):
    """Saved in our layout and read again it says the same, and the folder holds no pickle."""
    folder = write_refocus(tmp_path / "public", changes={"value_head_norm": True, "logit_scale_type": "vector"})
    FramePolicy.from_pretrained(folder).save_pretrained(tmp_path / "own")
    assert torch.equal(ours(folder), ours(tmp_path / "own"))
    a, b = (FramePolicy.from_pretrained(path) for path in (folder, tmp_path / "own"))
    assert a.config == b.config
    assert {os.path.splitext(name)[1] for name in os.listdir(tmp_path / "own")} == {".json", ".safetensors"}


def test_unknown_and_missing_tensors_are_named(tmp_path):
    folder = write_refocus(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    moved = dict(tensors)
    moved["value_embedding"] = moved.pop("value_head.bias")
    save_file(moved, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"missing tensors heads\.value\.bias; unknown tensors value_embedding"):
        FramePolicy.from_pretrained(folder)
    save_file({**tensors, "query_head.weight": torch.zeros(32, 31)}, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"query_head\.weight is \(32, 31\), not \(32, 32\)"):
        FramePolicy.from_pretrained(folder)
    base = write_video_ma2mba(tmp_path / "base")
    save_file(
        {**load_file(base / "model.safetensors"), "key_head.weight": torch.zeros(32, 32)}, base / "model.safetensors"
    )
    with pytest.raises(UsageError, match=r"unknown tensors key_head\.weight"):
        FramePolicy.from_pretrained(base)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frame_generation_method": "block"}, "frame_generation_method is 'block'"),
        ({"ssm_cfg": {"layer": "Mamba1"}}, "ssm_cfg.layer is 'Mamba1'"),
        ({"ssm_cfg": {"layer": "Mamba2", "d_stat": 8}}, "unknown keys in ssm_cfg: d_stat"),
        ({"attn_layer_idx": [1]}, r"attn_layer_idx is \[1\]"),
        ({"d_intermediate": 64}, "d_intermediate is 64"),
        ({"rms_norm": False}, "rms_norm is False"),
        ({"mm_projector_type": "linear"}, "mm_projector_type is 'linear'"),
        ({"mm_spatial_pool_mode": "nearest"}, "pool must be one of"),
        ({"logit_scale_fn": "tanh"}, "scale must be one of"),
        ({"score_head_norm": "layer"}, "unknown score_head_norm"),
        ({"mm_vision_tower": "./nowhere/siglip"}, r"nowhere/siglip is not a model folder"),
    ],
)
def test_models_of_another_make_are_refused(tmp_path, change, says):
    with pytest.raises(UsageError, match=says):
        FramePolicy.from_pretrained(write_refocus(tmp_path, changes=change))


def test_damaged_shards_are_named(tmp_path):
    """A missing piece, an index that names other tensors, a file outside, and pickles only."""
    folder = write_video_ma2mba(tmp_path, shards=2)
    index = folder / "model.safetensors.index.json"
    listed = json.loads(index.read_text())
    listed["weight_map"]["lm_head.bias"] = "model-00001-of-00002.safetensors"
    index.write_text(json.dumps(listed))
    with pytest.raises(UsageError, match=r"disagree about lm_head\.bias"):
        FramePolicy.from_pretrained(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(UsageError, match=r"model-00002-of-00002\.safetensors is missing"):
        FramePolicy.from_pretrained(folder)
    index.write_text('{"weight_map": {"a": "../a.safetensors"}}')
    with pytest.raises(UsageError, match="outside of the folder"):
        FramePolicy.from_pretrained(folder)
    index.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UsageError, match=r"pickled.*never read.*AntonV/mamba2"):
        FramePolicy.from_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"model\.safetensors cannot be read"):
        FramePolicy.from_pretrained(folder)


def test_an_embedding_without_a_free_row_grows(tmp_path):
    """`<start_of_frame>` needs a row that no token has; the rest of the embedding is kept."""
    folder = write_video_ma2mba(tmp_path, changes={"pad_vocab_size_multiple": 1})
    tensors = load_file(folder / "model.safetensors")
    tensors["backbone.embedding.weight"] = tensors["backbone.embedding.weight"][:67].contiguous()
    save_file(tensors, folder / "model.safetensors")
    policy = FramePolicy.from_pretrained(folder)
    assert (policy.config.start_of_frame, policy.config.vocab) == (67, 72)
    assert torch.equal(policy.backbone.embedding.weight[:67], tensors["backbone.embedding.weight"])


def test_hub_ids_are_fetched_without_pickles(tmp_path, monkeypatch):
    """An id goes through the hub's cache for safetensors and text only; the tokenizer is gpt-neox's where none is."""
    import huggingface_hub

    folders = {"interlive/ReFoCUS-1.3B": write_refocus(tmp_path / "r", tokenizer=False)}
    folders["EleutherAI/gpt-neox-20b"] = tmp_path / "neox"
    build_tokenizer().save_pretrained(tmp_path / "neox")
    asked = {}

    def snapshot(hub_id, allow_patterns):
        asked[hub_id] = allow_patterns
        return str(folders[hub_id])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    policy = FramePolicy.from_pretrained("interlive/ReFoCUS-1.3B")
    assert policy.question_ids(PROMPT) == build_tokenizer()(AFTER)["input_ids"]
    assert asked.keys() == folders.keys()
    assert not any("bin" in pattern or pattern == "*" for patterns in asked.values() for pattern in patterns)
    assert not any("safetensors" in pattern for pattern in asked["EleutherAI/gpt-neox-20b"])


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"interlive/nothing.*hf download interlive/nothing"):
        FramePolicy.from_pretrained("interlive/nothing")
    with pytest.raises(UsageError, match=r"no config\.json"):
        FramePolicy.from_pretrained(tmp_path / "nowhere")


def test_picks_for_use_are_distinct_whatever_the_policy_allows(tmp_path):
    """A released policy that may repeat frames still gives a set to `refocus select`."""
    from pipeline.config.select import SelectSettings
    from pipeline.select.learned import ask_policy, load_policy

    policy = load_policy(write_refocus(tmp_path), "cpu", 1)
    for seed in range(5):
        picks = ask_policy(policy, FRAMES, [PROMPT], 4, [seed], SelectSettings())[0]
        assert len(set(picks.order)) == 4


@pytest.mark.parametrize(
    ("size", "billions"), [("130m", 0.13), ("370m", 0.37), ("780m", 0.78), ("1.3b", 1.34), ("2.7b", 2.70)]
)
def test_published_sizes_have_their_published_counts(size, billions):
    """Parameters of the language model (the LLM head is the embedding), counted without memory."""
    with torch.device("meta"):
        policy = FramePolicy(PolicyConfig(*MAMBA2_SIZES[size]))
    assert round(sum(p.numel() for p in policy.backbone.parameters()) / 1e9, 2) == billions
    assert policy.config.tokens_per_frame == 196


def test_loading_holds_one_copy(tmp_path, monkeypatch):
    """Nothing is drawn at random for a checkpoint's tensors, and each is read once."""
    folder = write_refocus(tmp_path)
    read = []
    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", lambda self: read.append(self.weight.device.type))
    original = Shards.read
    monkeypatch.setattr(Shards, "read", lambda self, name: read.append(name) or original(self, name))
    policy = FramePolicy.from_pretrained(folder)
    assert "cpu" not in read
    names = [name for name in read if name != "meta"]
    assert len(names) == len(set(names)) == len(policy.state_dict())
    assert len({p.untyped_storage().data_ptr() for p in policy.parameters()}) == len(list(policy.parameters()))


def test_a_plan_knows_a_public_folder(tmp_path):
    from pipeline.plan.shapes import policy_shape

    for folder, settings in (
        (write_refocus(tmp_path / "r"), {}),
        (write_mamba2(tmp_path / "m"), {"vision": str(write_siglip(tmp_path / "siglip"))}),
    ):
        config, where = policy_shape(PolicySettings(start=str(folder), **settings))
        assert (config.width, config.layers, config.tokens_per_frame) == (SHAPE["width"], SHAPE["layers"], 16)
        assert where == str(folder / "config.json")
    assert policy_shape(PolicySettings(start="interlive/ReFoCUS-2.7B"))[0].layers == 64
