"""`refocus figures`: draws what the stages wrote."""

import argparse
import logging
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.parsing import parse, parse_json
from refocus.config.tables import FiguresSettings
from refocus.config.variants import from_json
from refocus.core.errors import UsageError

HELP = "draw the figures of whatever there is"
DESCRIPTION = """\
In:  any of: the filter's folder, training runs, answers with their question tables, selections with the stored frames.
Out: fig7_subsets (always), fig2_variance (--filtered), training and fig6_temporal_entropy (--runs; also as .csv),
     accuracy (--answers), fig9_examples and one_question (--selections); each in every format of the settings. Figures
     of the synthetic world say so.
Paper: figures 2, 6, 7 and 9.

  refocus figures --filtered filtered/internvl3-8b --runs demo=train/demo --qa qa/videomme.parquet \\
      --answers answers --selections selections \\
      --index frames/videomme/*.parquet --n-frames 32 --out figures
"""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add("--filtered", type=Path, metavar="DIR", help="folder with variance.parquet and summary.json (Fig. 2)")
    add(
        "--training-qa",
        type=Path,
        nargs="+",
        default=[],
        metavar="QA.parquet",
        help="questions behind --filtered, for their categories",
    )
    add("--reward-settings", metavar="JSON", help="the reward section: which subsets Fig. 7 shows")
    add(
        "--runs",
        nargs="+",
        default=[],
        metavar="NAME=DIR",
        help="training runs: metrics.jsonl, and policy/ for Fig. 9",
    )
    add(
        "--variants",
        metavar="JSON",
        help="which runs are seeds of one setting (the rules say it from the configuration)",
    )
    add("--qa", type=Path, nargs="+", default=[], metavar="QA.parquet", help="question tables of the benchmarks")
    add(
        "--answers",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="files of answers, or folders that hold them",
    )
    add(
        "--selections",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="selection tables, or folders that hold them (Fig. 9)",
    )
    add(
        "--index",
        type=Path,
        nargs="+",
        default=[],
        metavar="INDEX.parquet",
        help="index files of the benchmarks' frames (Fig. 9)",
    )
    add("--truth", type=Path, nargs="+", default=[], metavar="PATH", help="when the evidence is visible (Fig. 9)")
    add("--n-frames", type=int, default=32, metavar="N", help="frames per question (default: 32)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the figures")
    add_settings(parser, FiguresSettings)


def run(args: argparse.Namespace) -> None:
    """Draws every figure there is something for."""
    settings = read_settings(args, FiguresSettings)
    if bool(args.answers) > bool(args.qa) or bool(args.selections) > bool(args.qa and args.index):
        raise UsageError("--answers needs --qa; --selections needs --qa and --index")
    results = _results(args)
    from refocus.report.example_strips import draw_examples
    from refocus.report.examples import drawn_by_lot, first_win

    figures = {"fig7_subsets": lambda: _subsets(args)}
    if args.filtered:
        figures["fig2_variance"] = lambda: _variance(args, settings)
    if args.runs:
        figures["training"] = lambda: _curves(args, results)
        figures["fig6_temporal_entropy"] = lambda: _entropy(args, results)
    if args.answers:
        figures["accuracy"] = lambda: _accuracy(args, settings, results)
    if args.selections:
        figures["fig9_examples"] = lambda: draw_examples(*drawn_by_lot(_examples(args, settings, results)))
        figures["one_question"] = lambda: draw_examples(*first_win(_examples(args, settings, results)))
    from refocus.core.progress import bar
    from refocus.report.style import save

    for name, draw in bar(figures.items(), desc="figures", unit="figure"):
        save(draw(), args.out, name, settings.formats, settings.dpi)


def _results(args: argparse.Namespace):
    from refocus.report.results import Results

    return Results.read(args.qa, args.answers, from_json(args.variants)) if args.qa else None


def _subsets(args: argparse.Namespace):
    from refocus.config.reward import RewardSettings
    from refocus.report.subsets_figure import draw_subsets

    reward = parse(RewardSettings, parse_json(args.reward_settings, "--reward-settings"))
    return draw_subsets(256, reward.frames_per_subset, reward.windows, reward.sampling)


def _variance(args: argparse.Namespace, settings: FiguresSettings):
    from refocus.qa.records import read_questions
    from refocus.report.variance_figure import draw_variance, read_variances

    variances, summary = read_variances(args.filtered)
    categories = {question.qa_id: question.category for path in args.training_qa for question in read_questions(path)}
    return draw_variance(variances, summary, categories, settings.histogram_bins)


def _runs(args: argparse.Namespace) -> dict[str, Path]:
    runs = dict(text.partition("=")[::2] for text in args.runs)
    if not all(runs.values()):
        raise UsageError("--runs takes NAME=DIR")
    return {name: Path(folder) for name, folder in runs.items()}


def _metrics(args: argparse.Namespace) -> dict[str, list[dict]]:
    from refocus.report.series import read_metrics

    return {name: read_metrics(folder / "metrics.jsonl") for name, folder in _runs(args).items()}


def _curves(args: argparse.Namespace, results):
    from refocus.report.training_figure import draw_curves

    return draw_curves(_metrics(args), from_json(args.variants), _note(results))


def _entropy(args: argparse.Namespace, results):
    from refocus.core.files import write_text
    from refocus.report.entropy_figure import draw_temporal_entropy, to_csv

    runs, variants = _metrics(args), from_json(args.variants)
    write_text(args.out / "fig6_temporal_entropy.csv", to_csv(runs, variants))
    return draw_temporal_entropy(runs, variants, _note(results))


def _accuracy(args: argparse.Namespace, settings: FiguresSettings, results):
    from refocus.report.accuracy_figure import draw_accuracy

    return draw_accuracy(results, args.n_frames, settings.confidence_level)


def _examples(args: argparse.Namespace, settings: FiguresSettings, results):
    from refocus.frames.frame_store import FrameStore
    from refocus.report.examples import Material

    runs = _runs(args)
    return Material(
        results=results,
        selections=_selections(args.selections, args.n_frames),
        store=FrameStore.open(args.index),
        truth=_truth(args.truth, results.benchmarks),
        policies={f"refocus/{run}": folder / "policy" for run, folder in runs.items()},
        frames=args.n_frames,
        settings=settings,
    )


def _truth(paths: list[Path], benchmarks) -> dict:
    from refocus.select.baselines import read_truth

    return {
        (name, source): spans
        for path in paths
        for name in benchmarks
        for source, spans in read_truth(path, name).items()
    }


def _selections(paths: list[Path], frames: int) -> dict:
    """Picks of so many frames by selector and qa_id, over all benchmarks; one run of each kind."""
    import pyarrow.parquet as pq

    from refocus.config.selectors import KINDS, kind_of
    from refocus.core.files import settings_of
    from refocus.select.selections import frames_of, read_selections, tables_below

    found: dict = {}
    for file in tables_below(paths):
        name = settings_of(pq.read_schema(file))["selector"]
        kind = kind_of(name)
        known = next((other for other in found if kind_of(other) == kind), name)
        if frames_of(file) == frames and kind in KINDS and known == name:
            found.setdefault(name, {}).update(read_selections(file))
    if not found:
        raise UsageError(f"no selections of {frames} frames by {', '.join(KINDS)} are among the files")
    return found


def _note(results) -> str:
    return "synthetic world" if results and any(benchmark.is_world for benchmark in results.benchmarks.values()) else ""
