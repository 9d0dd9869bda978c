"""Settings of the tiny models of the synthetic world, which ship with the project and are rebuilt by `make assets`."""

from pydantic import Field

from refocus.config.base import Runtime, Section


class AssetsRuntime(Runtime):
    """How the tiny models are trained."""

    threads: int = Field(
        1, ge=1, description="torch CPU threads; more than there are free cores is far slower than one"
    )


class AssetsSettings(Section):
    """Training of the tiny SigLIP, the two tiny LMMs and the tiny supervised base policy."""

    seed: int = Field(0, ge=0, description="seed of initialisation and of the training stream")
    tower_steps: int = Field(1500, ge=10, description="steps of the SigLIP on captioned stills")
    tower_lr: float = Field(4e-3, gt=0, description="peak learning rate of the SigLIP")
    lmm_read_steps: int = Field(2400, ge=10, description="steps of an LMM's language model on described frames")
    align_steps: int = Field(600, ge=10, description="steps that align an LMM's vision tower with its word embeddings")
    align_lr: float = Field(4e-3, gt=0, description="peak learning rate of the alignment")
    lmm_steps: int = Field(1100, ge=10, description="steps of an LMM on frames, its vision tower frozen")
    lmm_joint_steps: int = Field(250, ge=10, description="steps of the whole LMM after that")
    lmm_again_steps: int = Field(
        600, ge=10, description="further steps on frames of which several may show the same moment, the tower frozen"
    )
    lmm_again_joint_steps: int = Field(250, ge=10, description="steps of the whole LMM after those")
    lmm_lr: float = Field(2e-3, gt=0, description="peak learning rate of the LMMs; half of it for the joint steps")
    base_caption_steps: int = Field(300, ge=10, description="steps of the base policy on captioned stills")
    base_steps: int = Field(2400, ge=10, description="steps of the base policy on questions about whole videos")
    base_lr: float = Field(2e-3, gt=0, description="peak learning rate of the base policy")
    runtime: AssetsRuntime = Field(AssetsRuntime(), description="changes no weight")
