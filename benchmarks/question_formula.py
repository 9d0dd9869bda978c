"""What questions about one video cost the paper's models, by the formulas of `refocus plan`: computed, never measured.

Frames, tokens and FLOP are those of `select_cost` and `answer_cost` for one clip. Seconds follow from the rates of a
GPU's data sheet and the share of them that `refocus plan` expects.
"""

from dataclasses import dataclass

from refocus.config.overlay import load
from refocus.config.root import Root
from refocus.core.project import project_root
from refocus.plan.flops import triangle
from refocus.plan.model_shapes import LmmShape, Tower, lmm_shape, policy_shape, policy_tower
from refocus.plan.prompt_tokens import prompt_tokens
from refocus.plan.reward_layout import QuestionGroup
from refocus.plan.source_lengths import SourceEstimate
from refocus.plan.stage_costs import Model, StageCost, answer_cost, select_cost
from refocus.policy.config import PolicyConfig
from refocus.video.frame_plan import grid

FLOAT32, BFLOAT16 = 4, 2  # bytes
ASKED_AS = "videomme"  # whose questions' lengths are taken, from `plan.sources`


@dataclass(frozen=True)
class Gpu:
    """A data sheet: dense matrix products in bf16, float32 without tensor cores, memory."""

    name: str
    bf16_tflops: float
    float32_tflops: float
    tb_per_s: float


A100 = Gpu("A100", 312.0, 19.5, 2.0)  # 80 GB, SXM
H200 = Gpu("H200", 989.0, 67.0, 4.8)


@dataclass(frozen=True)
class Load:
    """How many questions about a video of how many candidate frames, and what that is to both models.

    steps: picks that are fed back, one after the other.
    """

    frames: int
    questions: int
    steps: int
    select: StageCost
    answer: StageCost


class PaperModels:
    """The policy and the answering LMM of config/paper.yaml, asked for as many frames as its tables show."""

    def __init__(self) -> None:
        root = load([project_root() / "config.yaml", project_root() / "config/paper.yaml"])
        self.run, self.lmm, self.picks = root.use.runs[0], root.use.lmms[0], root.main_n_frames
        self.root = _restricted(root, self.run, self.picks)
        path = root.lmms[self.lmm].path
        shape, known_from = lmm_shape(path)
        self.model = Model(shape, prompt_tokens(path, shape, self.picks, root.plan), known_from)
        self.policy: PolicyConfig = policy_shape(root.run_policy(self.run))[0]
        self.names = f"policy {root.run_policy(self.run).start}, LMM {path}"
        asked = root.plan.sources[ASKED_AS]
        self.suffix = self.model.tokens.suffix(asked.characters, asked.options)

    def load(self, seconds: float, questions: int) -> Load:
        """Counts for one video of this length."""
        frames = len(grid(seconds, self.root.decode.fps, self.root.decode.max_frames))
        group = QuestionGroup(frames, 1, questions, questions * self.suffix, questions * triangle(self.suffix))
        source = SourceEstimate("video", questions, 1, (group,), seconds, frames, None, {}, False)
        return Load(
            frames,
            questions,
            questions * (min(self.picks, frames) - 1),
            select_cost(self.root, [source], self.run, 1),
            answer_cost(self.root, [source], self.lmm, self.model),
        )

    def share(self) -> float:
        """The share of a data sheet's rates that `refocus plan` expects, by what it says of an H200."""
        return self.root.plan.tflops * self.root.plan.efficiency / H200.bf16_tflops

    def select_s(self, load: Load, gpu: Gpu, itemsize: int) -> float:
        """FLOP / rate + steps · bytes of the stack / bandwidth; a step reads all weights of the stack."""
        rate = gpu.bf16_tflops if itemsize == BFLOAT16 else gpu.float32_tflops
        reading = load.steps * itemsize * stack_parameters(self.policy) / (gpu.tb_per_s * 1e12)
        return (load.select.flops / (rate * 1e12) + reading) / self.share()

    def answer_s(self, load: Load, gpu: Gpu) -> float:
        """FLOP / rate, in bf16 as config/paper.yaml says."""
        return load.answer.flops / (gpu.bf16_tflops * 1e12) / self.share()

    def bytes(self, frames: int) -> dict[str, float]:
        """What has to be held for a video of so many candidates, at least; activations of the layers come on top."""
        size, d, tower = self.root.decode.size, self.policy.width, policy_tower(self.policy)
        states = self.policy.layers * (
            self.policy.conv_channels * (self.policy.conv - 1)
            + self.policy.heads * self.policy.head_dim * self.policy.state
        )
        prompt = self.model.tokens.starts[min(self.picks, frames)] + self.suffix
        return {
            "candidates, 8-bit RGB": frames * 3 * size**2,
            "policy, float32": FLOAT32 * (stack_parameters(self.policy) + self._rest_of_policy()),
            "tower features": FLOAT32 * frames * tower.patches * tower.width,
            "frame tokens": FLOAT32 * frames * self.policy.tokens_per_frame * d,
            "clip state kept": FLOAT32 * (2 * frames * d + states),
            "LMM, bf16": BFLOAT16 * lmm_parameters(self.model.shape),
            "keys and values of a prompt": prompt * key_value_bytes(self.model.shape),
        }

    def _rest_of_policy(self) -> float:
        tower, d = policy_tower(self.policy), self.policy.width
        return self.policy.vocab * d + tower.width * d + d**2 + 3 * d**2 + tower_parameters(tower)


def stack_parameters(config: PolicyConfig) -> float:
    """Weights of the Mamba-2 layers, which every token meets."""
    inner = config.inner
    linear = config.width * (inner + config.conv_channels + config.heads) + inner * config.width
    return config.layers * (linear + config.conv * config.conv_channels + inner)


def tower_parameters(tower: Tower) -> float:
    """layers · (4c² + 2c·ffn) + 3·patch²·c + n·c; biases and norms are left out."""
    c = tower.width
    return tower.layers * (4 * c**2 + 2 * c * tower.ffn) + 3 * tower.patch**2 * c + tower.tokens * c


def lmm_parameters(shape: LmmShape) -> float:
    """Tower, connector, decoder, embedding and output layer; biases and norms are left out."""
    inner, shared = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    decoder = shape.layers * shape.width * (2 * inner + 2 * shared + 3 * shape.ffn)
    connector = shape.connector_in * shape.width + shape.width**2
    return tower_parameters(shape.tower) + connector + decoder + 2 * shape.width * shape.vocab


def key_value_bytes(shape: LmmShape) -> float:
    """Of one token in bf16: 2 · layers · kv_heads · head_dim numbers."""
    return BFLOAT16 * 2 * shape.layers * shape.kv_heads * shape.head_dim


def _restricted(root: Root, run: str, picks: int) -> Root:
    """The same configuration with one selector and one number of frames."""
    use = root.use.model_copy(update={"selectors": (f"refocus/{run}",)})
    return root.model_copy(update={"use": use, "answer": root.answer.model_copy(update={"n_frames": (picks,)})})
