"""Settings of `likelihood`: how likely the policy is to pick each frame, and which shares of the frames Fig. 4 has."""

from typing import Annotated, Literal

from pydantic import Field

from refocus.config.select import PolicySection, SelectRuntime
from refocus.core.files import canonical


class LikelihoodSettings(PolicySection):
    """Many rollouts of every question: Table 3, Fig. 4, and the curves of Figs. 9 to 13."""

    samples: int = Field(
        64,
        ge=0,
        description="rollouts per question (Appendix C: 64); 0: no likelihood, no Table 3, no Fig. 4, no curves",
    )
    seed: int = Field(0, ge=0, description="seed of the rollouts, combined with each question's id")
    ranking: Literal["frequency", "marginal"] = Field(
        "frequency",
        description="what makes a frame likelier than another in Fig. 4: the share of rollouts that pick it, ties "
        "by Eq. 10; or Eq. 10, the averaged categoricals, alone",
    )
    percents: tuple[Annotated[int, Field(ge=1, le=99)], ...] = Field(
        (20, 40, 60, 80), description="k of Fig. 4, % of a clip's frames; none: no Fig. 4"
    )
    runtime: SelectRuntime = Field(SelectRuntime(), description="changes no likelihood")

    def sampling(self) -> str:
        """The settings as JSON, those that only Fig. 4 reads at their simplest, as they change no likelihood."""
        return canonical({**self.identity(), "percents": [], "ranking": "frequency"})
