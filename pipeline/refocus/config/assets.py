"""Settings of the tiny models of the synthetic world, which ship with the project and are rebuilt by `make assets`."""

from pydantic import Field

from refocus.config.base import Runtime, Section


class AssetsRuntime(Runtime):
    """How the tiny models are trained."""

    threads: int = Field(1, ge=1, description="CPU threads torch may use; more than free cores is far slower than one")


class AssetsSettings(Section):
    """Training of the tiny reference LMM and of the tiny supervised base policy."""

    seed: int = Field(0, ge=0, description="seed of initialization and of the endless stream")
    align_steps: int = Field(
        1400, ge=10, description="steps in which the LMM's vision tower learns to tell what a frame shows"
    )
    base_align_steps: int = Field(1200, ge=10, description="the same, for the tower of the base policy")
    align_lr: float = Field(4e-3, gt=0, description="peak learning rate of those steps")
    lmm_steps: int = Field(1100, ge=10, description="steps of the reference LMM's language model on frozen features")
    lmm_joint_steps: int = Field(900, ge=0, description="steps of the whole reference LMM afterwards")
    lmm_lr: float = Field(2e-3, gt=0, description="peak learning rate of the LMM; half of it in the joint steps")
    base_steps: int = Field(900, ge=10, description="steps of the supervised base policy, tower frozen")
    base_lr: float = Field(2e-3, gt=0, description="peak learning rate of the base policy")
    runtime: AssetsRuntime = Field(AssetsRuntime(), description="how it runs; never part of the result")
