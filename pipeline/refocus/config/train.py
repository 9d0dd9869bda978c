"""Settings of policy-gradient training (Algorithm 1; appendix B.1, Table 5)."""

from typing import Any, Literal

from pydantic import Field, model_validator

from refocus.config.base import Runtime, Section

ADDED_LATER = ("curriculum", "precision", "advantage_std_floor", "resample_tries")


class TrainRuntime(Runtime):
    """How training runs; none of it changes what is learned beyond floating-point error."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the policy and the reward LMM run")
    processes: int = Field(
        1, ge=1, description="worker processes that share each batch, one GPU each if there are GPUs"
    )
    strategy: Literal["ddp", "zero1", "deepspeed"] = Field(
        "zero1",
        description="with several processes, each holds AdamW's moments of all weights, or of its share (ZeRO-1): "
        "torch's, or DeepSpeed's with the extra `deepspeed`",
    )
    threads: int = Field(1, ge=1, description="torch threads of each process; more than the free cores is far slower")
    clips_per_micro_batch: int = Field(8, ge=1, description="clips whose prefixes are held for one backward pass")
    batch_tokens: int | None = Field(
        None, ge=1, description="most tokens the reward LMM holds at once; null: what free memory allows"
    )
    gradient_checkpointing: Literal["auto", "none", "layers", "grid"] = Field(
        "auto", description="kept for the backward pass: all, each layer's input, cells of layers x steps, or what fits"
    )
    memory_gb: float | None = Field(
        None, gt=0, description="GiB one pass of the policy may hold under `auto`; null: a half of what is free"
    )
    kernels: Literal["auto", "torch", "kernels"] = Field(
        "auto", description="the policy's scan on a GPU: CUDA kernels if installed (auto), plain torch, or kernels only"
    )
    feature_cache_gb: float = Field(
        4.0, ge=0, description="memory for features of the frozen vision towers, per process"
    )
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="checkpoints kept; older ones are removed")
    validate_every: int = Field(
        50, ge=0, description="steps between answer-accuracy checks on the validation slice; 0: none"
    )
    validation_questions: int = Field(200, ge=1, description="most questions of the validation slice that are asked")
    log_every: int = Field(1, ge=1, description="steps between lines of metrics.jsonl")
    log_groups: bool = Field(True, description="write every group's picks, rewards and log-probabilities for replay")
    tensorboard: bool = Field(True, description="also write TensorBoard events")
    wandb: Literal["off", "offline", "online"] = Field(
        "off", description="also log to Weights & Biases (extra `wandb`); offline: to files, for `wandb sync`"
    )
    wandb_project: str = Field("refocus", min_length=1, description="the W&B project")


class TrainSettings(Section):
    """Group-normalised policy-gradient training of the frame policy with margin rewards."""

    version: int = Field(1, description="raised when the same settings give another policy")
    seed: int = Field(0, ge=0, description="seed of initialisation, data order and rollouts")
    reward_model: str = Field("internvl3-8b", description="entry of `lmms` whose margin is the reward (Eq. 1, Eq. 5)")
    candidates: int = Field(16, ge=2, description="N: frame subsets sampled per question")
    picks: int = Field(
        32, ge=1, description="T': frames per subset; questions on clips with no more frames are dropped"
    )
    curriculum: tuple[tuple[float, int], ...] | None = Field(
        None,
        description="T' that grows: pairs [share of all steps after which it holds, T'], the last with T' = picks, "
        "e.g. [[0.0, 4], [0.25, 8], [0.5, 16], [0.75, 32]]; null: picks throughout",
    )
    temperature: float = Field(1.0, gt=0, description="divides the frame logits while sampling and scoring")
    batch: int = Field(192, ge=1, description="questions per step, over all processes")
    clips_per_batch: int | None = Field(
        None, ge=1, description="draw a batch as so many clips with their questions; null: questions one by one"
    )
    updates: int = Field(1, ge=1, description="K: updates on each batch of sampled subsets")
    epochs: int = Field(1, ge=1, description="passes over the filtered pairs")
    max_steps: int | None = Field(
        None, ge=1, description="number of steps instead of epochs; null: as many as epochs need"
    )
    entropy_weight: float = Field(0.002, ge=0, description="beta: weight of the entropy bonus (Eq. 2, Eq. 7)")
    advantage_scale: Literal["group", "batch", "none"] = Field(
        "group", description="rewards are divided by the std of their group, of the batch, or not at all"
    )
    advantage_eps: float = Field(1e-4, ge=0, description="added to that std")
    advantage_ddof: Literal[0, 1] = Field(0, description="0: population std, 1: unbiased std")
    advantage_std_floor: float = Field(
        0.0, ge=0, description="that std counts as at least this, so that tiny differences are not blown up"
    )
    zero_variance: Literal["keep", "mask", "resample"] = Field(
        "keep",
        description="groups of equal rewards: keep their entropy bonus, leave them out of the objective, or draw their "
        "candidates again and leave out what stays equal",
    )
    resample_tries: int = Field(
        2, ge=1, description="how often such a group is drawn again, with another seed each time"
    )
    ratio_level: Literal["trajectory", "step", "geo_mean"] = Field(
        "trajectory",
        description="pi/pi_old of the whole subset (Eq. 2), of each step, or the geometric mean of its steps' ratios",
    )
    ratio_clamp: float = Field(20.0, gt=0, description="log-ratios are clamped to this on both sides")
    clip_eps: float | None = Field(None, gt=0, description="PPO clipping range of the ratio; null: no clipping (Eq. 2)")
    lr_pretrained: float = Field(1e-5, ge=0, description="learning rate of the backbone and the projector")
    lr_new: float = Field(
        1e-4, ge=0, description="learning rate of re-initialised layers, heads, <start_of_frame>, scale, norm"
    )
    betas: tuple[float, float] = Field((0.9, 0.99), description="AdamW's betas")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay, on matrices only")
    max_grad_norm: float = Field(1.0, gt=0, description="the gradient's global norm is cut to this")
    lr_warmup: float = Field(
        0.05, ge=0, lt=1, description="share of all steps in which the learning rates rise linearly from 0"
    )
    lr_decay: Literal["linear", "constant"] = Field("linear", description="after warm-up: linearly to 0, or constant")
    validation_share: float = Field(0.05, ge=0, lt=1, description="share of the videos held back from training")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="arithmetic of the policy's matrix products; weights and optimiser are float32 either way",
    )
    save_dtype: Literal["float32", "float16"] = Field(
        "float32", description="how the trained policy's weights are stored"
    )
    runtime: TrainRuntime = Field(TrainRuntime(), description="how training runs; never part of what it gives")

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

    def identity(self) -> dict[str, Any]:
        """The settings that decide the result. Options younger than the first runs count where they are used only, so
        that a new option makes nobody's finished run another one."""
        younger = {name: type(self).model_fields[name].default for name in ADDED_LATER}
        return {
            key: value
            for key, value in super().identity().items()
            if key not in younger or getattr(self, key) != younger[key]
        }
