"""Settings of policy-gradient training (Algorithm 1; appendix B.1, Table 5)."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from refocus.config.base import LmmRuntime, Section


class TrainRuntime(LmmRuntime):
    """How training runs; none of it changes what is learned beyond floating-point error."""

    processes: int = Field(
        1,
        ge=1,
        description="training processes that share each batch, one GPU each where there are GPUs; on each machine "
        "where a profile gives the job several",
    )
    strategy: Literal["ddp", "zero1", "deepspeed"] = Field(
        "zero1",
        description="where AdamW's moments live with several processes: all of them in each (ddp), split among them "
        "(zero1), or split by DeepSpeed (deepspeed, needs the extra `deepspeed`)",
    )
    clips_per_micro_batch: int = Field(
        8, ge=1, description="clips whose frames are held for one backward pass; bounds memory, changes no result"
    )
    gradient_checkpointing: Literal["auto", "none", "layers", "grid"] = Field(
        "auto",
        description="what is kept for the backward pass: everything (none), each layer's input (layers), cells of "
        "layers x steps (grid), or the fastest that fits (auto)",
    )
    memory_gb: float | None = Field(
        None,
        gt=0,
        description="GiB that one pass of the policy may hold with gradient_checkpointing: auto; null: half of what is "
        "free",
    )
    kernels: Literal["auto", "torch", "kernels"] = Field(
        "auto",
        description="the policy's scan: auto (CUDA kernels where they are installed), torch, or kernels (an error "
        "without them)",
    )
    feature_cache_gb: float = Field(
        4.0, ge=0, description="GiB per process for cached features of the frozen vision towers"
    )
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="checkpoints that are kept, the newest ones")
    validate_every: int = Field(
        50, ge=0, description="steps between checks of the answers on the validation videos; 0: none"
    )
    validation_questions: int = Field(200, ge=1, description="questions asked in one such check, at most")
    log_every: int = Field(1, ge=1, description="steps between lines of metrics.jsonl")
    log_groups: bool = Field(
        True,
        description="write picks, rewards and log-probabilities of every group to groups.jsonl, for `refocus replay`",
    )
    tensorboard: bool = Field(True, description="also write TensorBoard events")
    wandb: Literal["off", "offline", "online"] = Field(
        "off", description="also log to Weights & Biases (extra `wandb`); offline: to files, for `wandb sync`"
    )
    wandb_project: str = Field("refocus", min_length=1, description="the W&B project")


class TrainSettings(Section):
    """Group-normalised policy-gradient training of the frame policy with margin rewards."""

    added_later: ClassVar[tuple[str, ...]] = (
        "curriculum",
        "precision",
        "advantage_std_floor",
        "resample_tries",
        "questions",
        "reward",
    )

    version: int = Field(2, description="raised when the same settings give another policy")
    seed: int = Field(0, ge=0, description="seed of initialisation, data order and rollouts; runs may have their own")
    reward_model: str = Field(
        "internvl3-8b", description="the LMM whose margin is the reward (Eq. 1 and 5): an entry of `lmms`"
    )
    reward: Literal["margin", "correct"] = Field(
        "margin",
        description="what a subset earns: the margin of Eq. 5, or 1 where the right option has the highest logit and "
        "else 0",
    )
    questions: Literal["filtered", "random", "all"] = Field(
        "filtered",
        description="what is trained on: the questions that the variance filter kept, as many drawn by the seed from "
        "all that have a usable variance, or all of those",
    )
    candidates: int = Field(16, ge=2, description="N: subsets sampled per question")
    picks: int = Field(
        32, ge=1, description="T': frames per subset; questions about clips with no more frames than that are dropped"
    )
    curriculum: tuple[tuple[float, int], ...] | None = Field(
        None,
        description="a growing T': pairs of the share of all steps from which it holds and T', ending at picks, e.g. "
        "[[0.0, 4], [0.25, 8], [0.5, 16], [0.75, 32]]; null: picks throughout",
    )
    temperature: float = Field(1.0, gt=0, description="divides the frame logits, in sampling and in the objective")
    batch: int = Field(192, ge=1, description="questions per step, over all processes")
    clips_per_batch: int | None = Field(
        None,
        ge=1,
        description="clips per step, each with up to batch / clips_per_batch of its questions; null: questions are "
        "drawn one by one",
    )
    updates: int = Field(1, ge=1, description="K: updates per batch of sampled subsets")
    epochs: int = Field(1, ge=1, description="passes over the filtered pairs")
    max_steps: int | None = Field(None, ge=1, description="training steps; null: as many as `epochs` takes")
    entropy_weight: float = Field(0.002, ge=0, description="beta: weight of the entropy bonus (Eq. 2 and 7)")
    advantage_scale: Literal["group", "batch", "none"] = Field(
        "group",
        description="divide centred rewards by the standard deviation of their group, of the batch, or by nothing",
    )
    advantage_eps: float = Field(1e-4, ge=0, description="added to that standard deviation")
    advantage_ddof: Literal[0, 1] = Field(0, description="0: population standard deviation, 1: unbiased")
    advantage_std_floor: float = Field(
        0.0, ge=0, description="least value of that standard deviation, so that tiny differences are not blown up"
    )
    zero_variance: Literal["keep", "mask", "resample"] = Field(
        "keep",
        description="groups of equal rewards: keep them for their entropy bonus, mask them out, or resample their "
        "candidates and mask what stays equal",
    )
    resample_tries: int = Field(2, ge=1, description="times such a group is sampled again, each with another seed")
    ratio_level: Literal["trajectory", "step", "geo_mean"] = Field(
        "trajectory",
        description="pi/pi_old: of the whole subset (Eq. 2), of each step, or the geometric mean over its steps",
    )
    ratio_clamp: float = Field(20.0, gt=0, description="log-ratios are clamped to plus and minus this")
    clip_eps: float | None = Field(
        None, gt=0, description="PPO's clipping range of the ratio; null: no clipping (Eq. 2)"
    )
    lr_pretrained: float = Field(
        1e-5, ge=0, description="learning rate of the pretrained weights: backbone and projector"
    )
    lr_new: float = Field(
        1e-4,
        ge=0,
        description="learning rate of the new weights: re-initialised layers, heads, <start_of_frame>, logit scale, "
        "final norm",
    )
    betas: tuple[float, float] = Field((0.9, 0.99), description="AdamW's betas")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay, on matrices only")
    max_grad_norm: float = Field(1.0, gt=0, description="the gradient is scaled down to this global norm")
    lr_warmup: float = Field(
        0.05, ge=0, lt=1, description="share of all steps over which the learning rates rise linearly from 0"
    )
    lr_decay: Literal["linear", "constant"] = Field(
        "linear", description="learning rates after warm-up: linear (to 0 at the end) or constant"
    )
    validation_share: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of the films held back for validation; a video that several data sets have is one film",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="number format of the policy's matrix products; weights and optimiser stay float32",
    )
    save_dtype: Literal["float32", "float16"] = Field("float32", description="number format of the saved policy")
    runtime: TrainRuntime = Field(TrainRuntime(), description="changes nothing that is learned")

    @model_validator(mode="after")
    def _updates(self) -> "TrainSettings":
        if self.updates > 1 and self.clip_eps is None and self.ratio_level == "step":
            raise ValueError("clip_eps: several updates on step ratios need a clipping range")
        return self

    @model_validator(mode="after")
    def _stages(self) -> "TrainSettings":
        if self.curriculum is None:
            return self
        shares, sizes = [share for share, _ in self.curriculum], [frames for _, frames in self.curriculum]
        if not shares or shares[0] != 0 or shares != sorted(set(shares)) or shares[-1] >= 1:
            raise ValueError("curriculum: the shares of its stages must rise from 0.0 and stay below 1")
        if sizes[-1] != self.picks:
            raise ValueError(f"curriculum: its last T' is {sizes[-1]}, and picks is {self.picks}; they must agree")
        if min(sizes) < 1 or max(sizes) > self.picks:
            raise ValueError(f"curriculum: every T' must be from 1 to picks ({self.picks})")
        return self

    def picks_at(self, step: int, steps: int) -> int:
        """T' in step `step` (from 0) of `steps`."""
        stages = self.curriculum or ((0.0, self.picks),)
        return [frames for share, frames in stages if share <= step / steps][-1]
