"""All figures there is something for, each from what the stages wrote (Figures 2, 4, 6, 7, 9 to 13 and our own)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from matplotlib.figure import Figure

from refocus.config.answer import Extractor
from refocus.config.reward import RewardSettings
from refocus.config.selectors import KINDS, kind_of
from refocus.config.tables import FiguresSettings
from refocus.config.variants import Variant
from refocus.core import parquet
from refocus.core.errors import UsageError
from refocus.core.files import settings_of, write_text
from refocus.core.progress import bar
from refocus.core.results_folder import FIGURE, METRICS
from refocus.frames.frame_store import FrameStore
from refocus.report.accuracy_figure import draw_accuracy
from refocus.report.bins import read_bins
from refocus.report.bins_figure import bins_table, draw_bins
from refocus.report.entropy_figure import draw_temporal_entropy, to_csv
from refocus.report.example_strips import Example, draw_examples
from refocus.report.examples import Material, drawn_by_lot, first_win
from refocus.report.recall_set import read_truth
from refocus.report.results import Results
from refocus.report.series import Lines, read_metrics
from refocus.report.style import save
from refocus.report.subsets_figure import draw_subsets
from refocus.report.table_files import write
from refocus.report.training_figure import draw_curves
from refocus.report.variance_figure import draw_variance, read_variances
from refocus.select.likelihood import Likelihood, read_likelihoods
from refocus.select.picks import Selection
from refocus.select.selections import add_selections, frames_of, tables_below

SUBSETS_OF = 256  # frames of the clip that Figure 7 shows the subsets of


@dataclass(frozen=True)
class FigureInputs:
    """What the figures are drawn from; what is empty leaves out the figures that need it.

    Attributes:
        filtered: the filter's folder; training_questions: the questions behind it.
        reward: which subsets Figure 7 shows.
        runs: folders of training runs by name; variants: which of them are seeds of one setting.
        questions: question tables of the benchmarks, and answers, selections, indexes of stored frames and evidence
            that belong to them; n_frames: per question.
        likelihoods: of the runs' policies; bins: answers by likelihood; samples: behind both.
        extractor: which rule counts generated replies; None: as they were when they were answered.
    """

    filtered: Path | None = None
    training_questions: Sequence[Path] = ()
    reward: RewardSettings = field(default_factory=RewardSettings)
    runs: Mapping[str, Path] = field(default_factory=dict)
    variants: Sequence[Variant] = ()
    questions: Sequence[Path] = ()
    answers: Sequence[Path] = ()
    selections: Sequence[Path] = ()
    indexes: Sequence[Path] = ()
    truth: Sequence[Path] = ()
    n_frames: int = 32
    likelihoods: Sequence[Path] = ()
    bins: Sequence[Path] = ()
    samples: int = 64
    extractor: Extractor | None = None


def draw_figures(inputs: FigureInputs, settings: FiguresSettings, out: Path) -> None:
    """Draws every figure that `inputs` have something for, in every format of the settings.

    Raises:
        UsageError: no selections of `n_frames` frames are among the given ones.
        RefocusError: a table is unreadable.
    """
    for name, draw in bar(_Figures(inputs, settings, out).wanted().items(), desc="figures", unit="figure"):
        save(draw(), out, name, settings.formats, settings.dpi)


class _Figures:
    def __init__(self, inputs: FigureInputs, settings: FiguresSettings, out: Path):
        self.inputs, self.settings, self.out = inputs, settings, out

    def wanted(self) -> dict[str, Callable[[], Figure]]:
        """How each figure there is something for is drawn."""
        inputs = self.inputs
        drawn: dict[str, tuple[bool, Callable[[], Figure]]] = {
            "fig7_subsets": (True, self.subsets),
            "training": (bool(inputs.runs), self.curves),
            "fig6_temporal_entropy": (bool(inputs.runs), self.entropy),
            "accuracy": (bool(inputs.answers), self.accuracy),
            "fig4_likelihood": (bool(inputs.bins), self.likelihood),
            "fig9_examples": (bool(inputs.selections), lambda: self.examples(drawn_by_lot)),
            "one_question": (bool(inputs.selections), lambda: self.examples(first_win)),
        }
        figures = {name: draw for name, (wanted, draw) in drawn.items() if wanted}
        if inputs.filtered is not None:
            figures["fig2_variance"] = partial(self.variance, inputs.filtered)
        return figures

    @cached_property
    def results(self) -> Results:
        inputs = self.inputs
        return Results.read(inputs.questions, inputs.answers, inputs.variants).counted_by(inputs.extractor)

    @cached_property
    def metrics(self) -> dict[str, Lines]:
        return {name: read_metrics(METRICS.inside(folder)) for name, folder in self.inputs.runs.items()}

    @property
    def note(self) -> str:
        """What every figure of the synthetic world says."""
        world = self.inputs.questions and any(benchmark.is_world for benchmark in self.results.benchmarks.values())
        return "synthetic world" if world else ""

    def subsets(self) -> Figure:
        reward = self.inputs.reward
        return draw_subsets(SUBSETS_OF, reward.frames_per_subset, reward.windows, reward.sampling)

    def variance(self, filtered: Path) -> Figure:
        variances, summary = read_variances(filtered, self.inputs.training_questions)
        return draw_variance(variances, summary, self.settings.histogram_bins)

    def curves(self) -> Figure:
        return draw_curves(self.metrics, self.inputs.variants, self.note)

    def entropy(self) -> Figure:
        table = FIGURE.inside(self.out, figure="fig6_temporal_entropy", suffix="csv")
        write_text(table, to_csv(self.metrics, self.inputs.variants))
        return draw_temporal_entropy(self.metrics, self.inputs.variants, self.note)

    def accuracy(self) -> Figure:
        return draw_accuracy(self.results, self.inputs.n_frames, self.settings.confidence_level)

    def likelihood(self) -> Figure:
        inputs = self.inputs
        known = read_truth(inputs.truth, self.results.benchmarks.values())
        level = self.settings.confidence_level
        groups = read_bins(inputs.bins, self.results.benchmarks, known, self.store, level, inputs.extractor)
        write(bins_table(groups, self.note), self.out, "fig4_likelihood")
        return draw_bins(groups, inputs.samples, inputs.n_frames, self.note)

    @cached_property
    def store(self) -> FrameStore:
        return FrameStore.open(self.inputs.indexes)

    def examples(self, choose: Callable[[Material], tuple[list[Example], str]]) -> Figure:
        """Some questions, as `choose` takes them."""
        examples, note = choose(self.material)
        return draw_examples(examples, "\n".join(filter(None, [self.note.capitalize(), note])))

    @cached_property
    def material(self) -> Material:
        inputs = self.inputs
        return Material(
            results=self.results,
            selections=_selections(inputs.selections, inputs.n_frames),
            store=self.store,
            truth=read_truth(inputs.truth, self.results.benchmarks.values()),
            likelihoods=_likelihoods(inputs.likelihoods),
            frames=inputs.n_frames,
            settings=self.settings,
        )


def _likelihoods(paths: Sequence[Path]) -> dict[str, dict[str, Likelihood]]:
    """By selector and qa_id, over all benchmarks."""
    found: dict[str, dict[str, Likelihood]] = {}
    for table in map(read_likelihoods, paths):
        found.setdefault(table.selector, {}).update(table.rows)
    return found


def _selections(paths: Sequence[Path], frames: int) -> dict[str, dict[str, Selection]]:
    """Picks of so many frames by selector and qa_id, over all benchmarks; one run of each kind."""
    found: dict[str, dict[str, Selection]] = {}
    for file in tables_below(paths):
        name = settings_of(parquet.read_schema(file))["selector"]
        kind = kind_of(name)
        known = next((other for other in found if kind_of(other) == kind), name)
        if frames_of(file) == frames and kind in KINDS and known == name:
            add_selections(found.setdefault(name, {}), file)
    if not found:
        raise UsageError(f"no selections of {frames} frames by {', '.join(KINDS)} are among the files")
    return found
