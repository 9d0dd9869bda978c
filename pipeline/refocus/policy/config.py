"""The shape of a frame policy: what `config.json` beside its weights holds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypedDict

from refocus.core.errors import UsageError

SIGLIP_SO400M = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
    "vision_use_head": False,
}
MAMBA2_SIZES = {  # (width, layers) of state-spaces/mamba2-*, whose other sizes are the defaults below
    "130m": (768, 24),
    "370m": (1024, 48),
    "780m": (1536, 48),
    "1.3b": (2048, 48),
    "2.7b": (2560, 64),
}
TOWER_SIZES = tuple(key for key, value in SIGLIP_SO400M.items() if type(value) is int)
LARGEST = 1 << 24  # of any size that a config.json gives
MOST = {"layers": 1024, "num_hidden_layers": 1024}
CHOICES = {
    "pool": ("bilinear", "average", "max"),
    "pool_at": ("connector", "tower"),
    "prompt": ("paper", "released"),
    "scale": ("plain", "softplus", "exp"),
    "scale_shape": ("scalar", "vector"),
    "score_norm": ("none", "l2", "rms"),
    "value_norm": ("none", "l2", "rms"),
}


class LogitVariant(TypedDict):
    """The logits and the prompt of the paper, or of the released class."""

    prompt: str
    scale: str
    attention_scaling: bool
    replacement: bool


VARIANTS: dict[str, LogitVariant] = {
    "paper": {"prompt": "paper", "scale": "plain", "attention_scaling": True, "replacement": False},
    "released": {"prompt": "released", "scale": "softplus", "attention_scaling": False, "replacement": True},
}


@dataclasses.dataclass(frozen=True)
class PolicyConfig:
    """Sizes and variants of a `FramePolicy`. The defaults are Video-MA2mba on Mamba-2 370M with a SigLIP so400m tower.

    Attributes:
        width: d_model of the Mamba-2 stack.
        layers, state, head_dim, groups, expand, conv, chunk, norm_eps: the stack, as in mamba_ssm.
        vocab: rows of the embedding, `<start_of_frame>` included.
        start_of_frame: the row of `<start_of_frame>`.
        vision: keyword arguments of `transformers.SiglipVisionConfig`, all layers counted (the last one is not used).
        pool_stride: how much smaller pooling makes each side of the tower's grid.
        pool: "bilinear" (to ceil(grid / pool_stride)), "average" or "max" (windows of that stride, a rest is left out).
        pool_at: "connector" pools what comes out of it, "tower" (the public weights) what goes into it.
        prompt: "paper" (B.6.2) or "released" (the authors' weights).
        scale: of the scores: "plain" (the paper: the parameter itself), "softplus" or "exp" of it (the released class).
        scale_shape: one "scalar", or a "vector" with a factor per feature of the key.
        attention_scaling: divide the scores by sqrt(d_model), as the paper does.
        replacement: let a frame be picked again, as the released class can.
        score_norm, value_norm: how keys and queries, and values, are normalised: "none" (the paper), "l2", "rms"; a
            normalised value also has a learnable factor per feature.
    """

    width: int = 1024
    layers: int = 48
    state: int = 128
    head_dim: int = 64
    groups: int = 1
    expand: int = 2
    conv: int = 4
    chunk: int = 256
    norm_eps: float = 1e-5
    vocab: int = 50288
    start_of_frame: int = 50277
    vision: Mapping[str, Any] = dataclasses.field(default_factory=lambda: dict(SIGLIP_SO400M))
    pool_stride: int = 2
    pool: str = "bilinear"
    pool_at: str = "connector"
    prompt: str = "paper"
    scale: str = "plain"
    scale_shape: str = "scalar"
    attention_scaling: bool = True
    replacement: bool = False
    score_norm: str = "none"
    value_norm: str = "none"

    def __post_init__(self) -> None:
        inner = self.width * self.expand
        if inner % self.head_dim or (inner // self.head_dim) % self.groups:
            raise UsageError(f"policy config: width·expand={inner} does not split into heads of {self.head_dim}")
        if not 0 <= self.start_of_frame < self.vocab:
            raise UsageError(f"policy config: start_of_frame={self.start_of_frame} is no row of vocab={self.vocab}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"policy config: {name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}"
                )
        if (self.pool, self.pool_at) == ("max", "connector"):
            raise UsageError("policy config: pool=max needs pool_at=tower; after the connector only linear pooling is")

    @property
    def inner(self) -> int:
        """Width inside the mixer."""
        return self.width * self.expand

    @property
    def heads(self) -> int:
        """Heads of the mixer's scan."""
        return self.inner // self.head_dim

    @property
    def conv_channels(self) -> int:
        """Channels of the mixer's convolution: x, B and C."""
        return self.inner + 2 * self.groups * self.state

    @property
    def frame_size(self) -> int:
        """Side of the square images the vision tower takes, in pixels."""
        return int(self.vision["image_size"])

    @property
    def grid(self) -> int:
        """Patches per side before pooling."""
        return self.frame_size // int(self.vision["patch_size"])

    @property
    def pooled_grid(self) -> int:
        """Tokens per side after pooling: 27 -> 14 in the paper."""
        return math.ceil(self.grid / self.pool_stride) if self.pool == "bilinear" else self.grid // self.pool_stride

    @property
    def tokens_per_frame(self) -> int:
        """Tokens of one frame in the sequence: 196 in the paper."""
        return self.pooled_grid**2

    def with_variant(self, name: str) -> "PolicyConfig":
        """The same sizes with the paper's logits and prompt, or the released class's."""
        if name not in VARIANTS:
            raise UsageError(f"policy variant must be one of {', '.join(VARIANTS)}, not {name!r}")
        return dataclasses.replace(self, **VARIANTS[name])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, `from_dict` reads them back."""
        return {"model_type": "refocus", **dataclasses.asdict(self), "vision": dict(self.vision)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PolicyConfig":
        """Reads `config.json`.

        Raises:
            UsageError: a key is not known, or a value cannot be.
        """
        values = {key: value for key, value in values.items() if key != "model_type"}
        known = {field.name: field.type for field in dataclasses.fields(cls)}
        for key, value in values.items():
            if key not in known:
                raise UsageError(f"policy config: unknown key '{key:.80}'")
            if not _can_be(key, known[key], value):
                raise UsageError(f"policy config: {key} cannot be {value!r:.80}")
        return cls(**values)


def _can_be(key: str, kind: Any, value: Any) -> bool:
    """Whether a value of config.json is of its kind, and no size is absurd: a model is built before its weights."""
    if key == "vision":
        return isinstance(value, Mapping) and all(_can_be(name, int, value.get(name)) for name in TOWER_SIZES)
    if kind is int:
        return type(value) is int and (key != "start_of_frame") <= value <= MOST.get(key, LARGEST)
    return type(value) is kind or (kind is float and type(value) is int and abs(value) <= LARGEST)
