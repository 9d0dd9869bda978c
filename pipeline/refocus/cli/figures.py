"""`refocus figures`: draws what the stages wrote."""

import argparse
from pathlib import Path
from typing import get_args

from refocus.cli.flags import add_settings, read_settings
from refocus.config.answer import Extractor
from refocus.config.parsing import parse, parse_json
from refocus.config.reward import RewardSettings
from refocus.config.tables import FiguresSettings
from refocus.config.variants import from_json
from refocus.core.errors import UsageError

HELP = "draw the figures of whatever there is"
DESCRIPTION = """\
In:  any of: the filter's folder, training runs, answers with their question tables, selections with the stored frames.
Out: fig7_subsets (always), fig2_variance (--filtered), training and fig6_temporal_entropy (--runs; also as .csv),
     accuracy (--answers), fig4_likelihood (--bins; also as a table), fig9_examples and one_question (--selections);
     each in every format of the settings. Figures of the synthetic world say so.
Paper: figures 2, 4, 6, 7 and 9 to 13; figure 5 is drawn by `refocus recall`.

  refocus figures --filtered filtered/internvl3-8b --runs demo=train/demo --qa qa/videomme.parquet \\
      --answers answers --selections selections \\
      --index frames/videomme/*.parquet --n-frames 32 --out figures
"""


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
        help="training runs: their metrics.jsonl",
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
    add(
        "--likelihoods",
        type=Path,
        nargs="+",
        default=[],
        metavar="LIKELIHOOD.parquet",
        help="tables of `refocus likelihood`, for the curves of Figs. 9 to 13",
    )
    add("--bins", type=Path, nargs="+", default=[], metavar="PATH", help="answers of `refocus bins` (Fig. 4)")
    add("--samples", type=int, default=64, metavar="N", help="rollouts behind both (default: 64)")
    add(
        "--extractor",
        choices=get_args(Extractor),
        help="whose way of finding the letter counts generated replies, as in `refocus tables` (default: as answered)",
    )
    add("--n-frames", type=int, default=32, metavar="N", help="frames per question (default: 32)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the figures")
    add_settings(parser, FiguresSettings)


def run(args: argparse.Namespace) -> None:
    """Draws every figure there is something for."""
    from refocus.report.figure_set import FigureInputs, draw_figures

    settings = read_settings(args, FiguresSettings)
    if bool(args.answers) > bool(args.qa) or bool(args.selections) > bool(args.qa and args.index):
        raise UsageError("--answers needs --qa; --selections needs --qa and --index")
    if args.bins and not (args.qa and args.index):
        raise UsageError("--bins needs --qa and --index")
    inputs = FigureInputs(
        filtered=args.filtered,
        training_questions=args.training_qa,
        reward=parse(RewardSettings, parse_json(args.reward_settings, "--reward-settings")),
        runs=_folders(args.runs),
        variants=from_json(args.variants),
        questions=args.qa,
        answers=args.answers,
        selections=args.selections,
        indexes=args.index,
        truth=args.truth,
        n_frames=args.n_frames,
        likelihoods=args.likelihoods,
        bins=args.bins,
        samples=args.samples,
        extractor=args.extractor,
    )
    draw_figures(inputs, settings, args.out)


def _folders(texts: list[str]) -> dict[str, Path]:
    """Folders of training runs by name, of `NAME=DIR`."""
    runs = dict(text.partition("=")[::2] for text in texts)
    if not all(runs.values()):
        raise UsageError("--runs takes NAME=DIR")
    return {name: Path(folder) for name, folder in runs.items()}
