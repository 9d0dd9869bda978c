"""Settings of `tables` and `figures`: how results are counted and drawn."""

from pydantic import Field

from refocus.config.base import Section


class TablesSettings(Section):
    """How answers become tables."""

    level: float = Field(0.95, gt=0, lt=1, description="confidence level of the intervals")
    resamples: int = Field(
        1000, ge=0, description="bootstrap resamples of videos for gains and macro averages; 0: none"
    )
    seed: int = Field(0, ge=0, description="seed of the bootstrap")
    published: bool = Field(True, description="show the paper's number beside each row that exists in the paper")


class FiguresSettings(Section):
    """How figures are drawn."""

    formats: tuple[str, ...] = Field(("png", "svg"), description="files written per figure")
    dpi: int = Field(160, ge=50, description="resolution of PNG files")
    examples: int = Field(4, ge=0, description="questions drawn as frame strips (Fig. 9)")
    strip_frames: int = Field(12, ge=2, description="thumbnails per strip, evenly spread over the clip")
    marginal_samples: int = Field(
        64, ge=0, description="rollouts behind each strip's selection curve (Eq. 10); 0: no curve"
    )
    histogram_bins: int = Field(50, ge=5, description="bars of the variance histogram (Fig. 2)")
    level: float = Field(0.95, gt=0, lt=1, description="confidence level of the error bars")
    seed: int = Field(0, ge=0, description="seed of which examples are drawn")
