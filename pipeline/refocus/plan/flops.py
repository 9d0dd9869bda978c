"""What models compute, in FLOPs: two per multiplication and addition of a matrix product; norms, activations and
softmaxes, below one in a hundred, are left out. Causal attention counts the pairs that are attended, as kernels that
skip the rest compute them.

h width of the language model · a = heads · head_dim · g = kv_heads · head_dim · m width inside its feed-forward
c width of a vision tower · n its tokens per frame · p its patches · d width of the policy
"""

from collections.abc import Sequence
from dataclasses import dataclass

from refocus.plan.model_shapes import LmmShape, Tower, policy_tower
from refocus.policy.config import PolicyConfig


@dataclass(frozen=True)
class Flops:
    """What an LMM has to do. Fractions occur where counts are expectations.

    frames: through the vision tower. tokens: through the language model. pairs: (query, key) positions attended, per
    layer and head. rows: questions whose option letters are scored.
    """

    frames: float = 0.0
    tokens: float = 0.0
    pairs: float = 0.0
    rows: float = 0.0

    def __add__(self, other: "Flops") -> "Flops":
        return Flops(
            self.frames + other.frames, self.tokens + other.tokens, self.pairs + other.pairs, self.rows + other.rows
        )

    def __mul__(self, times: float) -> "Flops":
        return Flops(self.frames * times, self.tokens * times, self.pairs * times, self.rows * times)

    def flops(self, shape: LmmShape) -> float:
        """frames · F_frame + tokens · F_token + pairs · F_pair + rows · F_row."""
        return (
            self.frames * frame_flops(shape)
            + self.tokens * token_flops(shape)
            + self.pairs * pair_flops(shape)
            + self.rows * row_flops(shape)
        )


def tower_flops(tower: Tower) -> float:
    """One frame through a vision tower: 2·p·3·patch²·c + layers · (2·n·(4c² + 2c·ffn) + 4·n²·c)."""
    embedding = 2 * tower.patches * 3 * tower.patch**2 * tower.width
    linear = 2 * tower.tokens * (4 * tower.width**2 + 2 * tower.width * tower.ffn)
    return embedding + tower.layers * (linear + 4 * tower.tokens**2 * tower.width)


def frame_flops(shape: LmmShape) -> float:
    """F_frame, tower and connector: tower + 2·t·(in·h + h²) for t vectors of `connector_in`."""
    connector = 2 * shape.connector_tokens * (shape.connector_in * shape.width + shape.width**2)
    return tower_flops(shape.tower) + connector


def token_flops(shape: LmmShape) -> float:
    """F_token, the weights one token meets: 2 · layers · (2·h·a + 2·h·g + 3·h·m)."""
    inner, shared = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return 2 * shape.layers * shape.width * (2 * inner + 2 * shared + 3 * shape.ffn)


def pair_flops(shape: LmmShape) -> float:
    """F_pair, one query looking at one key (score and mix, all heads): 4 · layers · a."""
    return 4 * shape.layers * shape.heads * shape.head_dim


def row_flops(shape: LmmShape) -> float:
    """F_row, the output layer at one position: 2·h·vocab; what is computed for option letters only is less."""
    return 2 * shape.width * shape.vocab


def triangle(n: float) -> float:
    """Pairs of n tokens that each see themselves and all before them: n(n+1)/2."""
    return n * (n + 1) / 2


def prefill(length: float) -> Flops:
    """A prompt of `length` tokens on its own, its last position scored."""
    return Flops(tokens=length, pairs=triangle(length), rows=1)


def tree(starts: Sequence[int], branches: Sequence[float]) -> Flops:
    """Prefixes that share their beginnings, each distinct beginning computed once.

    tokens = starts[0] + Σ_i branches[i]·(starts[i+1] − starts[i]), pairs likewise with triangles.

    Args:
        starts: tokens before frame i+1; starts[0] is the system message, computed once.
        branches: how many distinct beginnings of i+1 frames there are.
    """
    tokens, pairs = float(starts[0]), triangle(starts[0])
    for depth, count in enumerate(branches):
        tokens += count * (starts[depth + 1] - starts[depth])
        pairs += count * (triangle(starts[depth + 1]) - triangle(starts[depth]))
    return Flops(tokens=tokens, pairs=pairs)


def policy_frame_flops(config: PolicyConfig) -> float:
    """One frame through the policy's frozen vision tower."""
    return tower_flops(policy_tower(config))


def mixer_flops(config: PolicyConfig) -> float:
    """One token through the Mamba-2 stack, with e = expand·d, groups of state size s, heads k, chunks of q tokens:
    layers · (2·d·(2e + 2gs + k) + 2·e·d + 2·conv·(e + 2gs) + 2·q·(g·s + e) + 4·e·s).
    """
    inner, gated = config.inner, config.groups * config.state
    linear = 2 * config.width * (2 * inner + 2 * gated + config.heads) + 2 * inner * config.width
    convolution = 2 * config.conv * config.conv_channels
    scan = 2 * config.chunk * (gated + inner) + 4 * inner * config.state
    return config.layers * (linear + convolution + scan)


def policy_prefix_flops(config: PolicyConfig, frames: float, text: float) -> float:
    """Frames' features to states: text · F_mixer + frames · (2·p·c·d + 2·f·d² + f · F_mixer + 4·d²).

    Connector (pooled to f tokens per frame before its second layer; with `pool_at: tower` before its first, so that
    p = f), stack, key and value heads.
    """
    tower, f, d = policy_tower(config), config.tokens_per_frame, config.width
    entering = f if config.pool_at == "tower" else tower.patches
    connector = 2 * entering * tower.width * d + 2 * f * d**2
    return text * mixer_flops(config) + frames * (connector + f * mixer_flops(config) + 4 * d**2)


def pick_flops(config: PolicyConfig, frames: float) -> float:
    """One pick among `frames`: F_mixer + 2·d² (query) + 2·frames·d (scores)."""
    return mixer_flops(config) + 2 * config.width**2 + 2 * frames * config.width


def policy_parameters(config: PolicyConfig) -> float:
    """Weights that training changes: embedding, connector, stack, three heads."""
    d, inner = config.width, config.inner
    layer = d * (inner + config.conv_channels + config.heads) + config.conv * config.conv_channels + inner * d + inner
    connector = policy_tower(config).width * d + d**2
    return config.vocab * d + config.layers * layer + connector + 3 * d**2
