"""Settings of the tiny models of the synthetic world, which ship with the project and are rebuilt by `make assets`."""

from pydantic import Field

from refocus.config.base import Runtime, Section


class AssetsRuntime(Runtime):
    """How the tiny models are trained."""

    threads: int = Field(
        1, ge=1, description="torch CPU threads; more than there are free cores is far slower than one"
    )


class AssetsSettings(Section):
    """Training of the tiny reference LMM and of the tiny supervised base policy."""

    seed: int = Field(0, ge=0, description="seed of initialisation and of the training stream")
    align_steps: int = Field(
        1400, ge=10, description="steps that align the LMM's vision tower with its word embeddings"
    )
    base_align_steps: int = Field(1200, ge=10, description="the same for the base policy's tower")
    align_lr: float = Field(4e-3, gt=0, description="peak learning rate of the alignment")
    lmm_steps: int = Field(1100, ge=10, description="steps of the LMM's language model on frozen vision features")
    lmm_joint_steps: int = Field(900, ge=0, description="steps of the whole LMM after that")
    lmm_lr: float = Field(2e-3, gt=0, description="peak learning rate of the LMM; half of it for the joint steps")
    base_steps: int = Field(900, ge=10, description="steps of the base policy with its vision tower frozen")
    base_lr: float = Field(2e-3, gt=0, description="peak learning rate of the base policy")
    runtime: AssetsRuntime = Field(AssetsRuntime(), description="changes no weight")
