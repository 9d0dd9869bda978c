"""One training step of a policy as `refocus train` takes it, measured: seconds, memory, MFU, and how far the sampler's
log-probabilities are from those of the pass with gradient. On a GPU at the paper's size, on a CPU at a tiny one.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator

import torch
from refocus.core.errors import ResourceMissing
from refocus.lmm.prompts import Prompt
from refocus.plan.flops import pick_flops, policy_prefix_flops
from refocus.policy.checkpointing import Checkpointing, Mode
from refocus.policy.config import SIGLIP_SO400M, PolicyConfig
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.rollout import rollout, score

from benchmarks.report import seconds
from tests.support.live_bytes import LiveBytes
from tests.support.tiny_policy import build_tokenizer

log = logging.getLogger(__name__)

FORWARD_AND_BACKWARD = 3
BF16_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # dense, by the vendor's data sheets
PROMPT = Prompt("What colour is the circle left of the red square?", ("red", "green", "blue"))
SHALLOW = {**SIGLIP_SO400M, "num_hidden_layers": 2}  # the tower does not run here: features are random
SHAPES = {
    "tiny": PolicyConfig(
        width=64, layers=4, state=16, head_dim=32, chunk=32, vocab=64, start_of_frame=4,
        vision={**SHALLOW, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 1, "image_size": 112},
    ),
    "370M": PolicyConfig(vision=SHALLOW),
    "1.3B": PolicyConfig(width=2048, vision=SHALLOW),
    "2.7B": PolicyConfig(width=2560, layers=64, vision=SHALLOW),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Step:
    """One line of the table; `flops` are those of the forward and backward passes, without recomputation."""

    shape: str
    backend: str
    mode: str
    cut: str
    tokens: int
    prefix: float
    rollout: float
    step: float
    flops: float
    peak: int
    gap_mean: float
    gap_max: float

    @property
    def mfu(self) -> float | None:
        """Share of the card's dense bf16 rate; None where that is not known."""
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
        peak = next((rate for card, rate in BF16_FLOPS.items() if card in name), None)
        return self.flops / self.step / peak if peak else None


def backends(device: torch.device) -> list[str]:
    """Those that serve a device: plain torch, and the CUDA kernels where they load."""
    if device.type != "cuda":
        return ["torch"]
    from refocus.policy import kernels

    try:
        kernels.load()
    except ResourceMissing as missing:
        log.warning("%s", missing)
        return ["torch"]
    return ["kernels", "torch"]


def measure(
    shape: str,
    device: torch.device,
    backend: str,
    mode: Mode,
    *,
    frames: int = 512,
    candidates: int = 16,
    picks: int = 32,
    rounds: int = 2,
) -> Step:
    """The best of some steps after a first one that warms up: prefix, question, rollout, score, backward, AdamW."""
    config = SHAPES[shape]
    torch.manual_seed(0)
    with device:
        policy = FramePolicy(config, build_tokenizer())
        features = torch.randn(frames, config.grid**2, int(config.vision["hidden_size"]))
    policy.train().backbone.checkpointing = Checkpointing(mode)
    if device.type == "cuda":
        policy.backbone.use(backend)
    trained = [p for p in policy.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(trained, lr=1e-6, fused=device.type == "cuda")
    spent: dict[str, list[float]] = {"prefix": [], "rollout": [], "step": []}
    gaps: list[torch.Tensor] = []

    def once() -> None:
        cast = torch.autocast(device.type, torch.bfloat16)
        found = {}

        def read() -> None:
            with cast:
                found["clips"] = policy.prefix([features])
                found["asked"] = policy.ask(found["clips"], [0], [PROMPT])

        def sample() -> None:
            with cast:
                found["drawn"] = rollout(policy, found["clips"], found["asked"], candidates, picks, [len(gaps)])

        spent["prefix"].append(seconds(read))
        spent["rollout"].append(seconds(sample))
        with cast:
            scored = score(policy, found["clips"], found["asked"], found["drawn"].picks)
        gaps.append((scored.logp.detach().sum(-1) - found["drawn"].logp.sum(-1)).abs().flatten())
        advantage = torch.linspace(-1, 1, candidates, device=device)
        ratio = (scored.logp - scored.logp.detach()).sum(-1).exp()
        (-(ratio * advantage).sum() - 0.002 * scored.entropy.sum()).backward()
        adam.step()
        adam.zero_grad(set_to_none=True)

    with _memory(device) as peak:
        once()
    for values in spent.values():
        values.clear()
    for _ in range(rounds):
        spent["step"].append(seconds(once))
    text = len(policy.question_ids(PROMPT)) + len(policy.tokenize("You are a helpful AI assistant."))
    work = policy_prefix_flops(config, frames, text) + candidates * picks * pick_flops(config, frames)
    gap = torch.cat(gaps)
    with cast_of(device):
        probe = torch.zeros(1, frames * config.tokens_per_frame, config.width, device=device)
        cells = policy.backbone.checkpointing.choose(policy.backbone.layers, probe, config.chunk)
    cut = f"{cells.layers} x {cells.steps:,}" if cells else "–"
    return Step(
        shape, backend, mode, cut, frames * config.tokens_per_frame, *(min(values) for values in spent.values()),
        FORWARD_AND_BACKWARD * work, peak[0], float(gap.mean()), float(gap.max()),
    )  # fmt: skip


def cast_of(device: torch.device) -> torch.autocast:
    """The autocast of a step."""
    return torch.autocast(device.type, torch.bfloat16)


@contextlib.contextmanager
def _memory(device: torch.device) -> Iterator[list[int]]:
    """The most bytes held within it: the allocator's on a GPU, which counts the weights too, else the counter's."""
    peak = [0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak[0] = torch.cuda.max_memory_allocated(device)
        return
    with LiveBytes() as counter:
        yield peak
    peak[0] = counter.peak
