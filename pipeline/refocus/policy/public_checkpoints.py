"""Public checkpoints: what their config.json means, and which of our parameters their tensors are.

| layout | published as | config.json | embedding |
|---|---|---|---|
| mamba_ssm | state-spaces/mamba2-* | d_model, n_layer, ssm_cfg | backbone.embedding |
| transformers | AntonV/mamba2-*-hf | hidden_size, num_hidden_layers (Mamba2Config) | backbone.embeddings |
| video-ma2mba | interlive/video-ma2mba-* | mamba_ssm's and mm_* (model_type llava_mamba) | backbone.embedding |
| refocus | interlive/ReFoCUS-* | those and the heads' options (model_type refocus) | backbone.embedding |

Inside the backbone all names are mamba_ssm's and ours. The first two are language models without a vision tower.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from refocus.core.errors import UsageError
from refocus.core.model_folder import CONFIG, find_folder, read_json, split_revision
from refocus.policy.config import SIGLIP_SO400M, PolicyConfig

TOKENIZER = "EleutherAI/gpt-neox-20b"  # of all public Mamba-2 models
TOWERS = {"google/siglip-so400m-patch14-384": SIGLIP_SO400M}
TOWER_KEYS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "image_size",
    "patch_size",
    "num_channels",
    "hidden_act",
    "layer_norm_eps",
)
SSM_SIZES = {"d_state": "state", "headdim": "head_dim", "ngroups": "groups", "expand": "expand", "d_conv": "conv",
             "chunk_size": "chunk"}  # fmt: skip
SSM_FIXED = {
    "layer": "Mamba2",
    "d_ssm": None,
    "D_has_hdim": False,
    "rmsnorm": True,
    "norm_before_gate": False,
    "bias": False,
    "conv_bias": True,
    "dt_limit": [0.0, float("inf")],
}
SSM_UNUSED = {  # of the first initialisation and of the kernels
    "A_init_range", "conv_init", "dt_min", "dt_max", "dt_init_floor", "use_mem_eff_path", "sequence_parallel",
}  # fmt: skip
STACK_FIXED = {"d_intermediate": 0, "attn_layer_idx": [], "rms_norm": True}
HF_FIXED = {
    "hidden_act": "silu",
    "use_bias": False,
    "use_conv_bias": True,
    "norm_before_gate": False,
    "rms_norm": True,
    "time_step_limit": [0.0, float("inf")],
}
HF_SIZES = {"hidden_size": "width", "num_hidden_layers": "layers", "state_size": "state", "head_dim": "head_dim",
            "n_groups": "groups", "expand": "expand", "conv_kernel": "conv", "chunk_size": "chunk",
            "layer_norm_epsilon": "norm_eps"}  # fmt: skip
NORMS = {False: "none", "False": "none", True: "l2", "True": "l2", "norm": "l2", "rmsnorm": "rms"}
NEW_ROWS = 8  # an embedding without a free row grows by this many

TOWER_PREFIX = "mm_model.vision_tower.vision_tower.vision_model."
NAMES = (  # the first that fits a public name's beginning replaces it
    ("backbone.embeddings.", "backbone.embedding."),
    ("backbone.", "backbone."),
    (TOWER_PREFIX, "vision."),
    ("mm_model.mm_projector.0.", "connector.fc1."),
    ("mm_model.mm_projector.2.", "connector.fc2."),
    ("key_head.", "heads.key."),
    ("query_head.", "heads.query."),
    ("value_head.", "heads.value."),
    ("value_head_scale", "heads.value.factor"),
    ("logit_scale", "heads.scale"),
)
UNUSED = re.compile(r"lm_head\.weight|rank_head\.weight")  # tied to the embedding; ranks whole candidates


@dataclasses.dataclass(frozen=True)
class Public:
    """A public checkpoint's config.

    Attributes:
        config: ours, of the same model.
        tower: folder or hub id of the SigLIP it was built with or is to get.
        has_vision: the checkpoint is of a model with tower and connector, not of a language model only.
        has_heads: it is a trained policy, with selection heads.
    """

    config: PolicyConfig
    tower: str
    has_vision: bool
    has_heads: bool


def is_public(values: Mapping[str, Any]) -> bool:
    """Whether a config.json is in one of the layouts above, and not our own."""
    return "d_model" in values or values.get("model_type") == "mamba2"


def read_public(
    values: Mapping[str, Any], where: str, *, vision: str | None = None, start_of_frame: int | None = None
) -> Public:
    """Reads a public config.json.

    Args:
        where: names the checkpoint in errors.
        vision: the tower (folder or hub id) that a language model without one is to get.
        start_of_frame: the row for `<start_of_frame>` where the checkpoint names none, the first after the tokenizer's;
            None for the first after `vocab_size`.
    Raises:
        UsageError: a value this model cannot have, or no vision tower.
    """
    sizes, vocab, rows = _mamba_ssm(values, where) if "d_model" in values else _transformers(values, where)
    own_tower = values.get("mm_vision_tower")
    if own_tower is not None and not isinstance(own_tower, str):
        raise UsageError(f"{where}: config.json: mm_vision_tower cannot be {own_tower!r:.80}")
    tower = vision if own_tower is None else own_tower
    if tower is None:
        raise UsageError(
            f"{where} is a language model without a vision tower: name one with `policy.vision` "
            f"(such as {next(iter(TOWERS))}); its connector then starts untrained"
        )
    if own_tower is not None and vision is not None:
        raise UsageError(f"{where} has a vision tower of its own ({own_tower}): leave `policy.vision` null")
    has_heads = values.get("model_type") == "refocus" or "frame_generation_method" in values
    variant: dict[str, Any] = {}
    if own_tower is not None:
        variant |= _connector(values, where)
    if has_heads:
        variant |= _heads(values, where)
    start = values.get("start_of_frame_token_id") if has_heads else None
    if start is None:
        start = vocab if start_of_frame is None else start_of_frame
        if start >= rows:
            rows = -(-(start + 1) // NEW_ROWS) * NEW_ROWS
    of_the_rest = {"vocab": rows, "start_of_frame": start, "vision": read_tower(tower), "pool_at": "tower"}
    config = PolicyConfig.from_dict({**sizes, **variant, **of_the_rest})
    return Public(config, tower, own_tower is not None, has_heads)


def read_tower(path: str) -> dict[str, Any]:
    """The shape of a SigLIP, as arguments of `SiglipVisionConfig`.

    Raises:
        UsageError: there is none at `path`, or it is another kind of tower.
    """
    if (known := TOWERS.get(split_revision(path)[0])) is not None:
        return dict(known)
    values = read_json(find_folder(path) / CONFIG)
    kind = values.get("model_type")
    if kind not in ("siglip", "siglip_vision_model"):
        raise UsageError(f"{path}: the vision tower must be a SigLIP, not '{kind}'")
    values = values.get("vision_config", values)
    missing = [key for key in TOWER_KEYS[:6] if not isinstance(values, dict) or key not in values]
    if missing:
        raise UsageError(f"{path}: its config.json lacks {', '.join(missing)} of the vision tower")
    return {**{key: values[key] for key in TOWER_KEYS if key in values}, "vision_use_head": False}


def our_name(name: str, config: PolicyConfig) -> str | None:
    """Our name of a checkpoint's tensor, None for what is not used; an unknown name stays as it is."""
    if UNUSED.fullmatch(name):
        return None
    for theirs, ours in NAMES:
        if name.startswith(theirs):
            name = ours + name[len(theirs) :]
            break
    return None if name.startswith("vision.") and _beyond(name.removeprefix("vision."), config) else name


