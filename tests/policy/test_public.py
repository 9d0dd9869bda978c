"""Public checkpoints as files: which are read, which are refused and with what words, and what loading costs."""

import json

import pytest
import torch
from refocus.config.policy import PolicySettings
from refocus.core.errors import UsageError
from refocus.policy.config import MAMBA2_SIZES, PolicyConfig
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.pretrained import Shards
from safetensors.torch import load_file, save_file

from tests.support.tiny_public import (
    AFTER,
    FRAMES,
    PROMPT,
    SHAPE,
    TOWER,
    build_tokenizer,
    write_mamba2,
    write_mamba2_hf,
    write_refocus,
    write_siglip,
    write_video_ma2mba,
)


def test_what_transformers_saves_is_read(tmp_path):
    """A `Mamba2ForCausalLM` saved by this version of transformers, infinities in its own spelling."""
    from transformers import Mamba2ForCausalLM

    Mamba2ForCausalLM.from_pretrained(write_mamba2_hf(tmp_path / "hf")).save_pretrained(tmp_path / "again")
    build_tokenizer().save_pretrained(tmp_path / "again")
    vision = PolicySettings(vision=str(write_siglip(tmp_path / "siglip")))
    a, b = (FramePolicy.from_pretrained(tmp_path / name, vision).backbone for name in ("hf", "again"))
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


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


def test_only_a_policy_can_be_gone_on_with(tmp_path):
    """`policy.initialise: false` keeps a trained policy's heads, and is refused where there are none."""
    settings = PolicySettings(initialise=False)
    folder = write_refocus(tmp_path / "r")
    policy = FramePolicy.from_pretrained(folder, settings)
    assert torch.equal(policy.heads.key.weight, load_file(folder / "model.safetensors")["key_head.weight"])
    with pytest.raises(UsageError, match=r"no selection heads.*policy\.initialise"):
        FramePolicy.from_pretrained(write_video_ma2mba(tmp_path / "v"), settings)


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
        ({"mm_vision_tower": "./nowhere/siglip"}, r"nowhere/siglip: no such folder"),
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

    def snapshot(hub_id, allow_patterns, **access):
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
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for folder in (tmp_path / "nowhere", "models/nowhere"):
        with pytest.raises(UsageError, match=r"no such folder"):
            FramePolicy.from_pretrained(folder)


def test_picks_for_use_are_distinct_whatever_the_policy_allows(tmp_path):
    """A released policy that may repeat frames still gives a set to `refocus select`."""
    from refocus.config.select import SelectSettings
    from refocus.select.policy_selector import ask_policy, load_policy

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
    from refocus.plan.model_shapes import policy_shape

    for folder, settings in (
        (write_refocus(tmp_path / "r"), {}),
        (write_mamba2(tmp_path / "m"), {"vision": str(write_siglip(tmp_path / "siglip"))}),
    ):
        config, where = policy_shape(PolicySettings(start=str(folder), **settings))
        assert (config.width, config.layers, config.tokens_per_frame) == (SHAPE["width"], SHAPE["layers"], 16)
        assert where == str(folder / "config.json")
    assert policy_shape(PolicySettings(start="interlive/ReFoCUS-2.7B"))[0].layers == 64
