"""Settings of policy-gradient training (Algorithm 1; appendix B.1, Table 5)."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.base import Runtime, Section


class TrainRuntime(Runtime):
    """How training runs; none of it changes what is learned beyond floating-point error."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the policy and the reward LMM run")
    processes: int = Field(
        1, ge=1, description="worker processes that share each batch, one GPU each if there are GPUs"
    )
    threads: int = Field(1, ge=1, description="torch threads of each process; more than the free cores is far slower")
    micro_batch: int = Field(8, ge=1, description="clips whose prefixes are held for one backward pass")
    batch_tokens: int | None = Field(
        None, ge=1, description="most tokens the reward LMM holds at once; null: what free memory allows"
    )
    kernels: Literal["auto", "torch", "kernels"] = Field(
        "auto", description="the policy's scan on a GPU: CUDA kernels if installed (auto), plain torch, or kernels only"
    )
    checkpoint_layers: bool = Field(False, description="recompute layers in the backward pass instead of keeping them")
    feature_cache_gb: float = Field(
        4.0, ge=0, description="memory for features of the frozen vision towers, per process"
    )
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    keep: int = Field(2, ge=1, description="checkpoints kept; older ones are removed")
    validate_every: int = Field(
        50, ge=0, description="steps between answer-accuracy checks on the validation slice; 0: none"
    )
    validation_questions: int = Field(200, ge=1, description="most questions of the validation slice that are asked")
    log_every: int = Field(1, ge=1, description="steps between lines of metrics.jsonl")
    log_groups: bool = Field(True, description="write every group's picks, rewards and log-probabilities for replay")
    tensorboard: bool = Field(True, description="also write TensorBoard events")


class TrainSettings(Section):
    """Group-normalised policy-gradient training of the frame policy with margin rewards."""

    version: int = Field(1, description="raised when the same settings give another policy")
    seed: int = Field(0, ge=0, description="seed of initialisation, data order and rollouts")
    reward_model: str = Field("internvl3-8b", description="entry of `lmms` whose margin is the reward (Eq. 1, Eq. 5)")
    candidates: int = Field(16, ge=2, description="N: frame subsets sampled per question")
    frames: int = Field(
        32, ge=1, description="T': frames per subset; questions on clips with no more frames are dropped"
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
    entropy: float = Field(0.002, ge=0, description="beta: weight of the entropy bonus (Eq. 2, Eq. 7)")
    advantage_scale: Literal["group", "batch", "none"] = Field(
        "group", description="rewards are divided by the std of their group, of the batch, or not at all"
    )
    advantage_eps: float = Field(1e-4, ge=0, description="added to that std")
    advantage_ddof: Literal[0, 1] = Field(0, description="0: population std, 1: unbiased std")
    zero_variance: Literal["keep", "mask"] = Field(
        "keep", description="groups of equal rewards: keep their entropy bonus, or leave them out of the objective"
    )
    ratio_level: Literal["trajectory", "step"] = Field(
        "trajectory", description="pi/pi_old of the whole subset (Eq. 2), or of each step"
    )
    ratio_clamp: float = Field(20.0, gt=0, description="log-ratios are clamped to this on both sides")
    clip_eps: float | None = Field(None, gt=0, description="PPO clipping range of the ratio; null: no clipping (Eq. 2)")
    lr_pretrained: float = Field(1e-5, ge=0, description="learning rate of the backbone and the projector")
    lr_new: float = Field(
        1e-4, ge=0, description="learning rate of re-initialised layers, heads, <start_of_frame>, scale, norm"
    )
    betas: tuple[float, float] = Field((0.9, 0.99), description="AdamW's betas")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay, on matrices only")
    clip_norm: float = Field(1.0, gt=0, description="the gradient's global norm is cut to this")
    warmup: float = Field(
        0.05, ge=0, lt=1, description="share of all steps in which the learning rates rise linearly from 0"
    )
    decay: Literal["linear", "constant"] = Field("linear", description="after warm-up: linearly to 0, or constant")
    validation_share: float = Field(0.05, ge=0, lt=1, description="share of the videos held back from training")
    storage: Literal["float32", "float16"] = Field("float32", description="how the trained policy's weights are stored")
    runtime: TrainRuntime = Field(TrainRuntime(), description="how training runs; never part of what it gives")

    @model_validator(mode="after")
    def _length(self) -> "TrainSettings":
        if self.updates > 1 and self.clip_eps is None and self.ratio_level == "step":
            raise ValueError("clip_eps: several updates on step ratios need a clipping range")
        return self
