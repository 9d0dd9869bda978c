"""Settings of `tables` and `figures`: how results are counted and drawn."""

from pydantic import Field

from refocus.config.answer import Extractor
from refocus.config.base import Section


class TablesSettings(Section):
    """How answers become tables."""

    n_frames: int | None = Field(
        None,
        ge=1,
        description="frames per question in Table 1 and in the figures, one of answer.n_frames; null: the largest",
    )
    confidence_level: float = Field(0.95, gt=0, lt=1, description="confidence level of the intervals")
    bootstrap_resamples: int = Field(
        1000, ge=0, description="bootstrap resamples over videos, for intervals of gains and macro averages; 0: none"
    )
    seed: int = Field(0, ge=0, description="seed of the bootstrap")
    extractor: Extractor | None = Field(
        None,
        description="whose way of finding the letter counts generated replies in tables, figures and the report "
        "(answer.extractor); null: as answered",
    )
    distance_videos: int | None = Field(
        200, ge=1, description="videos of each duration group in Table 3, drawn by lot; null: all (Appendix C: 200)"
    )
    distance_seed: int = Field(0, ge=0, description="seed of that lot")
    published: bool = Field(True, description="show the paper's number beside each row that the paper has too")


class FiguresSettings(Section):
    """How figures are drawn."""

    formats: tuple[str, ...] = Field(("png", "svg"), description="file formats of each figure")
    dpi: int = Field(160, ge=50, description="resolution of PNG files, dots per inch")
    examples: int = Field(5, ge=0, description="questions shown with the frames picked for them (Figs. 9 to 13)")
    histogram_bins: int = Field(50, ge=5, description="bins of the variance histogram (Fig. 2)")
    confidence_level: float = Field(0.95, gt=0, lt=1, description="confidence level of the error bars")
    seed: int = Field(0, ge=0, description="seed for choosing the examples")