def our_tower_name(name: str, config: PolicyConfig) -> str | None:
    """The same for a tensor of a SigLIP folder; its text half is not used."""
    if name.startswith("vision_model."):
        name = name.removeprefix("vision_model.")
    elif not name.startswith(("embeddings.", "encoder.", "post_layernorm.", "head.")):
        return None
    return None if _beyond(name, config) else f"vision.{name}"


def _beyond(name: str, config: PolicyConfig) -> bool:
    """Whether a tower's tensor comes after the penultimate layer, whose output is all that is used."""
    last = int(config.vision["num_hidden_layers"]) - 1
    return name.startswith((f"encoder.layers.{last}.", "post_layernorm.", "head."))


def _mamba_ssm(values: Mapping[str, Any], where: str) -> tuple[dict[str, Any], int, int]:
    """Sizes, vocabulary and rows of the embedding from mamba_ssm's config."""
    ssm = values.get("ssm_cfg") or {}
    if not isinstance(ssm, Mapping):
        raise UsageError(f"{where}: config.json: ssm_cfg is no object")
    unknown = sorted(ssm.keys() - SSM_SIZES.keys() - SSM_FIXED.keys() - SSM_UNUSED)
    if unknown:
        raise UsageError(f"{where}: config.json: unknown keys in ssm_cfg: {', '.join(unknown)}")
    _check({"layer": "Mamba1", **ssm}, SSM_FIXED, f"{where}: config.json: ssm_cfg.")
    _check(values, STACK_FIXED, f"{where}: config.json: ")
    sizes = {ours: _needed(ssm, theirs, where) for theirs, ours in SSM_SIZES.items() if theirs in ssm}
    width, layers, vocab = (_needed(values, key, where) for key in ("d_model", "n_layer", "vocab_size"))
    multiple = _needed({"pad_vocab_size_multiple": 8, **values}, "pad_vocab_size_multiple", where)
    return {"width": width, "layers": layers, **sizes}, vocab, -(-vocab // multiple) * multiple


def _transformers(values: Mapping[str, Any], where: str) -> tuple[dict[str, Any], int, int]:
    """The same from a `Mamba2Config`."""
    _check(values, HF_FIXED, f"{where}: config.json: ")
    sizes = {ours: values[theirs] for theirs, ours in HF_SIZES.items() if theirs in values}
    for key in ("hidden_size", "num_hidden_layers", "n_groups"):
        _needed(values, key, where)
    vocab = _needed(values, "vocab_size", where)
    return sizes, vocab, vocab


def _connector(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    fixed = {"mm_projector_type": "mlp2x_gelu", "mm_patch_merge_type": "flat"}
    _check(values, fixed, f"{where}: config.json: ")
    return {"pool": values.get("mm_spatial_pool_mode", "bilinear")}


def _heads(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The released class's options; those config.json does not name have the class's defaults."""
    _check({"frame_generation_method": "block", **values}, {"frame_generation_method": "autoregressive"}, f"{where}: ")
    try:
        norms = {key: NORMS[values.get(key, False)] for key in ("score_head_norm", "value_head_norm")}
    except (KeyError, TypeError):
        raise UsageError(f"{where}: config.json: unknown score_head_norm or value_head_norm") from None
    return {
        "prompt": "released",
        "scale": values.get("logit_scale_fn", "softplus"),
        "scale_shape": values.get("logit_scale_type", "scalar"),
        "attention_scaling": bool(values.get("attention_scaling", False)),
        "replacement": bool(values.get("frame_replacement", True)),
        "score_norm": norms["score_head_norm"],
        "value_norm": norms["value_head_norm"],
    }


def _check(values: Mapping[str, Any], fixed: Mapping[str, Any], where: str) -> None:
    for key, expected in fixed.items():
        found = values.get(key, expected)
        found = list(found) if isinstance(found, tuple) else found
        if found != expected:
            raise UsageError(f"{where}{key} is {found!r}, this model has {expected!r}")


def _needed(values: Mapping[str, Any], key: str, where: str) -> int:
    if key not in values:
        raise UsageError(f"{where}: config.json has no {key}")
    if type(values[key]) is not int or values[key] < 1:
        raise UsageError(f"{where}: config.json: {key} cannot be {values[key]!r:.80}")
    return values[key]
